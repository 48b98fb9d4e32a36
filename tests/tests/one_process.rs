//! `callseal up`: all of it in one process, killed, started again, asked to stop.

mod calls;

use std::{fs, path::Path, process::Command, time::Duration};

use callseal::load::{Call, CallFailure, Client, SipTransport};
use domain::Side;
use harness::{
    installation::http_get,
    programs, recordings, resources,
    small_disk::SmallDisk,
    up::{Ready, Up},
    wait,
};
use nix::sys::signal::Signal;

const PATIENCE: Duration = Duration::from_secs(120);

fn configured() -> anyhow::Result<tempfile::TempDir> {
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("config"))?;
    fs::write(dir.path().join("config/resources.yaml"), resources::record_everything(dir.path()))?;
    Ok(dir)
}

async fn started(dir: &Path, name: &str, further: &[&str]) -> anyhow::Result<(Up, Ready, Client)> {
    let mut up = Up::start(dir, name, further)?;
    let ready = up.ready().await?;
    let client = calls::client_of(ready.sip, SipTransport::Tcp).await?;
    Ok((up, ready, client))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_up_goes_on_where_it_was_and_its_orphaned_nats_is_replaced() -> anyhow::Result<()> {
    let dir = configured()?;
    let (archive, certificate) = (dir.path().join("archive"), dir.path().join("data/callseal.pem"));
    let (mut up, ready, client) = started(dir.path(), "first", &[]).await?;
    let http: std::net::SocketAddr = ready.http.trim_start_matches("http://").parse()?;
    assert_eq!(ready.metrics, format!("{}/metrics", ready.http));
    assert!(http_get(http.port(), "/metrics").await?.1.contains("callseal_ingest_"));
    assert_eq!(http_get(http.port(), "/readyz").await?.0, 200);
    assert!(ready.nats.starts_with("nats://127.0.0.1:"), "{ready:?}");
    let whole = calls::quiet(&client, Duration::from_secs(2)).await?;

    // A second one has no business in this folder, and does not harm the first.
    let mut second = Up::start(dir.path(), "second", &[])?;
    let refused = second.ended(PATIENCE).await?;
    assert!(!refused.success() && second.output().contains("another callseal works with the data folder"));
    drop(second);

    let mut call = Call::invite(&client, calls::distinct(1)).await?;
    call.play(Duration::from_secs(5)).await;
    let orphan = up.nats().expect("NATS runs");
    up.kill_hard()?;
    let cut = call.abandon();
    // A machine that holds up the sender holds up what follows it as well.
    let late = (client.worst_pacing_delay() * 2).min(Duration::from_secs(2));
    assert_eq!(up.nats(), Some(orphan), "what kills us does not kill NATS");
    let (up, _, client) = started(dir.path(), "again", &[]).await?;
    assert!(up.nats().is_some_and(|nats| nats != orphan), "two servers on one store would damage it");

    let found = recordings::wait_for(&archive, 2, PATIENCE).await.map_err(|e| e.context(up.output()))?;
    calls::each_is_complete(&found, &[whole])?;
    let interrupted = calls::recording_of(&found, &cut)?;
    assert_eq!(interrupted.info()?["Interrupted"], "the recorder was restarted during the call");
    for side in [Side::Caller, Side::Callee] {
        let kept = calls::beginning_of(interrupted, &cut, side)?;
        assert!(kept + late >= Duration::from_secs(4), "of 5 s only {kept:?} were kept, {late:?} late");
    }
    why_tells_it(dir.path(), &interrupted.info()?["CallId"]).await?;
    let next = calls::quiet(&client, Duration::from_secs(1)).await?;
    let found = recordings::wait_for(&archive, 3, PATIENCE).await.map_err(|e| e.context(up.output()))?;
    calls::each_is_complete(&found, &[next])?;
    calls::on_one_chain(&archive, &certificate, 3)?;
    calls::journal::holds_each_once(&found, PATIENCE, || calls::journal::rows(dir.path())).await
}

/// Streams take a share of what is free: little room is no reason to record nothing.
#[tokio::test(flavor = "multi_thread")]
async fn up_records_on_a_disk_with_little_room() -> anyhow::Result<()> {
    let dir = configured()?;
    let _disk = SmallDisk::mount(&dir.path().join("data"), 400 << 20)?;
    let (mut up, _, client) = started(dir.path(), "small", &[]).await?;
    let played = calls::quiet(&client, Duration::from_secs(1)).await?;
    let found = recordings::wait_for(&dir.path().join("archive"), 1, PATIENCE)
        .await
        .map_err(|e| e.context(up.output()))?;
    calls::each_is_complete(&found, &[played])?;
    up.signal(Signal::SIGTERM)?;
    anyhow::ensure!(up.ended(PATIENCE).await?.success(), "{}", up.output());
    Ok(())
}

/// F-59: the whole way of a call, told on the command line to whoever asks for it by its id.
async fn why_tells_it(dir: &Path, call_id: &str) -> anyhow::Result<()> {
    let why = || {
        let mut why = Command::new(programs::own("callseal").ok()?);
        let output = why.arg("why").arg("--data").arg(dir.join("data")).arg(call_id).output().ok()?;
        let said = String::from_utf8(output.stdout).ok()?;
        // The last step may still be on its way.
        (output.status.success() && said.contains("journalled:") && said.contains("shipped:")).then_some(said)
    };
    let said = wait::until("why to tell the whole way", PATIENCE, || async { why() }).await?;
    for word in ["RECORDED by rule everything; sealed as number", "the leg began", "decided:", "assembled:"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_lets_a_call_end_refuses_new_ones_and_ends_what_takes_too_long() -> anyhow::Result<()> {
    let dir = configured()?;
    let archive = dir.path().join("archive");
    let (mut up, _, client) = started(dir.path(), "first", &[]).await?;
    let mut call = Call::invite(&client, calls::distinct(1)).await?;
    call.play(Duration::from_secs(2)).await;
    up.signal(Signal::SIGINT)?;
    let refused = async {
        wait::until("new calls to be refused", PATIENCE, || async {
            match Call::invite(&client, calls::two_parties()).await {
                Err(CallFailure::Rejected { status, .. }) => Some(status),
                // It came before the signal did: a call like any other, of which a recording may remain.
                Ok(early) => early.bye().await.ok().and(None),
                Err(_) => None,
            }
        })
        .await
    };
    let (refused, ()) = tokio::join!(refused, call.play(Duration::from_secs(2)));
    assert_eq!(refused?, 503);
    let ended_in_time = call.bye().await?;
    assert!(up.ended(PATIENCE).await?.success(), "{}", up.output());
    assert_eq!(up.nats(), None, "NATS stops with its parent");

    // Six seconds of drain leave a call one second.
    let (mut up, _, client) = started(dir.path(), "again", &["--drain=6"]).await?;
    let mut call = Call::invite(&client, calls::distinct(2)).await?;
    call.play(Duration::from_secs(2)).await;
    up.signal(Signal::SIGINT)?;
    call.play(PATIENCE).await;
    assert!(call.was_ended_by_recorder());
    let ended_by_us = call.abandon();
    assert!(up.ended(PATIENCE).await?.success(), "{}", up.output());

    let (up, _, _) = started(dir.path(), "last", &[]).await?;
    let both = async || {
        let found = recordings::find(&archive).ok()?;
        let there = |report| calls::recording_of(&found, report).is_ok();
        (there(&ended_in_time) && there(&ended_by_us)).then_some(found)
    };
    let found = wait::until("both calls", PATIENCE, both).await.map_err(|e| e.context(up.output()))?;
    calls::each_is_complete(&found, &[ended_in_time])?;
    let cut = calls::recording_of(&found, &ended_by_us)?;
    assert_eq!(cut.info()?["Interrupted"], "the recorder was shut down");
    assert!(calls::beginning_of(cut, &ended_by_us, Side::Caller)? >= Duration::from_secs(2));
    let certificate = dir.path().join("data/callseal.pem");
    let on_one_chain = async || {
        let all = recordings::find(&archive).ok()?.len();
        calls::on_one_chain(&archive, &certificate, all).ok()
    };
    wait::until("all of them on one chain", PATIENCE, on_one_chain).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_cannot_be_or_is_broken_off_says_so_and_leaves_nothing_running() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut up = Up::start(dir.path(), "nothing", &[])?;
    let ended = up.ended(PATIENCE).await?;
    let said = up.output();
    assert!(!ended.success() && said.contains("/config is not a folder that can be read"), "{said}");
    assert_eq!(up.nats(), None);

    fs::create_dir(dir.path().join("config"))?;
    fs::write(dir.path().join("config/resources.yaml"), resources::record_everything(dir.path()))?;
    let mut up = Up::start(dir.path(), "broken-off", &[])?;
    wait::until("NATS to be started", PATIENCE, || async { up.nats() }).await?;
    up.signal(Signal::SIGINT)?;
    assert!(up.ended(PATIENCE).await?.success(), "{}", up.output());
    assert_eq!(up.nats(), None, "NATS stops with its parent");
    Ok(())
}
