//! Announcements ready to be sent, each made once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use domain::resources::Announcement;
use media::{Codec, announcement};

/// Kept beyond those that are being played; a changed announcement leaves its former self behind.
const MAX_KEPT: usize = 64;

/// All announcements that were played since the start, by the SHA-256 of their file.
#[derive(Default)]
pub struct Library(Mutex<HashMap<String, Arc<announcement::Announcement>>>);

impl Library {
    /// The payload of `wanted` in `codec`. The first time, decoding takes its time on a thread of
    /// its own.
    ///
    /// # Errors
    /// The file cannot be played: configuration lets none through, so this is a fault of ours.
    pub async fn payload(&self, wanted: &Announcement, codec: Codec) -> anyhow::Result<Bytes> {
        let known = self.kept().get(&wanted.sha256).cloned();
        if let Some(known) = known {
            return Ok(known.encoded(codec).payload().clone());
        }
        let file = wanted.audio.clone();
        let made = tokio::task::spawn_blocking(move || {
            let made = announcement::Announcement::from_file(&file)?;
            made.encoded(codec);
            Ok::<_, announcement::AnnouncementError>(Arc::new(made))
        });
        let made = made.await??;
        let mut kept = self.kept();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        let made = kept.entry(wanted.sha256.clone()).or_insert(made);
        Ok(made.encoded(codec).payload().clone())
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<announcement::Announcement>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
