//! The connection to NATS: made once, kept for ever.

use std::time::Duration;

use async_nats::{ConnectOptions, Event};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::{BusError, BusOptions};

/// How long `connect` waits for the first connection before it goes on without one.
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// A silent server is found out after two missed pings.
const PING_INTERVAL: Duration = Duration::from_secs(2);
const RECONNECT_STEP: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_secs(1);

/// State of the connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub connected: bool,
    /// Counts connections: what was on its way on an earlier one may be gone.
    pub generation: u64,
}

/// Connects, or leaves a client behind that goes on trying when NATS is away for now.
/// Error: the address is malformed.
pub(crate) async fn open(
    options: &BusOptions,
) -> Result<(async_nats::Client, watch::Receiver<Link>), BusError> {
    let (state, link) = watch::channel(Link::default());
    let name = options.name.clone();
    let client = ConnectOptions::new()
        .name(&options.name)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(|attempt| (RECONNECT_STEP * attempt.min(100) as u32).min(RECONNECT_MAX))
        .connection_timeout(Duration::from_secs(3))
        .ping_interval(PING_INTERVAL)
        .event_callback(move |event| {
            note(&state, &name, &event);
            async {}
        })
        .connect(options.url.as_str())
        .await
        .map_err(BusError::Address)?;
    let mut first = link.clone();
    if tokio::time::timeout(FIRST_WAIT, first.wait_for(|link| link.connected)).await.is_err() {
        warn!(client = options.name, "NATS is not reachable yet; trying on in the background");
    }
    Ok((client, link))
}

fn note(state: &watch::Sender<Link>, client: &str, event: &Event) {
    match event {
        Event::Connected => {
            info!(client, "connected to NATS");
            state.send_modify(|link| *link = Link { connected: true, generation: link.generation + 1 });
        }
        Event::Disconnected | Event::Closed => {
            if state.borrow().connected {
                warn!(client, "connection to NATS lost; trying to reconnect");
            }
            state.send_modify(|link| link.connected = false);
        }
        Event::SlowConsumer(_) => warn!(client, "NATS messages were dropped: this process is too slow"),
        Event::LameDuckMode => info!(client, "NATS is about to stop"),
        // The texts may hold subjects, never payloads.
        Event::ServerError(error) => warn!(client, %error, "NATS reported an error"),
        Event::ClientError(error) => warn!(client, %error, "the connection to NATS has a problem"),
        Event::Draining => {}
    }
}
