//! An auditor who has nothing but the address of a log, the certificate, and a checkpoint that was kept.

#[path = "../../../crates/evidence/tests/logged/mod.rs"]
mod logged;
#[path = "../../../crates/evidence/tests/provable/mod.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod provable;
#[path = "../../../crates/evidence/tests/signed/mod.rs"]
mod signed;

use std::{fs, path::Path, process::Command};

use domain::Class;
use jiff::Timestamp;
use logged::{Call, Making};
use signed::TestKey;
use tokio::net::TcpListener;

/// Exit code and everything that was printed.
fn outcome(arguments: &[&str], folder: &Path) -> (Option<i32>, String) {
    let mut callseal = Command::new(env!("CARGO_BIN_EXE_callseal"));
    let output = callseal.args(arguments).current_dir(folder).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_audited_and_an_archive_held_against_it_by_its_address() -> anyhow::Result<()> {
    let (staging, desk) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let key = TestKey::new();
    let start = Timestamp::from_second(Timestamp::now().as_second() - 48 * 3600)?;
    let mut making = Making::new(staging.path(), &key, logged::log_key("0a1b2c3d"), start);
    let call = |number| Call { number, class: Class::Regulated, targets: &["vault"], year: "2026" };
    making.call(&key, call(1));
    let newest = staging.path().join("log/acme/checkpoint");
    fs::copy(&newest, desk.path().join("kept.txt"))?;
    fs::copy(staging.path().join("callseal.pem"), desk.path().join("callseal.pem"))?;
    making.call(&key, call(2));
    making.heartbeat();

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let log = format!("http://{}/log/acme", listener.local_addr()?);
    let checkpoint = format!("{log}/checkpoint");
    let server =
        tokio::spawn(axum::serve(listener, callseal_signer::http::routes(staging.path())).into_future());
    let archive = staging.path().to_str().expect("temporary folders have plain names").to_owned();
    let at = desk.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let audit = ["log", "audit", "kept.txt", &checkpoint, "--certificate", "callseal.pem"];
        let (code, text) = outcome(&audit, &at);
        assert!(code == Some(0) && text.contains("chain of class regulated: 2 recordings"), "{text}");
        let (code, text) = outcome(&["verify", "--checkpoint", &checkpoint, &archive], &at);
        assert!(code == Some(0) && text.contains("continues 1 checkpoints that were given"), "{text}");
        // Without the certificate nothing there can be believed; nothing is where nothing is.
        let (code, text) = outcome(&audit[..4], &at);
        assert!(code == Some(2) && text.contains("the certificate has to be given"), "{text}");
        let nowhere = format!("{log}/checkpoints/00000000000000000999");
        let (code, text) = outcome(&["verify", "--checkpoint", &nowhere, &archive], &at);
        assert!(code == Some(2) && text.contains("nothing is at"), "{text}");
    })
    .await?;
    server.abort();
    Ok(())
}
