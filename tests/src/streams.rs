//! The streams of a NATS that a test has just started.

use std::time::Duration;

use bus::Bus;

use crate::wait;

/// Makes the streams as soon as there is a connection: on a busy machine `Bus::connect` may go on
/// without one.
///
/// # Errors
/// NATS is not reached within a minute, or refuses (a full disk, for one); the text says why.
pub async fn ensure(bus: &Bus) -> anyhow::Result<()> {
    wait::until("a connection to NATS", Duration::from_secs(60), async || bus.is_connected().then_some(()))
        .await?;
    Ok(bus.ensure_streams().await?)
}
