//! Calls of clients that are not ours, through the whole system: SIPp, rtpengine's media, and SIP as
//! vendors' clients write it.

mod audio;
mod rtpengine;
mod sipp;
mod vendor_calls;
mod vendor_texts;
mod vendors;

use std::{net::SocketAddr, path::Path, time::Duration};

use harness::{
    recordings::{self, Recording},
    wait,
    world::World,
};

/// Sealing and shipping take this long at most while the machine is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where `world` takes SIP.
fn srs(world: &World) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], world.installation.ports.sip))
}

/// Waits for the recording whose call has this id at the PBX.
async fn recording_of(archive: &Path, call_id: &str) -> anyhow::Result<Recording> {
    let is_it = |recording: &Recording| recording.info().is_ok_and(|info| info["CallId"] == call_id);
    wait::until(&format!("the recording of the call {call_id:?}"), PATIENCE, async || {
        recordings::find(archive).ok()?.into_iter().find(is_it)
    })
    .await
}
