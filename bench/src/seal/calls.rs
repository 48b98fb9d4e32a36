//! The calls that are sealed: two channels of one second each, without a network to come from.

use std::path::Path;

use bus::{Bus, CallPublisher, CallPublisherOptions};
use domain::RecordingId;
use tokio_util::sync::CancellationToken;
use wire::call_v1::{
    AudioChunk, CallEnded, CallFacts, CallStarted, Decision, EndReason, Packet, Payload, Recorded, Side,
    Stream, call_message::Body,
};

/// Audio of one call, bytes.
pub const AUDIO_BYTES: usize = 16_000;
const BEGIN_US: i64 = 1_795_338_930_123_000;

/// Puts so many calls, begun and ended, into the stream.
///
/// # Errors
/// The bus refuses.
pub async fn publish(bus: &Bus, dir: &Path, recordings: u64, stop: &CancellationToken) -> anyhow::Result<()> {
    let options = CallPublisherOptions::new("ingest-1".parse()?, dir.join("spool"));
    let publisher = CallPublisher::start(bus.clone(), options, stop.clone()).await?;
    for _ in 0..recordings {
        let mut writer = publisher.call(&"acme".parse()?, RecordingId::new());
        for body in [started(), audio(), ended()] {
            writer.send(body);
        }
    }
    // What JetStream does not take at once follows from the spool.
    publisher.drained().await;
    Ok(())
}

fn started() -> Body {
    let stream = |index, side: Side| Stream {
        index,
        label: index.to_string(),
        side: side as i32,
        payloads: vec![Payload {
            payload_type: 8,
            encoding: "PCMA".to_owned(),
            clock_rate_hz: 8_000,
            channels: 1,
        }],
        ..Stream::default()
    };
    Body::Started(CallStarted {
        invited_unix_us: BEGIN_US,
        facts: Some(CallFacts {
            tenant: "acme".to_owned(),
            direction: "in".to_owned(),
            ..CallFacts::default()
        }),
        decision: Some(Decision {
            direction: "in".to_owned(),
            recorded: Some(Recorded {
                rule: "desk".to_owned(),
                class: "regulated".to_owned(),
                channels: "stereo".to_owned(),
                targets: vec!["archive".to_owned()],
                ..Recorded::default()
            }),
            ..Decision::default()
        }),
        streams: vec![stream(0, Side::Caller), stream(1, Side::Callee)],
        ..CallStarted::default()
    })
}

fn audio() -> Body {
    let packet = |stream: u32, at: u32| {
        let mut data = vec![0x80, 8];
        data.extend_from_slice(&u16::try_from(at).unwrap_or(0).to_be_bytes());
        data.extend_from_slice(&(at * 160).to_be_bytes());
        data.extend_from_slice(&(0x1000 + stream).to_be_bytes());
        data.extend((0..160_u32).map(|n| (n.wrapping_mul(at + 7) >> 2) as u8));
        let arrival_unix_us = BEGIN_US + i64::from(at) * 20_000;
        Packet { stream, arrival_unix_us, data: data.into(), rtcp: false }
    };
    let packets = (0..50).flat_map(|at| [packet(0, at), packet(1, at)]).collect();
    Body::Audio(AudioChunk { packets })
}

fn ended() -> Body {
    Body::Ended(CallEnded {
        at_unix_us: BEGIN_US + 1_000_000,
        reason: EndReason::Bye as i32,
        packets_received: vec![50; 2],
        stopped_by: None,
    })
}
