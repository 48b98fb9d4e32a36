//! The key of a running installation is gone: calls are taken and kept, and sealed when it is back.

mod calls;

use std::{fs, time::Duration};

use callseal::load::SipTransport;
use harness::{installation::http_get, recordings, resources, up::Up, wait};
use nix::sys::signal::Signal;

const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `/readyz` says that the key, and nothing else, is missing.
async fn only_the_key_is_missing(http: &str) -> anyhow::Result<()> {
    let http: std::net::SocketAddr = http.trim_start_matches("http://").parse()?;
    wait::until("the key to be missed", PATIENCE, || async move {
        let (status, said) = http_get(http.port(), "/readyz").await.ok()?;
        (status == 503 && said.contains("key: ")).then_some(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn up_takes_calls_without_its_key_and_seals_them_when_it_is_back() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("config"))?;
    fs::write(dir.path().join("config/resources.yaml"), resources::record_everything(dir.path()))?;
    let (archive, data) = (dir.path().join("archive"), dir.path().join("data"));
    let certificate = data.join("callseal.pem");
    let there = |count: usize, up: &Up| {
        let (archive, said) = (archive.clone(), up.output());
        async move { recordings::wait_for(&archive, count, PATIENCE).await.map_err(|e| e.context(said)) }
    };

    let mut up = Up::start(dir.path(), "first", &[])?;
    let client = calls::client_of(up.ready().await?.sip, SipTransport::Tcp).await?;
    let mut reports = vec![calls::quiet(&client, Duration::from_secs(1)).await?];
    there(1, &up).await?;
    up.signal(Signal::SIGTERM)?;
    assert!(up.ended(PATIENCE).await?.success(), "{}", up.output());
    drop(up);
    let known = fs::read(&certificate)?;

    // At the start: the whole key store is gone.
    let (keys, away) = (data.join("keys"), dir.path().join("away"));
    fs::rename(&keys, &away)?;
    let mut up = Up::start(dir.path(), "without", &[])?;
    let ready = up.ready().await?;
    let client = calls::client_of(ready.sip, SipTransport::Tcp).await?;
    reports.push(calls::quiet(&client, Duration::from_secs(2)).await?);
    only_the_key_is_missing(&ready.http).await?;
    waits(&ready.http, 1).await?;
    assert!(!keys.exists(), "nothing is made in its place");
    fs::rename(&away, &keys)?;
    there(2, &up).await?;

    // In mid-run: the token.
    let (tokens, away) = (keys.join("tokens"), dir.path().join("away"));
    fs::rename(&tokens, &away)?;
    reports.push(calls::quiet(&client, Duration::from_secs(2)).await?);
    only_the_key_is_missing(&ready.http).await?;
    waits(&ready.http, 1).await?;
    fs::rename(&away, &tokens)?;
    let found = there(3, &up).await?;
    calls::each_is_complete(&found, &reports).map_err(|e| e.context(up.output()))?;
    calls::on_one_chain(&archive, &certificate, 3)?;
    assert_eq!(fs::read(&certificate)?, known, "one key from the first call to the last");
    up.signal(Signal::SIGTERM)?;
    assert!(up.ended(PATIENCE).await?.success(), "{}", up.output());
    Ok(())
}

/// Waits until that many recordings wait for their signature.
async fn waits(http: &str, count: u32) -> anyhow::Result<()> {
    let http: std::net::SocketAddr = http.trim_start_matches("http://").parse()?;
    wait::until("the recording to wait", PATIENCE, || async move {
        let (_, page) = http_get(http.port(), "/metrics").await.ok()?;
        page.lines().any(|line| line == format!("callseal_signer_seal_queue {count}")).then_some(())
    })
    .await
}
