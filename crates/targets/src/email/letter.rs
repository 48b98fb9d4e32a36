//! The mail of one recording.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use domain::resources::EmailTarget;
use jiff::Timestamp;
use mail::{Attachment, Message};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::AsyncReadExt as _,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::text;
use crate::{Enclosed, Parcel, TargetError};

/// A mail lies in memory as a whole, about three times: as files, encoded, and with its headers. All that
/// are under way at the same time share this, in KiB; smaller ones than [`SMALL`] do not ask.
static MEMORY: std::sync::LazyLock<Arc<Semaphore>> =
    std::sync::LazyLock::new(|| Arc::new(Semaphore::new(MOST_KIB as usize)));
const MOST_KIB: u32 = 128 * 1024;
/// Those to one server share half of it: mails that a slow one takes its time with leave room for the others'.
static OF_SERVERS: std::sync::LazyLock<Mutex<BTreeMap<String, Weak<Semaphore>>>> =
    std::sync::LazyLock::new(Mutex::default);
const SMALL: u64 = 1024 * 1024;

/// Why a mail goes without its audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reason {
    /// It is larger than `maxMegabytes`.
    TooBig,
    /// It is larger than the server takes.
    TooBigForServer,
}

/// A mail, and what it was made of.
pub(super) struct Letter {
    pub(super) message: Message,
    pub(super) has_audio: bool,
    _memory: Option<[OwnedSemaphorePermit; 2]>,
}

impl Letter {
    /// The mail of `parcel`; without its audio for that reason, or where that is too much.
    pub(super) async fn write(
        target: &EmailTarget,
        parcel: &Parcel,
        without_audio: Option<Reason>,
    ) -> Result<Self, TargetError> {
        let size: u64 = parcel.files.iter().map(|file| file.content.size()).sum();
        let too_big = size > u64::from(target.max_megabytes) * 1_000_000;
        let without_audio = without_audio.or(too_big.then_some(Reason::TooBig));
        let attached: Vec<&Enclosed> =
            parcel.files.iter().filter(|file| without_audio.is_none() || !file.is_audio()).collect();
        let size: u64 = attached.iter().map(|file| file.content.size()).sum();
        let server = format!("{}:{}", target.smtp.host, target.smtp.port);
        let memory = reserve(&server, size).await;
        let mut attachments = Vec::with_capacity(attached.len());
        for file in attached {
            attachments.push(attach(file).await?);
        }
        let text = text::of_recording(parcel, target.max_megabytes, without_audio);
        let message = Message {
            from: target.from.clone(),
            to: target.to.clone(),
            subject: target.subject.clone().unwrap_or(text.subject),
            text: text.body,
            attachments,
            // What is sent again has the same: a mailbox or a person can tell.
            message_id: format!("{}.{}.{}@callseal", parcel.recording, parcel.target, parcel.tenant),
            date: Timestamp::now(),
        };
        Ok(Self { message, has_audio: without_audio.is_none(), _memory: memory })
    }
}

/// First the server's share, then that of all: whoever waits for a slow server has none of the others'.
async fn reserve(server: &str, size: u64) -> Option<[OwnedSemaphorePermit; 2]> {
    if size < SMALL {
        return None;
    }
    let kib = u32::try_from(size.saturating_mul(3) / 1024).unwrap_or(MOST_KIB).min(MOST_KIB / 2);
    // Never closed: nobody does that.
    let of_server = of_server(server).acquire_many_owned(kib).await.ok()?;
    let of_all = Arc::clone(&MEMORY).acquire_many_owned(kib).await.ok()?;
    Some([of_server, of_all])
}

/// What mails to this server share; forgotten when none is under way.
fn of_server(server: &str) -> Arc<Semaphore> {
    let mut all = OF_SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|_, shared| shared.strong_count() > 0);
    if let Some(shared) = all.get(server).and_then(Weak::upgrade) {
        return shared;
    }
    let shared = Arc::new(Semaphore::new(MOST_KIB as usize / 2));
    all.insert(server.to_owned(), Arc::downgrade(&shared));
    shared
}

/// Reads a file and holds it against its hash: nothing else than what was sealed is mailed.
async fn attach(file: &Enclosed) -> Result<Attachment, TargetError> {
    let size = usize::try_from(file.content.size()).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(size.min(1 << 30));
    let reader = file.content.open(0).await.map_err(TargetError::source_unreadable)?;
    // One byte more than there should be shows that there is more.
    let limit = file.content.size().saturating_add(1);
    reader.take(limit).read_to_end(&mut bytes).await.map_err(TargetError::source_unreadable)?;
    if bytes.len() as u64 != file.content.size() || Sha256::digest(&bytes)[..] != file.content.sha256()[..] {
        return Err(TargetError::source_changed());
    }
    let content_type =
        match file.name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
            Some("wav") => "audio/wav",
            Some("json") => "application/json",
            Some("txt") => "text/plain; charset=utf-8",
            Some("pem") => "application/x-pem-file",
            _ => "application/octet-stream",
        };
    Ok(Attachment { name: file.name.clone(), content_type, content: bytes.into() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HUGE: u64 = 1 << 30;

    #[tokio::test(start_paused = true)]
    async fn mails_to_a_slow_server_leave_memory_for_those_to_another() {
        let slow = reserve("slow:25", HUGE).await.unwrap();
        let second = tokio::time::timeout(Duration::from_secs(60), reserve("slow:25", HUGE)).await;
        assert!(second.is_err(), "the slow one has its share");
        drop(reserve("other:25", HUGE).await.unwrap());
        drop(slow);
        drop(reserve("slow:25", HUGE).await.unwrap());
    }
}
