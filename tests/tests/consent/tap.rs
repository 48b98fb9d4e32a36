//! Everything that goes over NATS, overheard; and everything that lies on a disk, looked through.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt;

/// So many bytes of noise in a row come twice by no chance.
const PIECE: usize = 32;
/// Every packet of this many is looked for.
const EVERY: usize = 7;

/// Overhears every message of every subject.
pub struct Tap {
    heard: Arc<Mutex<Vec<bytes::Bytes>>>,
    client: async_nats::Client,
    listening: tokio::task::JoinHandle<()>,
}

impl Tap {
    pub async fn on(nats_port: u16) -> anyhow::Result<Self> {
        let client = async_nats::connect(format!("nats://127.0.0.1:{nats_port}")).await?;
        let mut all = client.subscribe(">").await?;
        client.flush().await?;
        let heard = Arc::<Mutex<Vec<_>>>::default();
        let noting = heard.clone();
        let listening = tokio::spawn(async move {
            while let Some(message) = all.next().await {
                noting.lock().unwrap_or_else(PoisonError::into_inner).push(message.payload);
            }
        });
        Ok(Self { heard, client, listening })
    }

    /// Whether a piece of what was said went over the bus until now.
    pub async fn overheard(&self, said: &Pieces) -> anyhow::Result<bool> {
        // What was published before this returns has been sent to us, on this connection in order.
        self.client.flush().await?;
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(heard.iter().any(|payload| said.are_in(payload)))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Pieces of what was said, to be looked for.
pub struct Pieces {
    by_beginning: HashMap<[u8; 8], Vec<Vec<u8>>>,
    /// Which pairs of bytes begin a piece: most of what is looked through is none.
    pairs: Vec<bool>,
}

impl Pieces {
    /// One piece of every seventh packet, and of the last one.
    pub fn of<'a>(speeches: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut by_beginning: HashMap<[u8; 8], Vec<Vec<u8>>> = HashMap::new();
        let mut pairs = vec![false; 1 << 16];
        for speech in speeches {
            let packets: Vec<&[u8]> = speech.chunks_exact(harness::rtp::PACKET_BYTES).collect();
            for packet in packets.iter().step_by(EVERY).chain(packets.last()) {
                let piece = &packet[16..16 + PIECE];
                let beginning = piece.first_chunk().copied().unwrap_or_default();
                pairs[usize::from(u16::from_be_bytes([piece[0], piece[1]]))] = true;
                by_beginning.entry(beginning).or_default().push(piece.to_vec());
            }
        }
        assert!(!by_beginning.is_empty(), "nothing was said");
        Self { by_beginning, pairs }
    }

    /// Whether any of them stands in `bytes`, as it was sent or as one channel of two.
    pub fn are_in(&self, bytes: &[u8]) -> bool {
        let channel = |first| bytes.iter().skip(first).step_by(2).copied().collect::<Vec<u8>>();
        self.stand_in(bytes) || self.stand_in(&channel(0)) || self.stand_in(&channel(1))
    }

    fn stand_in(&self, bytes: &[u8]) -> bool {
        // A plain loop: this is tens of megabytes of byte by byte, in tests that nothing optimises.
        let (mut at, mut pair, end) = (0, 0, bytes.len());
        while at < end {
            pair = (pair << 8 | usize::from(bytes[at])) & 0xFFFF;
            if self.pairs[pair] && at > 0 && self.stand_at(&bytes[at - 1..]) {
                return true;
            }
            at += 1;
        }
        false
    }

    fn stand_at(&self, bytes: &[u8]) -> bool {
        let pieces = bytes.first_chunk().and_then(|beginning| self.by_beginning.get(beginning));
        pieces.is_some_and(|pieces| pieces.iter().any(|piece| bytes.starts_with(piece)))
    }

    /// Whether any of them stands in memory that a process can write to.
    pub fn are_in_memory_of(&self, process: u32) -> anyhow::Result<bool> {
        let memory = fs::File::open(format!("/proc/{process}/mem"))?;
        let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
        let mut looked_at = 0;
        for line in maps.lines() {
            let mut words = line.split(' ');
            let (Some(range), Some(rights)) = (words.next(), words.next()) else { continue };
            let Some((from, to)) = range.split_once('-').filter(|_| rights.starts_with("rw")) else {
                continue;
            };
            let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
            let mut region = vec![0; usize::try_from(to - from)?];
            // What was given back meanwhile, or was never touched, cannot be read.
            if memory.read_exact_at(&mut region, from).is_ok() {
                looked_at += region.len();
                if self.stand_in(&region) {
                    return Ok(true);
                }
            }
        }
        anyhow::ensure!(looked_at > 0, "no memory of the process could be read");
        Ok(false)
    }

    /// All files below a folder in which one of them stands.
    pub fn files_below(&self, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let (mut found, mut looked_at) = (Vec::new(), 0);
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(bytes) = fs::read(&path) {
                    // A file that went away meanwhile was replaced or deleted by its owner.
                    looked_at += 1;
                    if self.are_in(&bytes) {
                        found.push(path);
                    }
                }
            }
        }
        anyhow::ensure!(looked_at > 0, "there are no files below {}", folder.display());
        found.sort();
        Ok(found)
    }
}
