//! `callseal seal-secret` as a command: files sealed in place, and values from standard input (F-81).

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

const TENANT: &str =
    "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\nspec: {country: DE}\n";
const TARGET: &str = "---\napiVersion: callseal.io/v1alpha1\nkind: StorageTarget\nmetadata: {name: share}\n\
    spec: {smb: {host: h, share: s, user: u, password: {secretRef: {name: login, key: password}}}}\n";
const SECRET: &str = "# ours\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: login}\n\
    stringData:\n  password: hunter2 # of the share\n";

struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        fs::create_dir(scene.config()).unwrap();
        fs::write(scene.config().join("a.yaml"), format!("{TENANT}{TARGET}")).unwrap();
        fs::write(scene.file(), SECRET).unwrap();
        fs::set_permissions(scene.file(), fs::Permissions::from_mode(0o640)).unwrap();
        scene
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("config")
    }

    fn file(&self) -> PathBuf {
        self.config().join("secrets.yaml")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("data/vault.key")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callseal"));
        command.arg(arguments[0]).arg("--config").arg(self.config()).args(&arguments[1..]);
        command
    }

    fn seal(&self, further: &[&str]) -> Output {
        let mut command = self.command(&["seal-secret", "--data"]);
        command.arg(self.0.path().join("data")).arg(self.file()).args(further).output().unwrap()
    }

    /// The password of the target, and what is wrong.
    fn password(&self) -> (Option<String>, Vec<String>) {
        let loaded = config::load_with_key(&self.config(), &self.key()).unwrap();
        let acme = loaded.resources.tenants.values().next().unwrap();
        let password = acme.storage_targets.values().next().map(|target| match &target.kind {
            domain::resources::StorageKind::Smb(smb) => smb.password.expose().clone(),
            _ => panic!("a share"),
        });
        (password, loaded.problems.iter().map(ToString::to_string).collect())
    }
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    text
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_file_is_sealed_in_place_with_a_key_that_is_made_and_services_read_it() {
    let scene = Scene::new();
    let output = scene.seal(&[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for part in ["secrets.yaml: 1 value sealed", "A key was made: ", "vault.key", "Back it up"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let sealed = scene.text();
    let (before, rest) = sealed.split_once("sealedData:\n  password: \"").expect(&sealed);
    assert!(SECRET.starts_with(before) && rest.ends_with("\" # of the share\n"), "{sealed}");
    assert!(!sealed.contains("hunter2"));
    assert_eq!((mode(&scene.file()), mode(&scene.key())), (0o640, 0o600), "others read as before");
    assert_eq!(fs::read_dir(scene.config()).unwrap().count(), 2, "nothing is left beside the files");
    assert_eq!(scene.password(), (Some("hunter2".to_owned()), vec![]));

    let again = scene.seal(&[]);
    assert!(said(&again).contains("there is no value in plain text") && again.status.success());
    assert_eq!(scene.text(), sealed);
}

#[test]
fn what_is_sealed_is_never_sealed_beside_a_second_key_and_is_carried_over_to_a_new_one() {
    let scene = Scene::new();
    scene.seal(&[]);
    let old = scene.0.path().join("old.key");
    fs::rename(scene.key(), &old).unwrap();
    fs::write(scene.file(), scene.text() + "stringData: {token: x}\n").unwrap();
    let lost = scene.seal(&[]);
    assert!(said(&lost).contains("there is no key file") && lost.status.code() == Some(1));
    assert!(!scene.key().exists(), "a second key would hide that the first one is lost");

    let moved = scene.seal(&["--old-key", old.to_str().unwrap()]);
    assert!(said(&moved).contains("2 values sealed") && moved.status.success(), "{}", said(&moved));
    assert_eq!(scene.password(), (Some("hunter2".to_owned()), vec![]));
}

#[test]
fn what_cannot_be_sealed_is_said_and_its_file_is_as_it_was() {
    let scene = Scene::new();
    for (secret, reason) in [
        (SECRET.replace("hunter2", "&p hunter2") + "  other: *p\n", "not written plainly enough"),
        (SECRET.replace("{name: login}", "{name: login, namespace: nobody}"), "there is no Tenant"),
        (SECRET.replace("stringData", "data"), "not text in base64"),
    ] {
        fs::write(scene.file(), &secret).unwrap();
        let output = scene.seal(&[]);
        let text = said(&output);
        assert!(text.contains(reason) && output.status.code() == Some(1), "{reason}: {text}");
        assert_eq!(scene.text(), secret);
    }
    let stranger = scene.0.path().join("elsewhere.yaml");
    fs::write(&stranger, SECRET).unwrap();
    let output = scene.seal(&[stranger.to_str().unwrap()]);
    assert!(said(&output).contains("does not lie in the configuration folder"));
}

#[test]
fn a_value_is_read_from_standard_input_and_printed_sealed_for_its_place() {
    let scene = Scene::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_callseal"));
    command.args([
        "seal-secret",
        "--tenant",
        "acme",
        "--secret",
        "login",
        "--key",
        "password",
        "--vault-key",
    ]);
    fs::create_dir(scene.key().parent().unwrap()).unwrap();
    command.arg(scene.key()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut sealing = command.spawn().unwrap();
    sealing.stdin.take().unwrap().write_all(b"hunter2\n").unwrap();
    let output = sealing.wait_with_output().unwrap();
    said(&output);
    let snippet = String::from_utf8(output.stdout).unwrap();
    let head = SECRET.split_once("stringData").unwrap().0;
    fs::write(scene.file(), format!("{head}{snippet}")).unwrap();
    assert_eq!(scene.password(), (Some("hunter2".to_owned()), vec![]));
}

#[test]
fn values_that_others_can_read_are_warned_of_until_they_are_sealed() {
    let scene = Scene::new();
    let warned = || said(&scene.command(&["rules"]).output().unwrap());
    assert!(
        warned().contains("warning: secrets.yaml:3: Secret login: holds values in plain text"),
        "{}",
        warned()
    );
    scene.seal(&[]);
    assert!(!warned().contains("warning"), "{}", warned());
}
