//! Delivers the spool, oldest first, many at a time, until each message is acknowledged.
//!
//! When JetStream is full the order matters: signer empties the stream only up to the first message
//! that waits for an earlier one. If later messages took the little room that comes free, the earlier
//! one could stay outside for ever. So what was refused goes before anything else, alone at first.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Inner;
use crate::{BusError, set_aside::set_aside, spool::Record, store::ACK_TIMEOUT};

/// Messages from the spool on their way at a time: 16 MiB at most.
const WINDOW: usize = 256;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const DISK_PAUSE: Duration = Duration::from_secs(1);

/// A message of the spool and the segment that it lies in.
type Waiting = (u64, Record);

pub(super) async fn deliver_spool(inner: Arc<Inner>, shutdown: CancellationToken) {
    // While JetStream takes nothing, one message at a time asks whether it does again.
    let probe = Mutex::new(());
    let mut reader = inner.spool.reader();
    // By place in the spool.
    let mut waiting: BTreeMap<u64, Waiting> = BTreeMap::new();
    let mut places = 0..;
    let mut sending = FuturesUnordered::new();
    let mut room = Room::new(WINDOW.min(super::share_of_stream(&inner.bus)));
    loop {
        while !room.was_refused && sending.len() < room.window {
            let Some((place, (segment, record))) = waiting.pop_first() else { break };
            let sent = deliver(&inner, &probe, record);
            sending.push(async move { (place, segment, sent.await) });
        }
        let takes_more = waiting.is_empty() && sending.len() < room.window;
        let mut is_unreadable = false;
        if takes_more {
            // Asked before the reading: what was written in between is read.
            let is_written = inner.spool.is_written();
            match reader.read().await {
                Ok((segment, records)) if !records.is_empty() => {
                    waiting.extend(places.by_ref().zip(records.into_iter().map(|record| (segment, record))));
                    continue;
                }
                Ok(_) if is_written => inner.behind.store(false, Ordering::Relaxed),
                Ok(_) => {}
                Err(error) => {
                    warn!(%error, "a part of the spool cannot be read; trying on");
                    is_unreadable = true;
                }
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            Some((place, segment, fate)) = sending.next() => match fate {
                Fate::Settled => {
                    room.taken();
                    reader.acknowledged(segment);
                }
                Fate::Refused(record) => {
                    room.refused();
                    waiting.insert(place, (segment, record));
                }
            },
            // Only when all have come back is the oldest one known.
            () = tokio::time::sleep(room.pause), if room.was_refused && sending.is_empty() => room.try_again(),
            () = tokio::time::sleep(DISK_PAUSE), if is_unreadable => {}
            () = reader.changed(), if takes_more && !is_unreadable => {}
        }
    }
}

/// How much JetStream is trusted to take at once: one message after it was full, one more for each
/// that it takes.
struct Room {
    window: usize,
    widest: usize,
    was_refused: bool,
    pause: Duration,
}

impl Room {
    const fn new(widest: usize) -> Self {
        Self { window: widest, widest, was_refused: false, pause: FIRST_PAUSE }
    }

    fn taken(&mut self) {
        self.window = (self.window + 1).min(self.widest);
        self.pause = FIRST_PAUSE;
    }

    fn refused(&mut self) {
        self.window = 1;
        self.was_refused = true;
    }

    fn try_again(&mut self) {
        self.was_refused = false;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// What became of a message.
enum Fate {
    /// JetStream has it, or it was set aside.
    Settled,
    /// JetStream is full.
    Refused(Record),
}

/// Sends one message until JetStream has it or says that it is full.
async fn deliver(inner: &Inner, probe: &Mutex<()>, record: Record) -> Fate {
    let mut link = inner.bus.link();
    let mut pause = FIRST_PAUSE;
    loop {
        let healthy = || inner.healthy.load(Ordering::Relaxed);
        // Held over the pause, too. The lock is fair: after a failure it is the next one's turn, so
        // a message that has a trouble of its own cannot hold up the others.
        let alone = if healthy() { None } else { Some(probe.lock().await) };
        let alone = alone.filter(|_| !healthy());
        if link.wait_for(|link| link.connected).await.is_err() {
            return std::future::pending().await;
        }
        match inner.publish(&record, ACK_TIMEOUT).await {
            Ok(()) => {
                if !inner.healthy.swap(true, Ordering::Relaxed) {
                    info!("NATS takes call messages again; delivering the spool");
                }
                return Fate::Settled;
            }
            Err(BusError::StreamFull { .. }) => {
                inner.healthy.store(false, Ordering::Relaxed);
                inner.behind.store(true, Ordering::Relaxed);
                return Fate::Refused(record);
            }
            Err(reason @ BusError::TooLarge { .. }) => {
                set_aside(&inner.bus, inner.spool.dir(), record, &reason).await;
                // That was about this message; the next one tells about JetStream.
                inner.healthy.store(true, Ordering::Relaxed);
                return Fate::Settled;
            }
            Err(BusError::NotConnected) => {}
            Err(error) => {
                inner.healthy.store(false, Ordering::Relaxed);
                debug!(%error, "a message stays in the spool for now");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        drop(alone);
    }
}
