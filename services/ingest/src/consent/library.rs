//! Announcements ready to be sent, each made once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use domain::resources::Announcement;
use media::{Codec, announcement};
use tokio::sync::OnceCell;

/// Kept beyond those that are being played; a changed announcement leaves its former self behind.
const MAX_KEPT: usize = 64;

type Made = Arc<OnceCell<announcement::Announcement>>;

/// All announcements that were played since the start, by the SHA-256 of their file.
#[derive(Default)]
pub struct Library(Mutex<HashMap<String, Made>>);

impl Library {
    /// The payload of `wanted` in `codec`. The first call that wants it has it decoded, on a thread of
    /// its own; calls that come meanwhile wait for that.
    ///
    /// # Errors
    /// The file cannot be played: configuration lets none through, so this is a fault of ours.
    pub async fn payload(&self, wanted: &Announcement, codec: Codec) -> anyhow::Result<Bytes> {
        let made = self.entry(&wanted.sha256);
        let file = wanted.audio.clone();
        let make = || async {
            let decode = move || announcement::Announcement::from_file(&file);
            anyhow::Ok(tokio::task::spawn_blocking(decode).await??)
        };
        Ok(made.get_or_try_init(make).await?.encoded(codec).payload().clone())
    }

    fn entry(&self, sha256: &str) -> Made {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT && !kept.contains_key(sha256) {
            // Those in use live on with their calls.
            kept.clear();
        }
        kept.entry(sha256.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_announcement_is_made_once_for_all_who_want_it() {
        let file: Arc<[u8]> = announcement::built_in("notice-tone").unwrap().into();
        let wanted = Announcement {
            name: "notice".parse().unwrap(),
            source: domain::resources::AudioSource::BuiltIn("notice-tone".to_owned()),
            sha256: "00".to_owned(),
            duration: std::time::Duration::from_secs(1),
            audio: file.clone(),
            comment: String::new(),
        };
        let library = Library::default();
        let (one, other) =
            tokio::join!(library.payload(&wanted, Codec::Pcma), library.payload(&wanted, Codec::Pcma));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.as_ptr(), other.as_ptr(), "both hear the same memory");
        let direct = announcement::Announcement::from_file(&file).unwrap();
        assert_eq!(one, direct.encoded(Codec::Pcma).payload());
    }
}
