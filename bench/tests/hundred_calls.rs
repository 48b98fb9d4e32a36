//! A hundred calls at once, twice: not a packet is lost, everything is archived, memory stays flat.

use bench::capacity::{Capacity, Load};

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_at_once_lose_not_one_packet_and_leave_memory_flat() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let capacity = Capacity::start(dir.path()).await?;
    let first = capacity.round(Load { calls: 100, seconds: 30 }).await?;
    first.nothing_lost().map_err(|error| error.context(first.to_string()))?;
    let second = capacity.round(Load { calls: 100, seconds: 30 }).await?;
    second.nothing_lost().map_err(|error| error.context(second.to_string()))?;
    for (process, used) in &second.used {
        // The same load again needs no more than it did; a few MiB come and go with pages and threads. The
        // collector of NATS lets its heap double before it looks what of it is in use.
        let before = first.used[process].memory_peak;
        let most = if process == "nats" { before * 2 } else { before * 5 / 4 } + (8 << 20);
        assert!(used.memory_peak < most, "{process} grows:\n{first}\n{second}");
    }
    Ok(())
}
