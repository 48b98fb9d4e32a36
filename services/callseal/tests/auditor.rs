//! An auditor's work with whole archives: `callseal verify` where they lie, its reports, checkpoints
//! that were kept, and `callseal log audit`.

#[path = "../../../crates/evidence/tests/logged/mod.rs"]
mod logged;
#[path = "../../../crates/evidence/tests/provable/mod.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod provable;
#[path = "../../../crates/evidence/tests/signed/mod.rs"]
mod signed;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use domain::Class;
use evidence::Section;
use harness::sshd::Sshd;
use jiff::{SignedDuration, Timestamp};
use logged::{Call, Making};
use serde_json::Value;
use signed::{TestKey, run};

/// Three recordings at the target vault, one of them meant for it alone, and one elsewhere.
fn archive(top: &Path) -> (TestKey, Making) {
    let key = TestKey::new();
    let start = Timestamp::from_second(Timestamp::now().as_second() - 48 * 3600).unwrap();
    let mut making = Making::new(top, &key, logged::log_key("0a1b2c3d"), start);
    for (number, targets) in [(1, &["vault"][..]), (2, &["cloud"]), (3, &["vault", "cloud"]), (4, &["vault"])]
    {
        making.call(&key, Call { number, class: Class::Regulated, targets, year: "2026/11" });
    }
    making.sealed[1].files().iter().for_each(|path| fs::remove_file(path).unwrap());
    making.heartbeat();
    (key, making)
}

fn callseal(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_callseal")).args(arguments).current_dir(folder).output().unwrap()
}

/// Exit code and everything that was printed.
fn outcome(arguments: &[&str], folder: &Path) -> (Option<i32>, String) {
    let output = callseal(arguments, folder);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn the_lines_say_what_became_of_what_is_not_here() {
    let top = tempfile::tempdir().unwrap();
    let (_key, making) = archive(top.path());
    let (code, text) = outcome(&["verify", "."], top.path());
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "acme/regulated: 3 recordings, chain complete from 1 (",
        "       1 were sealed for other targets, and are elsewhere\n",
        "log of acme: 14 entries, good, from ",
        "       this archive is the target vault, it says itself",
        "3 recordings verified: all good\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    making.sealed[3].files().iter().for_each(|path| fs::remove_file(path).unwrap());
    let (code, text) = outcome(&["verify", "--target", "vault", "."], top.path());
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("position 4: recording 01949c3e-7a5b-7000-8000-000000000004 of "), "{text}");
    assert!(text.contains("is MISSING: the log says that it was sealed for this archive"), "{text}");
    // At the other target that one is not missed, but the others do not belong there.
    let (code, text) = outcome(&["verify", "--target", "cloud", "."], top.path());
    assert!(code == Some(1) && text.contains("was not meant for this archive (cloud)"), "{text}");
}

#[test]
fn json_holds_every_recording_and_the_verdict() {
    let top = tempfile::tempdir().unwrap();
    archive(top.path());
    let output = callseal(&["verify", "--json", "."], top.path());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["good"]), (Some(0), &Value::Bool(true)), "{report:#}");
    assert_eq!(report["recordings"].as_array().unwrap().len(), 3);
    assert_eq!(report["recordings"][0]["logProof"], "good");
    assert_eq!(report["lanes"][0]["elsewhere"], 1);
    assert_eq!(report["archives"][0]["logs"][0]["target"], "vault");
    fs::write(top.path().join("2026/11/x.wav"), "x").unwrap();
    let output = callseal(&["verify", "--json", "."], top.path());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["good"]), (Some(1), &Value::Bool(false)));
}

#[test]
fn a_report_is_signed_by_the_auditors_key_so_that_openssl_accepts_it() {
    let top = tempfile::tempdir().unwrap();
    archive(top.path());
    let desk = tempfile::tempdir().unwrap();
    let at = desk.path();
    run("openssl", &["genpkey", "-algorithm", "ed25519", "-out", "ed.pem"], at);
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    run("openssl", &[&["genpkey", "-out", "ec.pem"], &curve[..]].concat(), at);
    for key in ["ed.pem", "ec.pem"] {
        let archive = top.path().to_str().unwrap();
        let (code, text) = outcome(&["verify", "--report", "report.html", "--report-key", key, archive], at);
        assert_eq!(code, Some(0), "{text}");
        let page = fs::read_to_string(at.join("report.html")).unwrap();
        // Both stand in the report: the key and how to verify by it.
        let blocks: Vec<&str> =
            page.split("<pre>").skip(1).map(|rest| rest.split("</pre>").next().unwrap()).collect();
        let [command, public] = blocks.as_slice() else { panic!("{page}") };
        run("openssl", &["pkey", "-in", key, "-pubout", "-out", "public.pem"], at);
        assert_eq!(fs::read_to_string(at.join("public.pem")).unwrap(), *public);
        run("sh", &["-ec", command], at);
        fs::write(at.join("report.html"), page.replace("All good", "All bad")).unwrap();
        let changed = Command::new("sh").args(["-ec", command]).current_dir(at).output().unwrap();
        assert!(!changed.status.success(), "{key}");
        assert!(page.contains("All good") && page.contains("01949c3e-7a5b-7000-8000-000000000003"), "{page}");
        assert!(!page.contains("4922198765") && !page.contains("<script"), "{page}");
    }
    let archive = top.path().to_str().unwrap();
    let (code, _) = outcome(&["verify", "--report", "report.html", archive], at);
    assert_eq!(code, Some(0));
    assert!(fs::read_to_string(at.join("report.html")).unwrap().contains("<strong>not signed</strong>"));
    assert!(!at.join("report.html.sig").exists(), "a signature of another report");
    let (code, text) = outcome(&["verify", "--report", "r.html", "--report-key", "public.pem", archive], at);
    assert!(code == Some(2) && text.contains("expected an unencrypted PKCS#8 key"), "{text}");
}

#[test]
fn a_checkpoint_that_was_kept_betrays_a_log_that_was_rolled_back_and_an_audit_names_the_gap() {
    let top = tempfile::tempdir().unwrap();
    let (key, mut making) = archive(top.path());
    let kept = tempfile::tempdir().unwrap();
    run("cp", &["-R", ".", kept.path().to_str().unwrap()], top.path());
    making.call(&key, Call { number: 5, class: Class::Regulated, targets: &["vault"], year: "2026/11" });
    making.later(SignedDuration::from_hours(30));
    making.heartbeat();

    let (old, new) = (kept.path().join("log/acme/checkpoint"), top.path().join("log/acme/checkpoint"));
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    let (code, text) = outcome(&["verify", "--checkpoint", old, "."], top.path());
    assert!(code == Some(0) && text.contains("continues 1 checkpoints that were given"), "{text}");
    let (code, text) = outcome(&["verify", "--checkpoint", new, "."], kept.path());
    assert!(code == Some(1) && text.contains("the log was rolled back"), "{text}");

    let (code, text) = outcome(&["log", "audit", old, new], top.path());
    assert!(
        code == Some(0) && text.contains("chain of class regulated: 5 recordings, positions 1 to 5"),
        "{text}"
    );
    let (code, text) = outcome(&["log", "audit", new, old], top.path());
    assert!(code == Some(1) && text.contains("the log was rolled back"), "{text}");

    // A call that began and of which nothing came.
    let reference = evidence::log::Reference::of(b"salt", &signed::recording(6));
    let at = making.later(SignedDuration::from_mins(1));
    making.log.add(at, evidence::log::What::Started { reference });
    making.later(SignedDuration::from_hours(30));
    making.heartbeat();
    let (code, text) = outcome(&["log", "audit", old, new], top.path());
    assert!(code == Some(1) && text.contains("the log does not say that it was sealed"), "{text}");
    let (code, text) = outcome(&["log", "audit", "no-such-file", new], top.path());
    assert!(code == Some(2) && text.contains("cannot be read"), "{text}");
}

#[test]
fn an_audit_lists_who_stopped_listened_and_deleted_and_when_nothing_was_written() {
    use evidence::log::{Access, Reference, What};
    let top = tempfile::tempdir().unwrap();
    let (_key, mut making) = archive(top.path());
    let (one, reference) = (signed::recording(1), Reference::of(b"salt", &signed::recording(1)));
    for what in [
        What::Stopped { reference, way: "button".into() },
        What::Accessed { recording: one, how: Access::Played, by: "anna".into() },
        What::Accessed { recording: one, how: Access::Exported, by: "berta".into() },
    ] {
        let at = making.later(SignedDuration::from_mins(1));
        making.log.add(at, what);
    }
    making.deleted(signed::recording(2), &["cloud"]);
    making.later(SignedDuration::from_hours(6));
    making.heartbeat();
    let newest = top.path().join("log/acme/checkpoint");
    let arguments = ["log", "audit", newest.to_str().unwrap(), newest.to_str().unwrap()];
    let (code, text) = outcome(&arguments, top.path());
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "a recording was stopped at ",
        " by anna (entry ",
        " was taken out at ",
        " was deleted at ",
        "ATTENTION: from ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let output = callseal(&[&arguments[..], &["--json"]].concat(), top.path());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["good"]), (Some(0), &Value::Bool(true)), "{report:#}");
    let kinds: Vec<_> =
        report["notes"].as_array().unwrap().iter().map(|note| note["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["key", "stopped", "accessed", "accessed", "deleted", "silence"]);
    let (code, text) = outcome(&["verify", "."], top.path());
    assert!(code == Some(0) && text.contains("1 recordings stopped, 1 times one listened to"), "{text}");
    assert!(text.contains("ATTENTION: from "), "{text}");
}

#[test]
fn an_archive_in_which_no_recording_is_left_is_never_good() {
    let top = tempfile::tempdir().unwrap();
    let (_key, making) = archive(top.path());
    for sealed in &making.sealed {
        sealed.files().iter().for_each(|path| fs::remove_file(path).unwrap());
    }
    let (code, text) = outcome(&["verify", "."], top.path());
    assert!(code == Some(1) && text.contains("is MISSING"), "{text}");
    // A name that nothing was sealed for; and one whose recordings all are elsewhere.
    let (code, text) = outcome(&["verify", "--target", "vualt", "."], top.path());
    assert!(code == Some(1) && text.contains("no recording was ever sealed for a target vualt"), "{text}");
    fs::write(top.path().join("archive.txt"), "Callseal archive\nTenant: acme\nTarget: vualt\n").unwrap();
    let (code, text) = outcome(&["verify", "."], top.path());
    assert!(code == Some(2) && text.contains("NO RECORDING is here") && !text.contains("all good"), "{text}");
    let output = callseal(&["verify", "--json", "."], top.path());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["good"]), (Some(2), &Value::Bool(false)));
}

#[test]
fn what_retention_can_have_taken_is_told_by_its_age() {
    let top = tempfile::tempdir().unwrap();
    let (_key, making) = archive(top.path());
    making.sealed[0].files().iter().for_each(|path| fs::remove_file(path).unwrap());
    let (code, text) = outcome(&["verify", "."], top.path());
    assert!(code == Some(1) && text.contains("position 1: recording"), "{text}");
    let (code, text) = outcome(&["verify", "--retention", "1d", "."], top.path());
    assert!(code == Some(0) && text.contains("the oldest 1 are gone"), "{text}");
    let (code, text) = outcome(&["verify", "--retention", "soon", "."], top.path());
    assert!(code == Some(2) && text.contains("expected a time with its unit"), "{text}");
}

#[test]
fn a_part_of_an_archive_is_judged_by_the_log_above_it() {
    let top = tempfile::tempdir().unwrap();
    let (_key, making) = archive(top.path());
    let (code, text) = outcome(&["verify", "2026"], top.path());
    assert!(code == Some(0) && !text.contains("NOT JUDGED"), "{text}");
    assert!(text.contains("1 were sealed for other targets, and are elsewhere"), "{text}");
    let single = making.sealed[2].file(Section::STEREO);
    let (code, text) = outcome(&["verify", single.to_str().unwrap()], top.path());
    assert!(code == Some(0) && !text.contains("NOT JUDGED"), "{text}");
    // A hole between recordings of the folder counts; that the last one is gone, the whole archive shows.
    let moved = tempfile::tempdir().unwrap();
    for path in making.sealed[2].files() {
        fs::copy(&path, moved.path().join(path.file_name().unwrap())).unwrap();
        fs::remove_file(path).unwrap();
    }
    let (code, text) = outcome(&["verify", "2026/"], top.path());
    assert!(code == Some(1) && text.contains("position 3: recording"), "{text}");
    for path in fs::read_dir(moved.path()).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&path, making.sealed[2].folder.join(path.file_name().unwrap())).unwrap();
    }
    assert_eq!(outcome(&["verify", "2026/"], top.path()).0, Some(0));
    let elsewhere = tempfile::tempdir().unwrap();
    for path in making.sealed[0].files() {
        fs::copy(&path, elsewhere.path().join(path.file_name().unwrap())).unwrap();
    }
    fs::copy(top.path().join("callseal.pem"), elsewhere.path().join("callseal.pem")).unwrap();
    let (code, text) = outcome(&["verify", "."], elsewhere.path());
    assert!(code == Some(0) && text.contains("1 log proofs NOT JUDGED"), "{text}");
    let proof = making.sealed[0].base.file(Section::LogProof);
    fs::write(top.path().join("2026/11").join(&proof), "c2sp.org/tlog-proof@v1\n").unwrap();
    let (code, text) = outcome(&["verify", "2026"], top.path());
    assert!(code == Some(1) && text.contains("the log proof (_log-proof.txt) is wrong"), "{text}");
}

#[test]
fn a_verification_that_is_resumed_says_what_an_earlier_run_found() {
    let top = tempfile::tempdir().unwrap();
    archive(top.path());
    let journal = tempfile::tempdir().unwrap();
    let journal = journal.path().join("verified");
    let arguments = ["verify", "--resume", journal.to_str().unwrap(), "."];
    assert_eq!(outcome(&arguments, top.path()).0, Some(0));
    let (code, text) = outcome(&arguments, top.path());
    assert!(
        code == Some(0) && text.contains("3 recordings verified (3 of them by an earlier run): all good"),
        "{text}"
    );
    let (code, text) = outcome(&["verify", "--resume", "callseal.pem", "."], top.path());
    assert!(code == Some(2) && text.contains("not a journal of callseal verify"), "{text}");
}

#[tokio::test]
async fn a_storage_target_is_verified_where_it_lies_by_its_configuration() -> anyhow::Result<()> {
    let top = tempfile::tempdir()?;
    let sshd = Sshd::start(&top.path().join("sshd")).await?;
    let (_key, making) = archive(&sshd.home().join("archive"));
    let config = top.path().join("config");
    fs::create_dir(&config)?;
    let keys: String = sshd.client_key()?.lines().map(|line| format!("    {line}\n")).collect();
    let (user, port, host_key) = (sshd.user()?, sshd.port(), sshd.host_key("ed25519")?);
    fs::write(
        config.join("all.yaml"),
        format!(
            "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {{name: acme}}\n\
             spec: {{country: DE, timeZone: Europe/Berlin, sip: {{domains: [acme.example]}}}}\n\
             ---\napiVersion: callseal.io/v1alpha1\nkind: Secret\nmetadata: {{name: login, namespace: acme}}\nstringData:\n  key: |-\n{keys}\
             ---\napiVersion: callseal.io/v1alpha1\nkind: StorageTarget\nmetadata: {{name: vault, namespace: acme}}\n\
             spec: {{sftp: {{host: 127.0.0.1, port: {port}, user: {user}, path: archive, hostKeys: [\"{host_key}\"], \
             privateKey: {{secretRef: {{name: login, key: key}}}}}}}}\n"
        ),
    )?;
    let arguments = ["verify", "--config", config.to_str().unwrap(), "--target", "vault"];
    let (code, text) = outcome(&arguments, top.path());
    assert!(code == Some(0) && text.ends_with("3 recordings verified: all good\n"), "{text}");
    assert!(text.contains("this archive is the target vault\n"), "{text}");
    fs::remove_file(making.sealed[2].file(Section::STEREO))?;
    let (code, text) = outcome(&arguments, top.path());
    assert!(code == Some(1) && text.contains(".wav: missing"), "{text}");
    let (code, text) = outcome(&["verify", "--config", "config", "--target", "other"], top.path());
    assert!(code == Some(2) && text.contains("there is no StorageTarget other"), "{text}");
    Ok(())
}
