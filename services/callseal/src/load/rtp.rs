//! Cuts audio into RTP packets (RFC 3550 § 5.1, RFC 3551 § 4.5.14) and keeps account of them.

use std::sync::Arc;

use super::impairment::{Impairer, Impairments, SsrcChange};

/// Audio bytes in a packet of 20 ms at 8 kHz.
pub(super) const PACKET_BYTES: usize = 160;

/// G.711, the codecs that a stream can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// A-law, payload type 8.
    Pcma,
    /// µ-law, payload type 0.
    Pcmu,
}

impl Codec {
    /// The static RTP payload type.
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
        }
    }

    /// The byte that means silence.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcma => 0xD5,
            Self::Pcmu => 0xFF,
        }
    }
}

/// What one stream has sent so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    /// Packets of audio that were due: sent, or withheld as loss.
    pub packets: u32,
    /// Datagrams handed to the network; duplicates count.
    pub datagrams: u64,
    /// Audio bytes of the packets that were sent, once each.
    pub payload_bytes: u64,
    /// Packets withheld, by number from 0.
    pub lost: Vec<u32>,
    /// The network refused a datagram: nobody listens, or no buffer.
    pub send_errors: u64,
    /// The first packet's RTP timestamp.
    pub first_timestamp: u32,
}

/// The sender's side of one RTP stream. Plain values: time is the number of calls of
/// [`next_packet`](RtpSource::next_packet).
pub(super) struct RtpSource {
    codec: Codec,
    audio: Arc<[u8]>,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Packets for which nothing is sent yet.
    delay: u32,
    starts_talkspurt: bool,
    ssrc_change: Option<SsrcChange>,
    impairer: Impairer,
    account: Account,
}

impl RtpSource {
    /// A source that loops `audio` (not empty), beginning `delay` packets late.
    pub(super) fn new(codec: Codec, audio: Arc<[u8]>, delay: u32, impairments: &Impairments) -> Self {
        let mut impairer = Impairer::new(impairments);
        let timestamp = impairments.first_timestamp.unwrap_or_else(|| impairer.random() as u32);
        Self {
            codec,
            audio,
            ssrc: impairer.random() as u32,
            sequence: impairments.first_sequence.unwrap_or_else(|| impairer.random() as u16),
            timestamp: timestamp.wrapping_add(delay * PACKET_BYTES as u32),
            delay,
            starts_talkspurt: true,
            ssrc_change: impairments.ssrc_change,
            impairer,
            account: Account { first_timestamp: timestamp, ..Account::default() },
        }
    }

    /// The datagrams of the next 20 ms, in the order in which they leave.
    pub(super) fn next_packet(&mut self) -> Vec<Vec<u8>> {
        if self.delay > 0 {
            self.delay -= 1;
            return Vec::new();
        }
        let number = self.account.packets;
        if let Some(change) = self.ssrc_change
            && change.after_packets == number
        {
            self.ssrc = self.impairer.random() as u32;
            self.sequence = self.impairer.random() as u16;
            self.starts_talkspurt = true;
            if change.new_timestamps {
                self.timestamp = self.impairer.random() as u32;
            }
        }
        let packet = self.packet(number);
        self.account.packets += 1;
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(PACKET_BYTES as u32);
        let datagrams = self.impairer.pass(packet);
        if self.impairer.last_was_lost() {
            self.account.lost.push(number);
        } else {
            self.account.payload_bytes += PACKET_BYTES as u64;
        }
        self.count(datagrams)
    }

    /// Nothing is sent for a while, as on hold: the clock goes on, the packets don't (RFC 3550 § 5.1).
    pub(super) fn skip(&mut self, packets: u32) {
        self.timestamp = self.timestamp.wrapping_add(packets * PACKET_BYTES as u32);
        self.starts_talkspurt = true;
    }

    /// What the impairments still hold back.
    pub(super) fn flush(&mut self) -> Vec<Vec<u8>> {
        let datagrams = self.impairer.flush();
        self.count(datagrams)
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn count_send_error(&mut self) {
        self.account.send_errors += 1;
    }

    fn count(&mut self, datagrams: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        self.account.datagrams += datagrams.len() as u64;
        datagrams
    }

    fn packet(&mut self, number: u32) -> Vec<u8> {
        let mut packet = Vec::with_capacity(12 + PACKET_BYTES);
        let marker = u8::from(std::mem::take(&mut self.starts_talkspurt)) << 7;
        packet.extend([0x80, marker | self.codec.payload_type()]);
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(audio_of_packet(&self.audio, number));
        packet
    }
}

/// The 160 bytes of packet `number` of endlessly repeated audio.
pub(super) fn audio_of_packet(audio: &[u8], number: u32) -> impl Iterator<Item = u8> + '_ {
    let start = (number as usize * PACKET_BYTES) % audio.len().max(1);
    audio[start..].iter().chain(audio.iter().cycle()).copied().take(PACKET_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(impairments: &Impairments) -> RtpSource {
        RtpSource::new(Codec::Pcma, Arc::from((0..=255_u8).collect::<Vec<_>>()), 0, impairments)
    }

    #[test]
    fn packets_follow_each_other_over_the_wrap_and_loop_the_audio() {
        let impairments = Impairments {
            first_sequence: Some(65_534),
            first_timestamp: Some(u32::MAX - 200),
            ..Impairments::default()
        };
        let mut source = source(&impairments);
        let packets: Vec<Vec<u8>> = (0..4).flat_map(|_| source.next_packet()).collect();
        let sequences: Vec<u16> = packets.iter().map(|p| u16::from_be_bytes([p[2], p[3]])).collect();
        assert_eq!(sequences, [65_534, 65_535, 0, 1]);
        assert_eq!((packets[0][1], packets[1][1]), (0x88, 0x08), "the first packet carries the marker");
        assert_eq!(u32::from_be_bytes(packets[2][4..8].try_into().unwrap()), 119);
        assert_eq!((packets[1][12], packets[1][12 + 95], packets[1][12 + 96]), (160, 255, 0));
        assert!(packets.iter().all(|p| p.len() == 172));
    }

    #[test]
    fn an_ssrc_change_may_keep_or_break_the_timestamps() {
        for new_timestamps in [false, true] {
            let ssrc_change = Some(SsrcChange { after_packets: 2, new_timestamps });
            let mut source = source(&Impairments { ssrc_change, ..Impairments::default() });
            let packets: Vec<Vec<u8>> = (0..3).flat_map(|_| source.next_packet()).collect();
            assert_eq!(packets[0][8..12], packets[1][8..12]);
            assert_ne!(packets[1][8..12], packets[2][8..12]);
            let timestamp = |i: usize| u32::from_be_bytes(packets[i][4..8].try_into().unwrap());
            assert_eq!(timestamp(2) == timestamp(1).wrapping_add(160), !new_timestamps);
        }
    }

    #[test]
    fn the_account_balances_under_loss_reordering_and_duplicates() {
        let impairments = Impairments {
            seed: 7,
            loss_percent: 10.0,
            reorder_percent: 10.0,
            duplicate_percent: 10.0,
            ..Impairments::default()
        };
        let mut source = source(&impairments);
        let mut datagrams: Vec<Vec<u8>> = (0..2000).flat_map(|_| source.next_packet()).collect();
        datagrams.extend(source.flush());
        let account = source.account();
        assert_eq!(account.datagrams, datagrams.len() as u64);
        let mut sequences: Vec<u16> = datagrams.iter().map(|p| u16::from_be_bytes([p[2], p[3]])).collect();
        assert!(!sequences.is_sorted_by_key(|s| s.wrapping_sub(sequences[0])), "some were reordered");
        sequences.sort_unstable();
        sequences.dedup();
        assert!(datagrams.len() > sequences.len(), "some were doubled");
        assert_eq!(sequences.len() + account.lost.len(), 2000);
        assert_eq!(account.payload_bytes, sequences.len() as u64 * 160);
        assert!((150..250).contains(&account.lost.len()), "{}", account.lost.len());
    }
}
