//! What is remembered of a recording between two attempts to mail it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::letter::Reason;
use crate::Bookmark;

/// By address, since the list may be changed between two attempts.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// Who has the mail.
    has: BTreeSet<String>,
    /// Who was refused for good, and how.
    refused: BTreeMap<String, String>,
    /// Why it goes without its audio.
    pub(super) without_audio: Option<Reason>,
}

impl Memory {
    pub(super) async fn load(kept: &dyn Bookmark) -> Self {
        let text = kept.load().await.unwrap_or_default();
        // What cannot be read costs a mail that comes twice, and no recording.
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(super) async fn keep(&self, kept: &dyn Bookmark) {
        match serde_json::to_string(self) {
            Ok(text) => kept.keep(Some(&text)).await,
            Err(error) => tracing::warn!(%error, "who has a mail is not remembered"),
        }
    }

    pub(super) fn has(&mut self, address: &str) {
        self.refused.remove(address);
        self.has.insert(address.to_owned());
    }

    pub(super) fn refused(&mut self, address: &str, reply: &str) {
        self.refused.insert(address.to_owned(), reply.to_owned());
    }

    pub(super) fn somebody_has_it(&self) -> bool {
        !self.has.is_empty()
    }

    /// The positions of those who neither have it nor were refused.
    pub(super) fn waiting(&self, to: &[String]) -> Vec<usize> {
        let waits = |address: &String| !self.has.contains(address) && !self.refused.contains_key(address);
        (0..to.len()).filter(|position| waits(&to[*position])).collect()
    }

    /// The positions of those who were refused, and how.
    pub(super) fn refusals(&self, to: &[String]) -> Vec<(usize, &str)> {
        let refused = |(position, address)| Some((position, self.refused.get(address)?.as_str()));
        to.iter().enumerate().filter_map(refused).collect()
    }
}
