//! Whose RTP counts in a call to the endpoint: a key in it may be a consent, and the announcement is
//! sent to wherever it comes from.

use std::net::{IpAddr, SocketAddr};

/// The caller's end of the media. Behind a NAT the address in the SDP is not the one that packets come
/// from (symmetric RTP, RFC 4961), so the first sender is believed; nobody else afterwards, but for
/// whom the SDP names.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    told: SocketAddr,
    heard: Option<SocketAddr>,
}

impl Source {
    /// The caller said this address in SDP.
    pub const fn new(told: SocketAddr) -> Self {
        Self { told, heard: None }
    }

    /// Whether a packet from `from` is the caller's.
    pub fn takes(&mut self, from: SocketAddr) -> bool {
        let known = self.heard.is_none_or(|heard| host(heard) == host(from));
        let takes = known || host(self.told) == host(from);
        if takes {
            self.heard = Some(from);
        }
        takes
    }

    /// Where to send to.
    pub fn address(&self) -> SocketAddr {
        self.heard.unwrap_or(self.told)
    }

    /// True once a packet came.
    pub const fn is_heard(&self) -> bool {
        self.heard.is_some()
    }
}

/// A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d.
fn host(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_first_or_is_named_in_the_sdp_is_the_caller_and_nobody_else() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (what, packets, address) in [
            ("nobody yet", &[][..], "10.0.0.1:4000"),
            ("as told", &[("10.0.0.1:4000", true)], "10.0.0.1:4000"),
            ("another port", &[("10.0.0.1:4000", true), ("10.0.0.1:4002", true)], "10.0.0.1:4002"),
            ("a NAT", &[("192.0.2.1:9000", true), ("192.0.2.1:9002", true)], "192.0.2.1:9002"),
            ("a stranger", &[("10.0.0.1:4000", true), ("192.0.2.66:1", false)], "10.0.0.1:4000"),
            ("a stranger to a NAT", &[("192.0.2.1:9000", true), ("192.0.2.66:1", false)], "192.0.2.1:9000"),
            (
                "a stranger who was first",
                &[("192.0.2.66:1", true), ("10.0.0.1:4000", true), ("192.0.2.66:1", false)],
                "10.0.0.1:4000",
            ),
            ("a dual-stack socket", &[("[::ffff:10.0.0.1]:4000", true)], "[::ffff:10.0.0.1]:4000"),
        ] {
            let mut source = Source::new(at("10.0.0.1:4000"));
            for (from, taken) in packets {
                assert_eq!(source.takes(at(from)), *taken, "{what}: {from}");
            }
            assert_eq!(source.address(), at(address), "{what}");
        }
    }
}
