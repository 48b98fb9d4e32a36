//! Where the control API is served, as the command line says it.

use std::{net::SocketAddr, str::FromStr};

/// An address, or none: `127.0.0.1:8081`, `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiAddress(pub Option<SocketAddr>);

impl FromStr for ApiAddress {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let address = text.parse().map_err(|_| "write HOST:PORT, for example 127.0.0.1:8081, or none")?;
        Ok(Self(Some(address)))
    }
}
