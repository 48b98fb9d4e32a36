//! A bad network between recording client and recorder, the same for the same seed.

/// What happens to the packets of a stream on their way. The default is a perfect network.
#[derive(Debug, Clone, Default)]
pub struct Impairments {
    /// The same seed gives the same impairments, sequence numbers and SSRCs.
    pub seed: u64,
    /// Packets that are never sent, 0 to 100.
    pub loss_percent: f64,
    /// Packets that are overtaken by one to three later ones, 0 to 100.
    pub reorder_percent: f64,
    /// Packets that are sent twice, 0 to 100.
    pub duplicate_percent: f64,
    /// Sequence number of the first packet; near 65535 to see it wrap.
    pub first_sequence: Option<u16>,
    /// RTP timestamp of the first packet.
    pub first_timestamp: Option<u32>,
    /// A new SSRC in mid-stream, as at hold or transfer.
    pub ssrc_change: Option<SsrcChange>,
}

/// The sender becomes another one (RFC 3550 § 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SsrcChange {
    /// Before which packet, from 0.
    pub after_packets: u32,
    /// The timestamps start anew as well, so that only the time of arrival tells the place.
    pub new_timestamps: bool,
}

/// Applies impairments to packets in order. Sequence numbers were given before, so that a loss is one.
pub(super) struct Impairer {
    random: SplitMix64,
    loss: f64,
    reorder: f64,
    duplicate: f64,
    /// Packets held back, with the number of packets that may still overtake them.
    held: Vec<(u8, Vec<u8>)>,
    lost: bool,
}

impl Impairer {
    pub(super) fn new(impairments: &Impairments) -> Self {
        Self {
            random: SplitMix64(impairments.seed),
            loss: impairments.loss_percent / 100.0,
            reorder: impairments.reorder_percent / 100.0,
            duplicate: impairments.duplicate_percent / 100.0,
            held: Vec::new(),
            lost: false,
        }
    }

    /// A number from the seeded sequence.
    pub(super) fn random(&mut self) -> u64 {
        self.random.next()
    }

    /// What leaves when `packet` comes: nothing, it, it twice, earlier ones that were held back.
    pub(super) fn pass(&mut self, packet: Vec<u8>) -> Vec<Vec<u8>> {
        let mut out = Vec::with_capacity(1);
        self.lost = self.random.chance(self.loss);
        if !self.lost {
            if self.random.chance(self.reorder) {
                let overtaken_by = 1 + (self.random.next() % 3) as u8;
                // Counts down with this very packet too.
                self.held.push((overtaken_by + 1, packet));
            } else {
                if self.random.chance(self.duplicate) {
                    out.push(packet.clone());
                }
                out.push(packet);
            }
        }
        self.held.retain_mut(|(left, packet)| {
            *left -= 1;
            if *left == 0 {
                out.push(std::mem::take(packet));
            }
            *left > 0
        });
        out
    }

    pub(super) fn last_was_lost(&self) -> bool {
        self.lost
    }

    /// Everything that is still held back.
    pub(super) fn flush(&mut self) -> Vec<Vec<u8>> {
        self.held.drain(..).map(|(_, packet)| packet).collect()
    }
}

/// Steele, Lea and Flood's generator: small, and the same for ever, unlike that of a crate, whose
/// sequence may change with its version.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// True with this probability; draws nothing if it is zero.
    fn chance(&mut self, probability: f64) -> bool {
        const SCALE: f64 = (1_u64 << 53) as f64;
        probability > 0.0 && ((self.next() >> 11) as f64) / SCALE < probability
    }
}
