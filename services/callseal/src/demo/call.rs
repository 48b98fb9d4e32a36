//! The demo's call: a customer calls an adviser, both speak.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use domain::Side;

use crate::load::{Call, CallSpec, Client, ClientOptions, PartySpec, SipTransport};

/// What each side sent, in order.
pub struct SentAudio {
    /// The caller's A-law bytes.
    pub caller: Vec<u8>,
    /// The callee's A-law bytes.
    pub callee: Vec<u8>,
}

/// Plays the call into the recorder at `srs`.
///
/// # Errors
/// The recorder refused it or did not answer.
pub async fn play(srs: SocketAddr, duration: Duration) -> anyhow::Result<SentAudio> {
    let client = Client::start(ClientOptions::new(srs, SipTransport::Udp)).await?;
    let customer = PartySpec::new("+4930999000001", "Customer");
    let adviser = PartySpec::new(super::resources::ADVISER, "Adviser");
    let mut call = Call::invite(&client, CallSpec::speech(customer, adviser)).await?;
    call.play(duration).await;
    let report = call.bye().await?;
    client.shut_down();
    let sent = |side| {
        let stream = report.streams.iter().find(|stream| stream.side == side);
        stream.map(|stream| stream.expected_audio()).context("a side of the call sent nothing")
    };
    Ok(SentAudio { caller: sent(Side::Caller)?, callee: sent(Side::Callee)? })
}
