//! Writing a file, many requests under way at once.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use tokio::time::Instant;

use super::channel::OpenFile;
use crate::{Content, TargetError, blocks::Blocks};

/// Writes under way at once: with OpenSSH 4 MiB, of which it takes half in before it wants to be asked (its
/// window), and the other half is on its way when it does.
const MOST: usize = 64;
/// How many there are to begin with.
const FIRST: usize = 16;
/// An answer that takes longer than this has waited behind others: fewer are sent at once then, so
/// that a slow line carries no minute's worth of requests.
const SLOW: Duration = Duration::from_secs(3);

const DOING: &str = "writing a file";

/// Writes `content` from `offset` to its end, syncs it where the server can, and closes the file.
pub(super) async fn write(file: OpenFile, content: &Content, offset: u64) -> Result<(), TargetError> {
    let channel = Arc::clone(file.channel());
    let mut blocks = Blocks::open(content, offset).await?;
    let mut under_way = FuturesUnordered::new();
    let each = channel.can().write as usize;
    let (mut at, mut allowed) = (offset, FIRST);
    let mut answered = |(sent, answer): (Instant, Result<_, _>)| {
        allowed = if sent.elapsed() > SLOW { (allowed / 2).max(1) } else { (allowed + 1).min(MOST) };
        answer.map(|_| allowed).map_err(|error| channel.fault(DOING, error))
    };
    let mut now_allowed = FIRST;
    while let Some(mut block) = blocks.next().await? {
        while !block.is_empty() {
            while under_way.len() >= now_allowed {
                let Some(answer) = under_way.next().await else { break };
                now_allowed = answered(answer)?;
            }
            let part = block.split_to(block.len().min(each));
            let (sent, start) = (Instant::now(), at);
            at += part.len() as u64;
            let (channel, raw, handle) = (&channel, channel.raw(), file.handle());
            under_way
                .push(async move { (sent, channel.answer(raw.write(handle, start, part.to_vec())).await) });
            // A request is sent when it is first polled.
            if let Some(Some(answer)) = under_way.next().now_or_never() {
                now_allowed = answered(answer)?;
            }
        }
    }
    while let Some(answer) = under_way.next().await {
        answered(answer)?;
    }
    drop(under_way);
    // Only now: not every server keeps a sync behind the writes before it. What asks for one handle
    // is answered in order, so closing need not wait for it.
    let raw = channel.raw();
    let syncing = async {
        match channel.can().fsync {
            true => channel.answer(raw.fsync(file.handle())).await.map(|_| ()),
            false => Ok(()),
        }
    };
    let (synced, closed) = futures::join!(syncing, channel.answer(raw.close(file.handle())));
    file.forget_handle();
    synced.and(closed.map(|_| ())).map_err(|error| channel.fault(DOING, error))
}
