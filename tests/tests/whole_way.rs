//! A call through five processes, NATS, a real SFTP server and a real PostgreSQL.

mod calls;

use std::time::Duration;

use callseal::load::SipTransport;
use harness::{
    installation::{SERVICES, http_get},
    postgres::Postgres,
    recordings, resources,
    sshd::Sshd,
    wait,
    world::World,
};
use sqlx::{Connection, PgConnection};

const PATIENCE: Duration = Duration::from_secs(120);

type Row = (String, String, i64, String, String, String, String, String, String);

const COLUMNS: &str = "SELECT basefilename, direction, time, callid, callername, caller, callee, setting, signature \
    FROM recordings";

#[tokio::test(flavor = "multi_thread")]
async fn a_call_reaches_an_sftp_server_and_postgresql_through_five_processes() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let sshd = Sshd::start(&dir.path().join("sshd")).await?;
    let postgres = Postgres::start().await?;
    let (archive, vault) = (dir.path().join("archive"), sshd.home().join("recordings"));
    let text = resources::with_targets(
        &archive,
        &dir.path().join("journal.sqlite"),
        "archive, vault",
        "main, register",
        &resources::sftp_and_postgres(&sshd, &sshd.host_key("ed25519")?, &postgres)?,
    );
    let world = World::start(dir.path(), &text).await?;
    let client = calls::client(&world, SipTransport::Tcp).await?;
    let report = calls::quiet(&client, Duration::from_secs(6)).await?;

    let shipped = recordings::wait_for(&vault, 1, PATIENCE).await.map_err(|e| e.context(world.logs()))?;
    let certificate = world.installation.path("data/callseal.pem");
    calls::is_complete(&shipped[0], &report)?;
    shipped[0].check_with_plain_tools(&certificate)?;
    calls::verified(&vault, &certificate)?;

    let mut database = PgConnection::connect(&postgres.url()).await?;
    let row: Row = wait::until("the row in PostgreSQL", PATIENCE, async || {
        sqlx::query_as(COLUMNS).fetch_one(&mut database).await.ok()
    })
    .await?;
    let (base, direction, _time, call_id, caller_name, caller, callee, setting, signature) = row;
    assert_eq!(base, shipped[0].base);
    assert_eq!((direction.as_str(), setting.as_str()), ("in", "everything"));
    assert_eq!((caller.as_str(), caller_name.as_str()), calls::CALLER);
    assert_eq!(callee, calls::CALLEE.0);
    assert_eq!(call_id, shipped[0].info()?["CallId"]);
    let in_file = std::fs::read_to_string(shipped[0].file("_hash.SHA256withRSA.sig"))?;
    let one_line = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(one_line(&signature), one_line(&in_file));

    // Both targets have it: staging is emptied.
    recordings::wait_for(&archive, 1, PATIENCE).await?;
    let sealed = world.installation.path("data/staging/sealed");
    wait::until("staging to be emptied", PATIENCE, async || {
        recordings::find(&sealed).ok()?.is_empty().then_some(())
    })
    .await?;

    every_service_tells_metrics_and_health(&world).await?;
    no_log_holds_personal_data(&world, &shipped[0]);
    Ok(())
}

async fn every_service_tells_metrics_and_health(world: &World) -> anyhow::Result<()> {
    for service in SERVICES {
        let port = world.installation.http_port(service)?;
        for page in ["/livez", "/readyz"] {
            assert_eq!(http_get(port, page).await?.0, 200, "{service}{page}");
        }
        let (status, metrics) = http_get(port, "/metrics").await?;
        assert!(status == 200 && metrics.contains(&format!("callseal_{service}_")), "{service}: {metrics}");
    }
    Ok(())
}

/// Numbers, names and keys stand in no log at the default level; file names hold numbers, so they
/// don't either.
fn no_log_holds_personal_data(world: &World, recording: &recordings::Recording) {
    let logs = world.logs();
    assert!(logs.contains("--- ingest.log") && logs.contains("--- signer.log"), "{logs}");
    let digits = |number: &str| number.trim_start_matches('+').to_owned();
    let secrets = [
        digits(calls::CALLER.0),
        digits(calls::CALLEE.0),
        "Zacharias".to_owned(),
        "Fabelhaft".to_owned(),
        recording.base.clone(),
        Postgres::PASSWORD.to_owned(),
        "PRIVATE KEY".to_owned(),
        "m=audio".to_owned(),
    ];
    for secret in secrets {
        let line = logs.lines().find(|line| line.contains(&secret));
        assert!(line.is_none(), "a log line holds what it must not: {}", line.unwrap_or_default());
    }
}
