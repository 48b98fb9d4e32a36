//! Delivers the spool, oldest first, many at a time, until each message is acknowledged.

use std::{
    collections::VecDeque,
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

pub(super) async fn deliver_spool(inner: Arc<Inner>, shutdown: CancellationToken) {
    // While JetStream takes nothing, one message at a time asks whether it does again.
    let probe = Mutex::new(());
    let mut reader = inner.spool.reader();
    let mut waiting: VecDeque<(u64, Record)> = VecDeque::new();
    let mut sending = FuturesUnordered::new();
    loop {
        while sending.len() < WINDOW {
            let Some((segment, record)) = waiting.pop_front() else { break };
            let sent = deliver(&inner, &probe, record);
            sending.push(async move {
                sent.await;
                segment
            });
        }
        if sending.len() < WINDOW {
            match reader.read().await {
                Ok((segment, records)) if !records.is_empty() => {
                    waiting.extend(records.into_iter().map(|record| (segment, record)));
                    continue;
                }
                Ok(_) => {}
                Err(error) => {
                    warn!(%error, "the spool cannot be read; trying on");
                    tokio::select! {
                        () = tokio::time::sleep(DISK_PAUSE) => {}
                        () = shutdown.cancelled() => return,
                    }
                }
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            Some(segment) = sending.next() => reader.acknowledged(segment),
            () = reader.changed(), if sending.len() < WINDOW => {}
        }
    }
}

/// Sends one message until JetStream has it.
async fn deliver(inner: &Inner, probe: &Mutex<()>, record: Record) {
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
                return;
            }
            Err(reason @ BusError::TooLarge { .. }) => {
                set_aside(&inner.bus, inner.spool.dir(), record, &reason).await;
                // That was about this message; the next one tells about JetStream.
                inner.healthy.store(true, Ordering::Relaxed);
                return;
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
