//! A two-party call as ingest would hand it over, with known payload.

use domain::{EpochId, RecordingId, TenantId};
use wire::call_v1::{
    AudioChunk, CallEnded, CallFacts, CallMessage, CallStarted, Decision, EndReason, NodeStarted, Packet,
    Party, Payload, Recorded, Side, Stream, call_message::Body,
};

/// 2026-11-22 09:15:30.123 UTC.
pub const BEGIN_US: i64 = 1_795_338_930_123_000;
const PACKET_US: i64 = 20_000;

/// A call between two people, a message a second.
#[derive(Clone)]
pub struct Call {
    pub recording: RecordingId,
    pub tenant: TenantId,
    pub epoch: EpochId,
    pub node: String,
    pub class: &'static str,
    pub channels: &'static str,
    /// Seconds of audio.
    pub seconds: u64,
}

impl Call {
    pub fn new(seconds: u64) -> Self {
        Self {
            recording: RecordingId::new(),
            tenant: "acme".parse().unwrap(),
            epoch: EpochId::new(),
            node: "ingest-1".to_owned(),
            class: "regulated",
            channels: "stereo",
            seconds,
        }
    }

    /// The same of the tenant `other`.
    pub fn of_other(seconds: u64) -> Self {
        Self { tenant: "other".parse().unwrap(), ..Self::new(seconds) }
    }

    /// All messages in order: started, a message for each second, ended.
    pub fn messages(&self) -> Vec<CallMessage> {
        let mut bodies = vec![self.started()];
        bodies.extend((0..self.seconds).map(|second| self.audio(second)));
        bodies.push(self.ended());
        (0..).zip(bodies).map(|(number, body)| self.message(number, body)).collect()
    }

    pub fn message(&self, number: u64, body: Body) -> CallMessage {
        CallMessage {
            recording_id: self.recording.to_string(),
            tenant: self.tenant.to_string(),
            node: self.node.clone(),
            epoch: self.epoch.to_string(),
            number,
            body: Some(body),
        }
    }

    /// A later run of the same ingest node says that it started.
    pub fn node_started_anew(&self) -> CallMessage {
        CallMessage {
            node: self.node.clone(),
            epoch: EpochId::new().to_string(),
            body: Some(Body::NodeStarted(NodeStarted { at_unix_us: BEGIN_US })),
            ..CallMessage::default()
        }
    }

    pub fn started(&self) -> Body {
        let party = |number: &str, name: &str| Party {
            number: number.to_owned(),
            name: name.to_owned(),
            identities: Vec::new(),
        };
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
            participant: format!("+4970311{index}"),
            participant_name: String::new(),
        };
        Body::Started(CallStarted {
            invited_unix_us: BEGIN_US - 500_000,
            facts: Some(CallFacts {
                tenant: self.tenant.to_string(),
                call_id: "call-1@pbx".to_owned(),
                direction: "in".to_owned(),
                caller: Some(party("+4922198765", "Erika Mustermann")),
                callee: Some(party("+4970311234", "")),
                ..CallFacts::default()
            }),
            decision: Some(Decision {
                direction: "in".to_owned(),
                recorded: Some(Recorded {
                    rule: "desk".to_owned(),
                    class: self.class.to_owned(),
                    channels: self.channels.to_owned(),
                    targets: vec!["archive".to_owned()],
                    journals: vec!["main".to_owned()],
                    ..Recorded::default()
                }),
                reason: String::new(),
                trace: Vec::new(),
                ..Decision::default()
            }),
            streams: vec![stream(0, Side::Caller), stream(1, Side::Callee)],
            answered_unix_us: 0,
        })
    }

    pub fn audio(&self, second: u64) -> Body {
        let packets = (second * 50..(second + 1) * 50).flat_map(|at| [0, 1].map(|stream| packet(stream, at)));
        Body::Audio(AudioChunk { packets: packets.collect() })
    }

    pub fn ended(&self) -> Body {
        Body::Ended(CallEnded {
            at_unix_us: BEGIN_US + i64::try_from(self.seconds).unwrap() * 1_000_000,
            reason: EndReason::Bye as i32,
            packets_received: vec![self.seconds * 50; 2],
            stopped_by: None,
        })
    }
}

fn packet(stream: u32, at: u64) -> Packet {
    let mut data = vec![0x80, 8];
    data.extend_from_slice(&u16::try_from(at % 65_536).unwrap().to_be_bytes());
    data.extend_from_slice(&u32::try_from(at * 160).unwrap().to_be_bytes());
    data.extend_from_slice(&(0x1000 + stream).to_be_bytes());
    data.extend((at * 160..(at + 1) * 160).map(|sample| sample_of(stream, sample)));
    let arrival_unix_us = BEGIN_US + i64::try_from(at).unwrap() * PACKET_US;
    Packet { stream, arrival_unix_us, data: data.into(), rtcp: false }
}

fn sample_of(stream: u32, sample: u64) -> u8 {
    (sample.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(u64::from(stream) * 77) >> 32) as u8
}

/// What a side said in these seconds of the call.
pub fn said(stream: u32, seconds: std::ops::Range<u64>) -> Vec<u8> {
    (seconds.start * 8_000..seconds.end * 8_000).map(|sample| sample_of(stream, sample)).collect()
}
