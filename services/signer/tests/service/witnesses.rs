//! A real witness: it is offered what it has not seen, and what it remembers is not forgotten by us.

use std::{path::Path, process::Command, time::Duration};

use evidence::log::{LogKeyStatement, WitnessKey};
use harness::{ports, witness::Witness};

use crate::{
    rollback::{nothing_is_sealed, options, refusal, seal_one},
    support::{bench::Bench, log::newest},
};

const PATIENCE: Duration = Duration::from_secs(60);
const NAME: &str = "auditor.example";

fn configure(bench: &Bench, witness: &Witness, key: &str) {
    let tenant = format!(
        "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {{name: acme}}\nspec:\n  country: DE\n  \
         timeZone: Europe/Berlin\n  whenUndecided: record\n  evidence:\n    witnesses:\n      quorum: 1\n      \
         members: [{{name: auditor, url: '{}', key: '{key}'}}]\n",
        witness.url
    );
    std::fs::write(bench.path("config/tenant.yaml"), tenant).unwrap();
}

/// The public keys of the published log.
pub fn log_keys(bench: &Bench) -> Vec<String> {
    let files = std::fs::read_dir(bench.path("staging/log/acme/keys")).unwrap();
    let texts = files.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
    texts.filter_map(|text| Some(LogKeyStatement::parse(&text).ok()?.key.vkey())).collect()
}

/// What a backup of the whole machine holds: database and staging of one moment.
fn copy_both(bench: &Bench, from: &str, to: &str) {
    for name in ["signer.sqlite", "signer.sqlite-wal", "signer.sqlite-shm", "staging"] {
        let (from, to) = (bench.path(&format!("{from}{name}")), bench.path(&format!("{to}{name}")));
        let _ = if to.is_dir() { std::fs::remove_dir_all(&to) } else { std::fs::remove_file(&to) };
        if from.exists() {
            copy(&from, &to);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// The same as the tests of a rollback ask; nobody holds the database afterwards, which will be replaced.
async fn nothing_is_sealed_meanwhile(bench: &Bench) {
    let state = bench.state().await;
    nothing_is_sealed(bench, &state).await;
    state.database().close().await;
}

/// Waits until the witness has cosigned the newest checkpoint; its size.
async fn cosigned(bench: &Bench, key: &WitnessKey) -> u64 {
    harness::wait::until("the cosignature", PATIENCE, || async {
        let newest = newest(bench)?;
        (newest.cosigned_by(std::slice::from_ref(key)).len() == 1).then_some(newest.checkpoint.size)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_has_seen_more_than_a_restored_machine_knows_halts_the_log_over_restarts() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    let (data, port) = (bench.path("witness"), ports::claim().unwrap());
    std::fs::create_dir(&data).unwrap();
    let key = Witness::key(&data, NAME).unwrap();
    let watching = WitnessKey::parse(&key).unwrap();
    let witness = Witness::start_at(port, &data, NAME, &log_keys(&bench)).unwrap();
    configure(&bench, &witness, &key);

    // It is offered what was signed before it was there, though the log does not grow.
    let before = newest(&bench).unwrap().checkpoint.size;
    let signer = bench.signer(options(&bench));
    assert_eq!(cosigned(&bench, &watching).await, before);
    signer.stop().await;
    copy_both(&bench, "", "old/");
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    let signer = bench.signer(options(&bench));
    let seen = cosigned(&bench, &watching).await;
    signer.stop().await;
    assert!(seen > before);
    copy_both(&bench, "", "lost/");

    // Nothing on this machine knows what is gone; nothing is signed in its place.
    copy_both(&bench, "old/", "");
    let signer = bench.signer(options(&bench));
    let problem = refusal(&bench, &signer).await;
    let said = format!("the witness auditor has cosigned {seen} entries of this log");
    assert!(problem.starts_with(&said) && problem.contains(&format!("know {before}:")), "{problem}");
    nothing_is_sealed_meanwhile(&bench).await;
    assert_eq!(newest(&bench).unwrap().checkpoint.size, before);
    signer.stop().await;

    // Neither a restart nor a witness that is away changes that.
    witness.kill_hard().unwrap();
    let signer = bench.signer(options(&bench));
    assert_eq!(refusal(&bench, &signer).await, problem);
    nothing_is_sealed_meanwhile(&bench).await;
    signer.stop().await;

    // Restored as the text asks for, all goes on by itself.
    let _witness = Witness::start_at(port, &data, NAME, &log_keys(&bench)).unwrap();
    copy_both(&bench, "lost/", "");
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    assert!(cosigned(&bench, &watching).await > seen);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_was_away_while_a_restored_machine_went_on_halts_the_fork_when_it_is_back() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    let (data, port) = (bench.path("witness"), ports::claim().unwrap());
    std::fs::create_dir(&data).unwrap();
    let key = Witness::key(&data, NAME).unwrap();
    let watching = WitnessKey::parse(&key).unwrap();
    let witness = Witness::start_at(port, &data, NAME, &log_keys(&bench)).unwrap();
    configure(&bench, &witness, &key);
    copy_both(&bench, "", "old/");
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    let signer = bench.signer(options(&bench));
    let seen = cosigned(&bench, &watching).await;
    signer.stop().await;

    witness.kill_hard().unwrap();
    copy_both(&bench, "old/", "");
    let signer = bench.signer(options(&bench));
    while newest(&bench).unwrap().checkpoint.size <= seen {
        seal_one(&bench).await;
    }
    let keys = log_keys(&bench);
    let _witness = Witness::start_at(port, &data, NAME, &keys).unwrap();
    let problem = refusal(&bench, &signer).await;
    let said = format!("the witness auditor has cosigned another tree of this log, over {seen} entries");
    assert!(problem.starts_with(&said), "{problem}");
    nothing_is_sealed_meanwhile(&bench).await;
    signer.stop().await;
}
