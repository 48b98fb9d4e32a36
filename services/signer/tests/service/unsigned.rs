//! What the signer does not sign, and what it still knows when it has forgotten.

use std::{path::PathBuf, time::Duration};

use evidence::log::{KeyChange, LogKey, LogKeyStatement, SignedCheckpoint, What, tiles};
use futures::StreamExt;
use keys::LogSigningKey;
use wire::event_v1::event::What as Happened;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_file_whose_rows_are_forgotten_is_named_with_what_brings_it_back() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    let covered = newest(&bench).unwrap().checkpoint.size;
    sqlx::query("DELETE FROM log_entry WHERE number < $1")
        .bind(i64::try_from(covered).unwrap())
        .execute(bench.state().await.database().pool())
        .await
        .unwrap();
    let lost = format!("tile/0/000.p/{covered}");
    let (path, kept) = (bench.path("staging/log/acme").join(&lost), bench.path("kept"));
    std::fs::rename(&path, &kept).unwrap();

    let signer = bench.signer(options(&bench));
    bench.publish(Call::new(1).messages()).await;
    let problem = refusal(&bench, &signer).await;
    assert!(
        problem.contains(&format!("the file {lost} of the published log is missing in staging")),
        "{problem}"
    );
    assert!(problem.contains("(from entry 0 on: old rows are deleted after 35 days)"), "{problem}");
    assert!(problem.contains("Bring it back from an archive"), "{problem}");
    std::fs::rename(&kept, &path).unwrap();
    bench.announced(1).await;
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_no_key_of_the_log_has_signed_is_not_taken_over() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    // As if the process had died before it stored its newest checkpoint, and somebody had put another
    // one of the same tree in its place.
    let ours = newest(&bench).unwrap().checkpoint;
    sqlx::query("DELETE FROM log_checkpoint WHERE size = $1")
        .bind(i64::try_from(ours.size).unwrap())
        .execute(bench.state().await.database().pool())
        .await
        .unwrap();
    let stranger = bench.keys.make("stranger");
    let key = LogKey { name: ours.origin.clone(), public: LogSigningKey::public(&*stranger) };
    let signature = stranger.sign_note_by_hand(ours.body().as_bytes());
    let foreign = SignedCheckpoint::new(ours.clone(), &key, signature).unwrap().to_bytes();
    let log = bench.path("staging/log/acme");
    let files = [log.join("checkpoint"), log.join(tiles::checkpoint_path(ours.size))];
    for file in &files {
        std::fs::write(file, &foreign).unwrap();
    }

    let signer = bench.signer(options(&bench));
    let call = Call::new(1);
    bench.publish(call.messages()).await;
    let problem = refusal(&bench, &signer).await;
    let said =
        format!("a checkpoint over {} entries lies in staging that no key of this log has signed", ours.size);
    assert!(problem.contains(&said), "{problem}");
    assert_eq!(newest(&bench).unwrap().to_bytes(), foreign, "nothing is written over");
    for file in &files {
        std::fs::remove_file(file).unwrap();
    }
    assert_eq!(bench.announced(1).await[0].recording_id, call.recording.to_string());
    signer.stop().await;
    assert!(entries(&bench).len() as u64 > ours.size);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_somebody_else_wrote_is_not_delivered_and_not_written_over() {
    let bench = Bench::start().await;
    let mut events = bench.bus.events_from_now(None).await.unwrap();
    let call = Call::new(1);
    let name = format!("sealed/acme/{0}/{0}_log-proof.txt", call.recording);
    let path = bench.path("staging").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "c2sp.org/tlog-proof@v1\nof somebody else\n").unwrap();
    let signer = bench.signer(options(&bench));
    bench.publish(call.messages()).await;
    let told = async {
        loop {
            if let Some(Happened::Fault(fault)) = events.next().await.unwrap().what
                && fault.r#where == "signer/outbox"
            {
                return fault.problem;
            }
        }
    };
    let problem = tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert!(problem.contains("under the name of the proof that a recording stands in the log"), "{problem}");
    assert!(std::fs::read_to_string(&path).unwrap().ends_with("of somebody else\n"));
    // Others go on meanwhile.
    let other = Call::new(1);
    bench.publish(other.messages()).await;
    assert_eq!(bench.announced(1).await[0].recording_id, other.recording.to_string());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(bench.announced(1).await[0].recording_id, call.recording.to_string());
    signer.stop().await;
}
