//! A hundred calls at once: not a packet is lost, everything is archived.

use bench::capacity::{self, Load};

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_at_once_lose_not_one_packet() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let outcome = capacity::run(dir.path(), Load { calls: 100, seconds: 30 }).await?;
    outcome.nothing_lost().map_err(|error| error.context(outcome.to_string()))
}
