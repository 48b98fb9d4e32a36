//! Dialogs: what is known of each recording session between its requests.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::CallFacts;
use rsipstack::{
    sip::{HeadersExt, Request},
    transport::SipConnection,
};
use siprec::{CallPicture, Offer, OwnOrigin, RecordingMetadata, SipIdentities};
use wire::call_v1::Stream;

use super::peer::{Reachable, Way};
use crate::call::CallHandle;

/// What tells dialogs apart: Call-ID and our tag. (The client's tag is not needed: ours is random
/// for each dialog.)
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DialogKey {
    /// SIP Call-ID.
    pub call_id: String,
    /// Tag of our side.
    pub our_tag: String,
}

/// One recording session.
pub struct Dialog {
    /// The call it carries.
    pub call: CallHandle,
    /// What is decided by.
    pub facts: CallFacts,
    /// The metadata after all updates.
    pub metadata: RecordingMetadata,
    /// Who is who, as last understood.
    pub picture: CallPicture,
    /// What the INVITE's headers said about people.
    pub identities: SipIdentities,
    /// The last offer that was answered.
    pub offer: Offer,
    /// Every stream that ever had ports.
    pub streams: BTreeMap<u32, Stream>,
    /// Our `o=` line.
    pub origin: OwnOrigin,
    /// Our last description.
    pub sdp: String,
    /// Our address as the client reaches it.
    pub address: IpAddr,
    /// Highest CSeq of the client's requests.
    pub their_cseq: u32,
    /// CSeq of our last request.
    pub our_cseq: u32,
    /// The INVITE that made the dialog, our tag in its To header.
    pub invite: Request,
    /// The connection the last request came by.
    pub connection: SipConnection,
}

impl Reachable for Dialog {
    fn way(&self) -> Way {
        Way { invite: self.invite.clone(), connection: self.connection.clone() }
    }

    fn next_cseq(&mut self) -> u32 {
        self.our_cseq += 1;
        self.our_cseq
    }
}

/// A dialog that requests may work on at the same time.
pub type SharedDialog = Arc<Mutex<Dialog>>;

/// All dialogs of the endpoint, by SIP Call-ID; one of them has one dialog as a rule.
#[derive(Default)]
pub struct Dialogs {
    table: Mutex<HashMap<String, Vec<(String, SharedDialog)>>>,
}

impl Dialogs {
    fn table(&self) -> MutexGuard<'_, HashMap<String, Vec<(String, SharedDialog)>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a dialog.
    pub fn insert(&self, key: DialogKey, dialog: Dialog) -> SharedDialog {
        let shared = Arc::new(Mutex::new(dialog));
        self.table().entry(key.call_id).or_default().push((key.our_tag, shared.clone()));
        shared
    }

    /// The dialog of this key.
    pub fn get(&self, key: &DialogKey) -> Option<SharedDialog> {
        let table = self.table();
        table.get(&key.call_id)?.iter().find(|(tag, _)| *tag == key.our_tag).map(|(_, dialog)| dialog.clone())
    }

    /// True if this very INVITE made a dialog already: it came a second time by another way
    /// (RFC 3261, section 8.2.2.2).
    pub fn has_merged(&self, call_id: &str, from_tag: &str, cseq: u32) -> bool {
        let same = |dialog: &SharedDialog| {
            let invite = &lock(dialog).invite;
            let tag = invite.from_header().ok().and_then(|h| h.tag().ok().flatten());
            tag.is_some_and(|tag| tag.0 == from_tag)
                && invite.cseq_header().and_then(|c| c.seq()).ok() == Some(cseq)
        };
        self.table().get(call_id).is_some_and(|dialogs| dialogs.iter().any(|(_, dialog)| same(dialog)))
    }

    /// Forgets a dialog.
    pub fn remove(&self, key: &DialogKey) {
        let mut table = self.table();
        if let Some(dialogs) = table.get_mut(&key.call_id) {
            dialogs.retain(|(tag, _)| *tag != key.our_tag);
            if dialogs.is_empty() {
                table.remove(&key.call_id);
            }
        }
    }
}

/// Locks a dialog. A panic within a lock leaves no half-made state that would be worse than none.
pub fn lock<D>(dialog: &Mutex<D>) -> MutexGuard<'_, D> {
    dialog.lock().unwrap_or_else(PoisonError::into_inner)
}
