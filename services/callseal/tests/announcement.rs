//! `callseal announcement` as a command, with speech of espeak-ng in files of SoX and LAME.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

fn tool(program: &str, args: &[&str], dir: &Path) {
    let status = Command::new(program).args(args).current_dir(dir).status();
    let status = status.unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
    assert!(status.success(), "{program} {args:?}");
}

/// A folder with recordings of speech, as an administrator has them.
fn recordings() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    tool("espeak-ng", &["-v", "en", "-w", "ask.wav", "This call is recorded if you press a key."], at);
    tool("espeak-ng", &["-v", "de", "-w", "speech.wav", "Dieses Gespräch wird aufgezeichnet."], at);
    tool("sox", &["speech.wav", "-r", "44100", "-c", "2", "stereo.wav"], at);
    tool("lame", &["--quiet", "stereo.wav", "ansage.mp3"], at);
    fs::write(at.join("letter.wav"), "Dear Sir or Madam, we record calls.").unwrap();
    let ask = fs::read(at.join("ask.wav")).unwrap();
    fs::write(at.join("half.wav"), &ask[..ask.len() / 2]).unwrap();
    tool("sox", &["-n", "-r", "8000", "-c", "1", "-b", "16", "silence.wav", "trim", "0", "2"], at);
    dir
}

struct Library {
    recordings: TempDir,
    config: TempDir,
}

impl Library {
    fn new(files: &[(&str, &str)]) -> Self {
        let config = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = config.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { recordings: recordings(), config }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.config.path().join(name)
    }

    /// Exit code and everything that was said. Seconds and sums differ from one espeak-ng to the
    /// next.
    fn run(&self, command: &str, args: &[&str]) -> String {
        let mut callseal = Command::new(env!("CARGO_BIN_EXE_callseal"));
        callseal.args(["announcement", command]).env_remove("CALLSEAL_CONFIG");
        if command != "built-in" {
            callseal.arg("--config").arg(self.config.path());
        }
        let output = callseal.args(args).current_dir(self.recordings.path()).output().unwrap();
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        format!("{}: {}", output.status.code().unwrap(), said.trim_end())
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn sum(&self, recording: &str) -> String {
        hex::encode(Sha256::digest(fs::read(self.recordings.path().join(recording)).unwrap()))
    }
}

const TENANT: &str = "\
apiVersion: callseal.io/v1alpha1
kind: Tenant
metadata: {name: acme}
spec: {country: DE, sip: {domains: [acme.example]}}
";

const RULE: &str = "\
apiVersion: callseal.io/v1alpha1
kind: RecordingRule
metadata: {name: sales}
spec:
  profile: consent
  scope: all
  directions: [in]
  consent: {mode: optIn}
  announcements: {inbound: ask}
";

#[test]
fn what_is_added_is_in_force_and_listed_with_who_uses_it() {
    let library = Library::new(&[("tenant.yaml", TENANT)]);
    assert!(library.run("list", &[]).starts_with("0: there is no announcement"));
    let added = library.run("add", &["ask", "ask.wav", "--comment", "spoken by: \"Ann\""]);
    assert!(
        added.starts_with("0: ask: ") && added.ends_with(" s, WAV, not used, in announcements/ask.yaml"),
        "{added}"
    );
    fs::write(library.path("rule.yaml"), RULE).unwrap();
    let mp3 = library.run("add", &["ansage", "ansage.mp3"]);
    assert!(mp3.ends_with(" s, MP3, not used, in announcements/ansage.yaml"), "{mp3}");
    assert_eq!(library.files("announcements"), ["ansage.mp3", "ansage.yaml", "ask.wav", "ask.yaml"]);

    let list = library.run("list", &[]);
    let lines: Vec<Vec<&str>> = list
        .trim_start_matches("0: ")
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(lines.len(), 2, "{list}");
    assert_eq!([lines[0][0], lines[0][1], lines[0][3], lines[0][5]], ["acme", "ansage", "MP3", "not used"]);
    assert_eq!(lines[0][4], library.sum("ansage.mp3"));
    assert_eq!(
        [lines[1][1], lines[1][3], lines[1][5]],
        ["ask", "WAV", "used by sales: announcements.inbound"]
    );
    assert_eq!(lines[1][4], library.sum("ask.wav"));
    assert!(lines.iter().all(|line| line[2].ends_with(" s")), "{list}");

    let loaded = config::load(library.config.path()).unwrap();
    assert_eq!(*loaded.problems, []);
    let acme = loaded.resources.tenants.values().next().unwrap();
    assert_eq!(acme.announcements[&"ask".parse().unwrap()].comment, "spoken by: \"Ann\"");
}

#[test]
fn bad_audio_is_refused_with_the_reason_and_leaves_nothing_behind() {
    let library = Library::new(&[("tenant.yaml", TENANT)]);
    for (file, reason) in [
        ("letter.wav", "letter.wav is not a WAV or MP3 file"),
        ("half.wav", "half.wav is cut off: it ends before the audio does"),
        ("silence.wav", "silence.wav is silent"),
        ("nowhere.wav", "nowhere.wav cannot be read: No such file or directory (os error 2)"),
    ] {
        assert_eq!(library.run("add", &["ask", file]), format!("1: error: {reason}"));
    }
    assert!(library.run("add", &["Ask!", "ask.wav"]).starts_with("2: "));
    assert_eq!(library.files(""), ["tenant.yaml"]);
}

#[test]
fn one_that_is_there_is_replaced_only_on_request_and_its_users_are_named() {
    let library = Library::new(&[("tenant.yaml", TENANT), ("rule.yaml", RULE)]);
    assert!(library.run("add", &["ask", "ask.wav"]).starts_with("0: "));
    assert_eq!(
        library.run("add", &["ask", "speech.wav"]),
        "1: error: there is an announcement ask in announcements/ask.yaml, used by sales: announcements.inbound; --replace replaces it"
    );
    let in_force = || {
        let loaded = config::load(library.config.path()).unwrap();
        assert_eq!(*loaded.problems, []);
        loaded.resources.tenants.values().next().unwrap().announcements[&"ask".parse().unwrap()]
            .sha256
            .clone()
    };
    assert_eq!(in_force(), library.sum("ask.wav"));
    for (file, files) in [("speech.wav", ["ask.wav", "ask.yaml"]), ("ansage.mp3", ["ask.mp3", "ask.yaml"])] {
        let said = library.run("add", &["--replace", "ask", file]);
        assert!(said.contains(", used by sales: announcements.inbound, in announcements/ask.yaml"), "{said}");
        assert_eq!(in_force(), library.sum(file));
        assert_eq!(library.files("announcements"), files);
    }
    let bad = library.run("add", &["--replace", "ask", "letter.wav"]);
    assert_eq!(bad, "1: error: letter.wav is not a WAV or MP3 file");
    assert_eq!(in_force(), library.sum("ansage.mp3"));
}

#[test]
fn a_used_one_is_removed_only_by_force_with_a_warning() {
    let library = Library::new(&[("tenant.yaml", TENANT), ("rule.yaml", RULE)]);
    library.run("add", &["ask", "ask.wav"]);
    library.run("add", &["spare", "speech.wav"]);
    assert_eq!(library.run("remove", &["spare"]), "0: spare: removed from announcements/spare.yaml");
    assert_eq!(library.files("announcements"), ["ask.wav", "ask.yaml"]);
    assert_eq!(
        library.run("remove", &["ask"]),
        "1: error: ask is used by sales: announcements.inbound; --force removes it all the same"
    );
    let forced = library.run("remove", &["--force", "ask"]);
    assert!(
        forced.starts_with("0: ask: removed from announcements/ask.yaml\nwarning: it was used by sales"),
        "{forced}"
    );
    assert_eq!(library.files("announcements"), [""; 0]);
    assert_eq!(
        library.run("remove", &["ask"]),
        "1: error: there is no announcement ask in this configuration"
    );
}

#[test]
fn what_stands_among_other_resources_is_left_to_the_administrator() {
    let own = "---\napiVersion: callseal.io/v1alpha1\nkind: Announcement\nmetadata: {name: ask}\nspec: {builtIn: en/opt-in}\n";
    let library = Library::new(&[("all.yaml", &format!("{TENANT}{own}"))]);
    for command in ["remove", "add"] {
        let args: &[&str] = if command == "add" { &["--replace", "ask", "ask.wav"] } else { &["ask"] };
        let said = library.run(command, args);
        assert!(
            said.starts_with("1: error: ask stands in all.yaml, line 6, among other resources"),
            "{said}"
        );
    }
    assert_eq!(library.files(""), ["all.yaml"]);
}

#[test]
fn each_of_several_tenants_has_a_library_of_its_own() {
    let other = TENANT.replace("acme", "globex");
    let library = Library::new(&[("acme/tenant.yaml", TENANT), ("globex.yaml", &other)]);
    assert_eq!(
        library.run("add", &["ask", "ask.wav"]),
        "1: error: there are several tenants: say which by --tenant"
    );
    let said = library.run("add", &["--tenant", "acme", "ask", "ask.wav"]);
    assert!(said.ends_with("in acme/announcements/ask.yaml"), "{said}");
    let said = library.run("add", &["--tenant", "globex", "ask", "speech.wav"]);
    assert!(said.ends_with("in announcements/ask.yaml"), "{said}");
    let loaded = config::load(library.config.path()).unwrap();
    for (tenant, file) in [("acme", "ask.wav"), ("globex", "speech.wav")] {
        let announcements = &loaded.resources.tenants[&tenant.parse().unwrap()].announcements;
        assert_eq!(announcements[&"ask".parse().unwrap()].sha256, library.sum(file), "{tenant}");
    }
    assert_eq!(library.run("list", &["--tenant", "globex"]).lines().count(), 1);
    assert_eq!(
        library.run("remove", &["--tenant", "initech", "ask"]),
        "1: error: there is no Tenant initech in this configuration"
    );
}

#[test]
fn what_is_exported_is_what_callers_hear() {
    let library = Library::new(&[("tenant.yaml", TENANT)]);
    library.run("add", &["ansage", "ansage.mp3"]);
    let said = library.run("export", &["ansage", "heard.wav"]);
    assert!(said.starts_with("0: ansage: ") && said.ends_with(" s written to heard.wav"), "{said}");
    let heard = fs::read(library.recordings.path().join("heard.wav")).unwrap();
    let mp3 = fs::read(library.recordings.path().join("ansage.mp3")).unwrap();
    let announcement = media::announcement::Announcement::from_file(&mp3).unwrap();
    assert_eq!(heard[58..], *announcement.encoded(media::Codec::Pcma).payload());
    // SoX reads it as what it is.
    tool("sox", &["heard.wav", "-t", "al", "heard.al"], library.recordings.path());
    assert_eq!(fs::read(library.recordings.path().join("heard.al")).unwrap(), heard[58..]);

    let again = library.run("export", &["ansage", "heard.wav"]);
    assert_eq!(again, "1: error: heard.wav cannot be made: File exists (os error 17)");
    let none = library.run("export", &["nothing", "x.wav"]);
    assert_eq!(none, "1: error: there is no announcement nothing in force");
    assert!(library.run("export", &["en/opt-in", "shipped.wav"]).starts_with("0: en/opt-in: "));
}

#[test]
fn the_shipped_ones_are_listed_and_can_be_named_by_a_resource() {
    let library = Library::new(&[]);
    let list = library.run("built-in", &[]);
    let names: Vec<&str> =
        list.trim_start_matches("0: ").lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, media::announcement::built_in_names().collect::<Vec<_>>(), "{list}");
    let mut texts = TENANT.to_owned();
    for (i, name) in names.iter().enumerate() {
        texts += &format!(
            "---\napiVersion: callseal.io/v1alpha1\nkind: Announcement\nmetadata: {{name: a{i}}}\nspec: {{builtIn: {name}}}\n"
        );
    }
    fs::write(library.path("all.yaml"), &texts).unwrap();
    let loaded = config::load(library.config.path()).unwrap();
    assert_eq!(*loaded.problems, []);
    assert_eq!(loaded.resources.tenants.values().next().unwrap().announcements.len(), names.len());
    fs::write(library.path("all.yaml"), texts.replace("en/opt-in}", "en/optin}")).unwrap();
    let loaded = config::load(library.config.path()).unwrap();
    let problem = loaded.problems[0].to_string();
    assert!(
        problem.contains("spec.builtIn: is none that is shipped with Callseal; there are de/"),
        "{problem}"
    );
}
