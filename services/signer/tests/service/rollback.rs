//! A state database that is not the one a log was published from: recognised and refused.

use std::{path::Path, time::Duration};

use callseal_signer::{Options, state::State};
use wire::evidence_v1::{LogStateRequest, LogStateResponse};

use crate::support::{
    bench::{Bench, Signer},
    call::Call,
    log::{entries, newest},
};

const PATIENCE: Duration = Duration::from_secs(60);

pub fn options(bench: &Bench) -> Options {
    Options { checkpoint_every_s: 0.2, ..bench.options() }
}

/// Seals one recording and waits until it is announced.
pub async fn seal_one(bench: &Bench) {
    bench.publish(Call::new(1).messages()).await;
    bench.announced(1).await;
}

/// What an administrator copies while the signer does not run.
pub fn copy_database(from: &Path, to: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let (from, to) = (format!("{}{ending}", from.display()), format!("{}{ending}", to.display()));
        let _ = std::fs::remove_file(&to);
        if Path::new(&from).exists() {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

/// Why the log is halted, as `callseal log state` shows it; and that the readiness says so.
pub async fn refusal(bench: &Bench, signer: &Signer) -> String {
    let health = signer.service.health().clone();
    let problem = harness::wait::until("the log to be halted", PATIENCE, || async {
        let request = LogStateRequest::default();
        let state: LogStateResponse =
            bench.bus.request(bus::subjects::SIGNER_LOG_STATE, &request, PATIENCE).await.ok()?;
        state.logs.into_iter().map(|log| log.halted).find(|halted| !halted.is_empty())
    })
    .await
    .unwrap();
    harness::wait::until("the condition to fail", PATIENCE, || async {
        health.ready().err()?.iter().any(|reason| reason.contains(&problem)).then_some(())
    })
    .await
    .unwrap();
    problem
}

/// A call that ends while the log is halted is assembled and waits; nothing is signed or published.
pub async fn nothing_is_sealed(bench: &Bench, state: &State) {
    let before = newest(bench);
    let waiting = state.waiting_count().await.unwrap();
    bench.publish(Call::new(1).messages()).await;
    harness::wait::until("the recording to be assembled", PATIENCE, || async {
        (state.waiting_count().await.unwrap() > waiting).then_some(())
    })
    .await
    .unwrap();
    assert!(bench.nothing_announced_for(Duration::from_millis(1_500)).await);
    assert_eq!(newest(bench), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_state_database_is_refused_by_name_and_the_newest_goes_on() {
    let bench = Bench::start().await;
    let (database, backup, lost) =
        (bench.path("signer.sqlite"), bench.path("backup.sqlite"), bench.path("newest.sqlite"));
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    copy_database(&database, &backup);
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    let published = newest(&bench).unwrap().checkpoint.size;
    copy_database(&database, &lost);

    copy_database(&backup, &database);
    let signer = bench.signer(options(&bench));
    let problem = refusal(&bench, &signer).await;
    assert!(problem.starts_with("an older copy of the state database was restored"), "{problem}");
    assert!(problem.contains(&format!("over {published} is published")), "{problem}");
    assert!(problem.contains("Restore the newest copy of the database and restart"), "{problem}");
    let state = bench.state().await;
    nothing_is_sealed(&bench, &state).await;
    // Nobody may hold the file that is about to be replaced.
    state.database().close().await;
    signer.stop().await;

    // The right one is found again: everything goes on, in one log.
    copy_database(&lost, &database);
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    assert!(newest(&bench).unwrap().checkpoint.size > published);
    let log = entries(&bench);
    assert!(log.iter().filter(|entry| entry.what.kind() == "sealed").count() >= 3, "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_went_on_from_an_older_copy_with_other_entries_is_refused_as_a_fork() {
    let bench = Bench::start().await;
    let (database, backup) = (bench.path("signer.sqlite"), bench.path("backup.sqlite"));
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    copy_database(&database, &backup);
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;

    // With an older copy of staging it went on somewhere else for a while.
    let (staging, aside) = (bench.path("staging"), bench.path("aside"));
    let published = newest(&bench).unwrap();
    std::fs::rename(&staging, &aside).unwrap();
    copy_database(&backup, &database);
    let elsewhere = bench.signer(options(&bench));
    seal_one(&bench).await;
    seal_one(&bench).await;
    elsewhere.stop().await;
    std::fs::remove_dir_all(&staging).unwrap();
    std::fs::rename(&aside, &staging).unwrap();

    let signer = bench.signer(options(&bench));
    let problem = refusal(&bench, &signer).await;
    assert!(problem.starts_with("the state database holds other entries than were published"), "{problem}");
    assert!(problem.contains("Restore the one that was published from"), "{problem}");
    nothing_is_sealed(&bench, &bench.state().await).await;
    assert_eq!(newest(&bench), Some(published));
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_database_beside_a_published_log_is_refused_and_begins_a_new_log_when_that_is_moved_away() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    let first = newest(&bench).unwrap().checkpoint.origin;

    let empty =
        Options { state: format!("sqlite:{}", bench.path("new.sqlite").display()), ..options(&bench) };
    let signer = bench.signer(empty.clone());
    let problem = refusal(&bench, &signer).await;
    assert!(problem.contains("it knows 0 entries of this log"), "{problem}");
    nothing_is_sealed(&bench, &State::open(&empty.state).await.unwrap()).await;
    signer.stop().await;

    // As the text says: that folder alone. What waited is sealed, in a log that says whose place it takes.
    std::fs::rename(bench.path("staging/log/acme"), bench.path("old-log")).unwrap();
    let signer = bench.signer(empty);
    bench.announced(1).await;
    signer.stop().await;
    let second = newest(&bench).unwrap().checkpoint.origin;
    assert_ne!(first, second, "a new log has a name of its own");
    assert!(entries(&bench).iter().any(|entry| entry.what.kind() == "sealed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_put_back_while_the_signer_runs_is_noticed_at_the_next_checkpoint() {
    use harness::postgres::Postgres;
    let bench = Bench::start().await;
    let postgres = Postgres::start().await.unwrap();
    let url = format!("{}?schema=signer", postgres.url());
    let signer = bench.signer(Options { state: url.clone(), ..options(&bench) });
    seal_one(&bench).await;
    let state = State::open(&url).await.unwrap();
    // A backup by SQL, of all that a log is; restored after more was published.
    let run = async |script: &str| {
        for statement in script.split(';').filter(|statement| !statement.trim().is_empty()) {
            sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
                .execute(state.database().pool())
                .await
                .unwrap();
        }
    };
    run("CREATE TABLE b_log AS SELECT * FROM log; CREATE TABLE b_entry AS SELECT * FROM log_entry; \
         CREATE TABLE b_checkpoint AS SELECT * FROM log_checkpoint")
    .await;
    seal_one(&bench).await;
    let mut tx = state.database().begin_write().await.unwrap();
    for statement in [
        "DELETE FROM log_entry",
        "INSERT INTO log_entry SELECT * FROM b_entry",
        "DELETE FROM log_checkpoint",
        "INSERT INTO log_checkpoint SELECT * FROM b_checkpoint",
        "DELETE FROM log",
        "INSERT INTO log SELECT * FROM b_log",
    ] {
        sqlx::query(statement).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    let published = newest(&bench);
    // Something has to happen for it to be looked at.
    bench.publish(Call::new(1).messages()).await;
    let problem = refusal(&bench, &signer).await;
    assert!(problem.contains("an older copy") || problem.contains("other entries"), "{problem}");
    assert_eq!(newest(&bench), published);
    signer.stop().await;
}
