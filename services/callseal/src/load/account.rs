//! What came of a call: packet by packet on our side.

use std::{sync::Arc, time::Duration};

use domain::Side;

use super::{
    Codec,
    rtp::{PACKET_BYTES, audio_of_packet},
};

/// The account of a call.
#[derive(Debug, Clone)]
pub struct CallReport {
    /// The SIP Call-ID of the recording session.
    pub sip_call_id: String,
    /// One for each m-line, in order.
    pub streams: Vec<StreamReport>,
    /// From INVITE to 200.
    pub answered_after: Duration,
    /// From BYE to 200.
    pub bye_after: Duration,
    /// The recorder hung up first.
    pub was_ended_by_recorder: bool,
}

impl CallReport {
    /// What is wrong with a call that was answered and hung up; `None` if nothing is.
    pub fn fault(&self) -> Option<&'static str> {
        if self.was_ended_by_recorder {
            Some("the recorder hung up before the call ended")
        } else if self.streams.iter().any(|s| s.is_refused) {
            Some("the recorder refused a stream")
        } else if self.streams.iter().any(|s| s.send_errors > 0) {
            Some("the network refused RTP packets")
        } else {
            None
        }
    }
}

/// The account of one stream.
#[derive(Debug, Clone)]
pub struct StreamReport {
    /// `a=label`.
    pub label: String,
    /// Whose voice.
    pub side: Side,
    /// Of the audio.
    pub codec: Codec,
    /// Answered with port 0: nothing was sent.
    pub is_refused: bool,
    /// Packets of 20 ms that were due; [`lost`](Self::lost) among them.
    pub packets: u32,
    /// Numbers, from 0, of packets that were withheld.
    pub lost: Vec<u32>,
    /// Datagrams sent, duplicates counted.
    pub datagrams: u64,
    /// Audio bytes sent, without duplicates.
    pub payload_bytes: u64,
    /// Datagrams that the network refused.
    pub send_errors: u64,
    /// RTP timestamp of the call's first packet, before any start delay.
    pub first_timestamp: u32,
    pub(super) audio: Arc<[u8]>,
}

impl StreamReport {
    /// Packets that were sent, each counted once.
    pub fn packets_sent(&self) -> u32 {
        self.packets - u32::try_from(self.lost.len()).unwrap_or(u32::MAX).min(self.packets)
    }

    /// What a recording of this stream must hold, from its first packet on, as long as it was played in
    /// one go: every byte sent in its place, silence where a packet was withheld.
    pub fn expected_audio(&self) -> Vec<u8> {
        let mut expected = Vec::with_capacity(self.packets as usize * PACKET_BYTES);
        let mut lost = self.lost.iter().copied().peekable();
        for number in 0..self.packets {
            if lost.next_if_eq(&number).is_some() {
                expected.extend([self.codec.silence(); PACKET_BYTES]);
            } else {
                expected.extend(audio_of_packet(&self.audio, number));
            }
        }
        expected
    }
}
