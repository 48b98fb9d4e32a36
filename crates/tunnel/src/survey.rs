//! Which host keys a server has: asked for one kind after the other, and never logged in to.

use domain::resources::{SshServer, SshTunnel};

use crate::{
    Place, SILENCE, SshError, Tunnel,
    chain::Via,
    handshake::{Refused, attempt},
    host_key::{HostKey, KeyKind},
};

/// All host keys that `server` shows, best first, through the servers of `via` if any; those are
/// logged in to, so each of them must be pinned. Of the server itself nothing is believed, and
/// nothing but a key exchange is sent to it.
///
/// # Errors
/// It cannot be reached, or one of the tunnel's servers refuses.
pub async fn shown_keys(
    server: &SshServer,
    place: &Place,
    via: &[SshServer],
) -> Result<Vec<HostKey>, SshError> {
    let tunnel = (!via.is_empty()).then(|| Tunnel::new(SshTunnel { hops: via.to_vec() }));
    let via = tunnel.as_ref().map_or(Via::Nothing, Via::Tunnel);
    let mut keys = Vec::new();
    for kind in KeyKind::ALL {
        match attempt(server, place, via, None, &[kind], SILENCE).await {
            Err(Refused::Key(key)) => keys.push(HostKey::from(*key)),
            Err(Refused::NoSuchKey(_)) => {}
            Err(Refused::Other(error)) => return Err(error),
            Ok(_) => unreachable!("without pins no key is accepted"),
        }
    }
    if keys.is_empty() {
        Err(place.unreachable("it has no host key of a kind that is safe"))
    } else {
        Ok(keys)
    }
}
