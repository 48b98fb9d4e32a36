//! What a person sees and does while a target is away; shipper and journal keep their state in a
//! real PostgreSQL.

mod calls;

use std::{
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context, ensure};
use callseal::load::SipTransport;
use harness::{postgres::Postgres, programs, recordings, resources, sshd::Sshd, wait, world::World};
use sqlx::{Connection, PgConnection};

/// Longer than a minute: what was handed to a process that is killed comes again after one.
const SOON: Duration = Duration::from_secs(120);

fn vault(sshd: &Sshd) -> anyhow::Result<String> {
    let key = sshd.client_key()?.lines().map(|line| format!("    {line}\n")).collect::<String>();
    Ok(format!(
        r#"---
apiVersion: callseal.io/v1alpha1
kind: Secret
metadata: {{name: access, namespace: acme}}
stringData:
  key: |
{key}
---
apiVersion: callseal.io/v1alpha1
kind: StorageTarget
metadata: {{name: vault, namespace: acme}}
spec:
  sftp:
    host: 127.0.0.1
    port: {port}
    user: {user}
    path: recordings
    hostKeys: ["{host_key}"]
    privateKey: {{secretRef: {{name: access, key: key}}}}
"#,
        port = sshd.port(),
        user = sshd.user()?,
        host_key = sshd.host_key("ed25519")?,
    ))
}

fn ask(world: &World, words: &[&str]) -> anyhow::Result<(i32, String)> {
    let nats = format!("nats://127.0.0.1:{}", world.installation.ports.nats);
    let Output { status, stdout, stderr } =
        Command::new(programs::own("callseal")?).args(words).arg("--nats").arg(nats).output()?;
    let said = String::from_utf8([stdout, stderr].concat())?;
    Ok((status.code().context("killed")?, said))
}

async fn until_said(world: &World, what: &str) -> anyhow::Result<String> {
    wait::until(&format!("callseal targets to say {what:?}"), SOON, async || {
        ask(world, &["targets"]).ok().filter(|(_, said)| said.contains(what)).map(|(_, said)| said)
    })
    .await
    .map_err(|error| error.context(format!("{:?}\n{}", ask(world, &["targets"]), world.logs())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_what_waits_has_it_tried_again_and_releases_orphans_with_state_in_postgresql()
-> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut sshd = Sshd::start(&dir.path().join("sshd")).await?;
    let postgres = Postgres::start().await?;
    let (archive, brought) = (dir.path().join("archive"), sshd.home().join("recordings"));
    let journal = dir.path().join("journal.sqlite");
    let with = |further: &str| resources::with_targets(&archive, &journal, "archive, vault", "main", further);
    let state = |service: &str| format!("--state={}?schema={service}", postgres.url());
    let (shipper_state, journal_state) = (state("shipper"), state("journal"));
    let extra = [
        ("shipper", shipper_state.as_str()),
        // Nobody waits an hour for the probe: the person's word has to do it.
        ("shipper", "--retry-after=3600"),
        ("shipper", "--orphan-after=1"),
        ("journal", journal_state.as_str()),
    ];
    let mut world = World::start_with(dir.path(), &with(&vault(&sshd)?), &extra).await?;
    sshd.stop()?;
    let client = calls::client(&world, SipTransport::Tcp).await?;
    let first = calls::quiet(&client, Duration::from_secs(2)).await?;

    until_said(&world, "cannot be reached").await?;
    // One that is away holds up neither the other target nor the journal.
    for (place, stands) in [
        ("target acme/vault", "1 recording waiting"),
        ("target acme/archive", "nothing waits"),
        ("journal acme/main", "nothing waits"),
    ] {
        until_said(&world, &format!("{place}\n  {stands}")).await?;
    }

    // What is known survives the processes.
    for service in ["shipper", "journal"] {
        world.kill(service)?;
        world.start_service(service)?;
        world.wait_until_ready(service).await?;
    }
    sshd.start_again().await?;
    until_said(&world, "1 recording waiting").await?;
    ensure!(ask(&world, &["retry", "nowhere"])?.0 == 2, "a target that is not there");
    let (code, said) = ask(&world, &["retry", "vault"])?;
    ensure!(code == 0 && said == "target acme/vault: 1 recording tried now\n", "{code}: {said}");
    let shipped = recordings::wait_for(&brought, 1, SOON).await?;
    calls::is_complete(&shipped[0], &first)?;

    // The target is deleted while a recording waits for it.
    sshd.stop()?;
    calls::quiet(&client, Duration::from_secs(2)).await?;
    until_said(&world, "cannot be reached").await?;
    // In the rule as well: as long as a rule names it, that it is missing may be a slip.
    let without = resources::with_targets(&archive, &journal, "archive", "main", "");
    world.installation.configure(&without)?;
    until_said(&world, "target acme/vault (not in the configuration)\n  1 recording orphaned").await?;
    let (code, said) = ask(&world, &["release", "vault"])?;
    ensure!(code == 1 && said.contains("not in the configuration"), "{code}: {said}");
    sshd.start_again().await?;
    world.installation.configure(&with(&vault(&sshd)?))?;
    until_said(&world, "callseal release vault").await?;
    let (code, said) = ask(&world, &["release", "vault"])?;
    ensure!(code == 0 && said == "target acme/vault: 1 recording released\n", "{code}: {said}");
    recordings::wait_for(&brought, 2, SOON).await?;
    until_said(&world, "target acme/vault\n  nothing waits").await?;

    let mut database = PgConnection::connect(&postgres.url()).await?;
    for (schema, orders) in [("shipper", 4), ("journal", 2)] {
        let count = format!("SELECT count(*) FROM {schema}.delivery_orders WHERE state = 'done'");
        wait::until(&format!("{orders} orders of {schema} to be done"), SOON, async || {
            let count = sqlx::query_as(sqlx::AssertSqlSafe(count.as_str())).fetch_one(&mut database).await;
            count.ok().filter(|(done,): &(i64,)| *done == orders)
        })
        .await?;
    }
    world.kill("journal")?;
    let (code, said) = ask(&world, &["targets"])?;
    ensure!(
        code == 1 && said.contains("target acme/vault") && said.contains("journal does not say"),
        "{said}"
    );
    Ok(())
}
