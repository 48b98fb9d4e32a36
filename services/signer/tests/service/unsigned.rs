//! What the signer does not sign, and what it still knows when it has forgotten.

use std::{path::PathBuf, time::Duration};

use evidence::log::{KeyChange, LogKeyStatement, What};

use crate::{
    rollback::{options, refusal, seal_one},
    support::{
        bench::Bench,
        call::Call,
        log::{entries, newest},
    },
};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_old_rows_are_forgotten_names_its_key_once() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    let covered = newest(&bench).unwrap().checkpoint.size;
    let state = bench.state().await;
    // What happens after 35 days, to entries of full bundles.
    sqlx::query("DELETE FROM log_entry WHERE number < $1")
        .bind(i64::try_from(covered).unwrap())
        .execute(state.database().pool())
        .await
        .unwrap();
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    let changes: Vec<KeyChange> = entries(&bench)
        .iter()
        .filter_map(|entry| if let What::Key(key) = &entry.what { Some(key.change) } else { None })
        .collect();
    assert_eq!(changes, [KeyChange::First]);
}

/// The log key statement of `acme`.
fn statement(bench: &Bench) -> PathBuf {
    let files = std::fs::read_dir(bench.path("staging/log/acme/keys")).unwrap();
    let mut texts = files.map(|file| file.unwrap().path()).filter(|path| {
        let text = std::fs::read_to_string(path).unwrap();
        LogKeyStatement::parse(&text).is_ok()
    });
    texts.next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_somebody_else_wrote_is_not_signed_and_people_are_told() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    let path = statement(&bench);
    let signature = PathBuf::from(format!("{}.SHA256withRSA.sig", path.display()));
    let text = std::fs::read_to_string(&path).unwrap();
    let before = newest(&bench);
    // The attacker's log under our name: only the signature of the RSA key is missing.
    std::fs::write(&path, text.replace("/acme/", "/other/")).unwrap();
    std::fs::remove_file(&signature).unwrap();

    let signer = bench.signer(options(&bench));
    bench.publish(Call::new(1).messages()).await;
    let problem = refusal(&bench, &signer).await;
    assert!(problem.contains("the log key statement in staging is none of this log and key"), "{problem}");
    assert!(!signature.exists());
    assert_eq!(newest(&bench), before);
    harness::wait::until("the metrics", PATIENCE, || async {
        let gauge = |name: &str| {
            let families = signer.service.registry().gather();
            let family = families.into_iter().find(|family| family.name() == name)?;
            Some(family.get_metric().first()?.get_gauge().get_value())
        };
        let waiting = gauge("callseal_signer_log_unannounced")?;
        (waiting == 1.0 && gauge("callseal_signer_log_checkpoint_age_seconds")? >= 1.0).then_some(())
    })
    .await
    .unwrap();

    // Moved away, as the text asks for: it goes on without a restart.
    std::fs::remove_file(&path).unwrap();
    bench.announced(1).await;
    let health = signer.service.health().clone();
    harness::wait::until("the condition to hold again", PATIENCE, || async {
        let reasons = health.ready().err().unwrap_or_default();
        (!reasons.iter().any(|reason| reason.contains("log key statement"))).then_some(())
    })
    .await
    .unwrap();
    assert!(signature.exists());
    signer.stop().await;
}
