//! Places that get a recording and do not keep it: mailboxes, programs (F-85).
//!
//! Nobody can ask such a place for a file afterwards, so what was handed over there counts nowhere as
//! kept: a recording that went nowhere else stays in staging.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{RecordingId, ResourceName, TenantId, resources::tenant::notifications::Language};
use jiff::{Timestamp, tz::TimeZone};

use crate::{Bookmark, Content, Target, TargetError};

/// A place that gets each recording whole, once.
#[async_trait]
pub trait Dispatch: Send + Sync {
    /// Hands a recording over. A crash before the caller has noted that lets it be handed over again:
    /// what was handed over in part is remembered by [`Parcel::memory`].
    ///
    /// # Errors
    /// See [`ErrorKind`](crate::ErrorKind).
    async fn dispatch(&self, parcel: &Parcel) -> Result<HandedOver, TargetError>;

    /// Tries the place without a recording (F-74). `run` allows what has
    /// effects that nobody can foresee: a program is started.
    ///
    /// # Errors
    /// Whatever would keep a recording from being handed over, in plain words.
    async fn test(&self, run: bool) -> Result<Tested, TargetError>;
}

/// What a try was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// What was done, for a sentence.
    pub done: &'static str,
    /// What a program said, for the person who asked.
    pub said: String,
}

/// A recording to be handed over.
#[derive(Clone)]
pub struct Parcel {
    /// Whose it is.
    pub tenant: TenantId,
    /// For which of the tenant's targets.
    pub target: ResourceName,
    /// Which one.
    pub recording: RecordingId,
    /// Its first sample.
    pub start: Timestamp,
    /// Length in milliseconds.
    pub duration_ms: u64,
    /// The tenant's zone.
    pub zone: TimeZone,
    /// The language of what people read.
    pub language: Language,
    /// Its files, audio first, signature last.
    pub files: Vec<Enclosed>,
    /// Its row of the journal (F-91) as a JSON object. Sensitive.
    pub journal: String,
    /// Where it is kept, or will be.
    pub kept: Vec<Kept>,
    /// What the place needs to remember of this recording until all of it is handed over.
    pub memory: Arc<dyn Bookmark>,
}

/// A file of a parcel.
#[derive(Clone)]
pub struct Enclosed {
    /// Its name; holds numbers. Sensitive.
    pub name: String,
    /// What the name ends with: `.wav`.
    pub ending: String,
    /// What it holds.
    pub content: Content,
}

impl Enclosed {
    /// Whether it is sound.
    pub fn is_audio(&self) -> bool {
        self.name.to_ascii_lowercase().ends_with(".wav")
    }
}

/// A target that keeps the recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The target's name.
    pub target: String,
    /// The folder within it.
    pub folder: String,
}

/// What came of handing a recording over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOver {
    /// How, for a sentence in events and lists: "handed to the mail server". Holds no number or name.
    pub how: String,
    /// What people should hear although it went well: recipients that were refused.
    pub complaint: Option<String>,
    /// The end of what a program said. Sensitive.
    pub said: Option<String>,
}

/// What a storage target is.
#[derive(Clone)]
pub enum Place {
    /// It keeps what it gets.
    Storage(Arc<dyn Target>),
    /// It does not.
    Dispatch(Arc<dyn Dispatch>),
}

impl Place {
    /// The target, if it keeps what it gets.
    pub fn storage(&self) -> Option<&Arc<dyn Target>> {
        match self {
            Self::Storage(target) => Some(target),
            Self::Dispatch(_) => None,
        }
    }
}
