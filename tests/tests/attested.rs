//! A log that others watch: witnesses cosign it, whoever likes reads it over HTTP, and it goes on when
//! the witnesses are away.

mod calls;

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, ensure};
use callseal::load::SipTransport;
use evidence::log::{LogKey, LogProof, SignedCheckpoint, WitnessKey};
use harness::{installation::http_get, programs, recordings, resources, up::Up, wait, witness::Witness};
use nix::sys::signal::Signal;

const PATIENCE: Duration = Duration::from_secs(120);

/// Puts witnesses into the tenant's configuration.
fn configure(dir: &Path, witness: Option<(&str, &str)>) -> anyhow::Result<()> {
    let mut text = resources::record_everything(dir);
    if let Some((url, key)) = witness {
        let plain = "whenUndecided: record}";
        let witnessed = format!(
            "whenUndecided: record, evidence: {{witnesses: {{members: [{{name: auditor, url: \"{url}\", key: \"{key}\"}}]}}}}}}"
        );
        ensure!(text.contains(plain));
        text = text.replacen(plain, &witnessed, 1);
    }
    fs::write(dir.join("config/resources.new"), text)?;
    Ok(fs::rename(dir.join("config/resources.new"), dir.join("config/resources.yaml"))?)
}

/// Exit code and what it said.
fn callseal(data: &Path, words: &[&str]) -> anyhow::Result<(i32, String)> {
    let ran =
        Command::new(programs::own("callseal")?).arg("log").args(words).arg("--data").arg(data).output()?;
    let said = [ran.stdout, ran.stderr].concat();
    Ok((ran.status.code().unwrap_or(-1), String::from_utf8(said)?))
}

async fn newest(http: u16) -> anyhow::Result<SignedCheckpoint> {
    let (status, body) = http_get(http, "/log/acme/checkpoint").await?;
    ensure!(status == 200, "{status}");
    Ok(SignedCheckpoint::parse(body.as_bytes())?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_cosigns_what_is_served_and_delivered_and_holds_up_nothing_when_it_is_away()
-> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (archive, data) = (dir.path().join("archive"), dir.path().join("data"));
    fs::create_dir(dir.path().join("config"))?;
    configure(dir.path(), None)?;
    let mut up = Up::start(dir.path(), "up", &[])?;
    let ready = up.ready().await?;
    let http = ready.http.trim_start_matches("http://").parse::<std::net::SocketAddr>()?.port();
    let client = calls::client_of(ready.sip, SipTransport::Tcp).await?;
    calls::quiet(&client, Duration::from_secs(1)).await?;
    recordings::wait_for(&archive, 1, PATIENCE).await.map_err(|e| e.context(up.output()))?;

    // The log's key, as its operator hands it to a witness.
    let first = newest(http).await?;
    let origin = first.checkpoint.origin.clone();
    let statements = fs::read_dir(data.join("staging/log/acme/keys"))?;
    let texts: Vec<String> =
        statements.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok()).collect();
    let vkey = texts
        .iter()
        .flat_map(|text| text.lines())
        .find_map(|line| line.strip_prefix("LogKey: "))
        .context("a log key statement")?;
    let key = LogKey::parse(vkey)?;
    ensure!(key.name == origin && first.is_signed_by(&key));

    let memory = dir.path().join("witness");
    fs::create_dir(&memory)?;
    let witness_key = Witness::key(&memory, "auditor.example")?;
    let keys = [WitnessKey::parse(&witness_key)?];
    let witness = Witness::start(&memory, "auditor.example", &[vkey.to_owned()])?;
    configure(dir.path(), Some((&witness.url, &witness_key)))?;

    // Something has to happen for a checkpoint to be made: notes do.
    let recording = recordings::find(&archive)?.remove(0).info()?["Recording"].clone();
    let note = ["note", "--tenant", "acme", "--recording", &recording, "--played", "--by", "auditor"];
    wait::until("the witness to cosign", PATIENCE, || async {
        callseal(&data, &note).ok().filter(|(code, _)| *code == 0)?;
        let seen = newest(http).await.ok()?.cosigned_by(&keys);
        seen.first().is_some_and(|(name, _)| name == "auditor.example").then_some(())
    })
    .await
    .map_err(|e| e.context(up.output()))?;
    let (code, said) = callseal(&data, &["state"])?;
    ensure!(
        code == 0 && said.contains(", cosigned by auditor.example\n") && said.contains(&origin),
        "{said}"
    );

    // What is delivered brings the cosignature along.
    let mut delivered = 1;
    let mut cosigned = Vec::new();
    // Nobody waits for a witness for more than some seconds, and on a busy machine it may take them.
    while cosigned.iter().sum::<usize>() == 0 {
        ensure!(delivered < 6, "{cosigned:?}");
        calls::quiet(&client, Duration::from_secs(1)).await?;
        delivered += 1;
        let found = recordings::wait_for(&archive, delivered, PATIENCE).await;
        let found = found.map_err(|e| e.context(up.output()))?;
        let seen = found.iter().filter_map(|recording| {
            let proof = LogProof::parse(&fs::read(recording.file("_log-proof.txt")).ok()?).ok()?;
            let (_, checkpoint) = proof.verify(&key).ok()?;
            Some(checkpoint.cosigned_by(&keys).len())
        });
        cosigned = seen.collect();
        cosigned.sort_unstable();
        ensure!(cosigned.len() == delivered, "{cosigned:?}");
    }
    ensure!(cosigned[0] == 0 && cosigned.last() == Some(&1), "{cosigned:?}");

    // Away: recordings go on, and somebody is told.
    witness.kill_hard()?;
    calls::quiet(&client, Duration::from_secs(1)).await?;
    recordings::wait_for(&archive, delivered + 1, PATIENCE).await.map_err(|e| e.context(up.output()))?;
    wait::until("the remark at /readyz", PATIENCE, || async {
        let (status, said) = http_get(http, "/readyz").await.ok()?;
        (status == 200 && said.contains("0 of 1 witnesses cosigned (auditor: ")).then_some(())
    })
    .await?;
    let (_, metrics) = http_get(http, "/metrics").await?;
    ensure!(metrics.contains("\ncallseal_signer_log_unwitnessed 1\n"));

    // Back: it is asked again, and what it missed is proven to it.
    let witness = Witness::start(&memory, "auditor.example", &[vkey.to_owned()])?;
    configure(dir.path(), Some((&witness.url, &witness_key)))?;
    wait::until("the witness to cosign again", PATIENCE, || async {
        callseal(&data, &note).ok().filter(|(code, _)| *code == 0)?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (_, said) = http_get(http, "/readyz").await.ok()?;
        (!said.contains("witnesses") && newest(http).await.ok()?.cosigned_by(&keys).len() == 1).then_some(())
    })
    .await
    .map_err(|e| e.context(witness.output()))?;

    // Deleted lawfully, by somebody who answers for it.
    let words = ["note", "--tenant", "acme", "--recording", &recording, "--deleted", "--by", "anna"];
    let (code, said) = callseal(&data, &words)?;
    ensure!(code == 2 && said.contains("--reason"), "{said}");
    let (code, said) = callseal(&data, &[words.as_slice(), &["--reason", "erasure request"]].concat())?;
    ensure!(code == 0 && said.starts_with("entry ") && said.ends_with(" of the log of acme\n"), "{said}");
    up.signal(Signal::SIGTERM)?;
    ensure!(up.ended(PATIENCE).await?.success(), "{}", up.output());
    Ok(())
}
