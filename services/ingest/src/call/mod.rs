//! One call: its state, the task that runs it, and what the signalling side tells it.
//!
//! The state machine ([`state`]) is pure; [`asking`] is an open question for consent within it,
//! [`taking`] a recording, [`keys`] hears what people press. [`runner`] feeds it, [`effects`] carries
//! out what it says, and [`control`] lets rules look at the call and stop or start its recording.

mod asking;
pub mod budget;
mod control;
pub mod decision;
mod effects;
mod keys;
mod runner;
pub mod state;
mod taking;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bus::{Bus, CallPublisher};
use domain::{CallFacts, RecordingId, resources::TenantResources};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wire::call_v1::{EndReason, Stream};

use crate::{
    media::{CallMedia, Media},
    metrics::Metrics,
};
use budget::Budget;

/// The recording client at the other end of the signalling.
#[async_trait]
pub trait Peer: Send + Sync + 'static {
    /// Asks whether it still knows the call.
    async fn still_knows_the_call(&self) -> bool;
    /// Tells it that we end the call.
    async fn hang_up(&self, reason: EndReason);
    /// The call is over and may be forgotten.
    fn forget(&self);
}

/// Times and limits of calls.
#[derive(Debug, Clone)]
pub struct CallOptions {
    /// Media and signalling both silent for so long: the client is asked, and the call ended
    /// unless it still knows it.
    pub silence: Duration,
    /// How long rules may take to decide.
    pub decision: Duration,
}

/// What all calls share.
pub struct Calls {
    /// Where decisions come from and events go to.
    pub bus: Bus,
    /// Where recorded calls go to.
    pub publisher: CallPublisher,
    /// Receives media.
    pub media: Media,
    /// Memory for undecided audio.
    pub budget: Budget,
    /// Counters.
    pub metrics: Metrics,
    /// Times and limits.
    pub options: CallOptions,
    /// The tasks of live calls, to be waited for when draining.
    pub tasks: TaskTracker,
    /// The grace time is over: every call ends now, and what is undecided is decided without rules.
    pub closing: CancellationToken,
}

/// What the INVITE said.
pub struct NewCall {
    /// Id of the recording that this may become.
    pub recording: RecordingId,
    /// Whose call it is.
    pub tenant: Arc<TenantResources>,
    /// When the INVITE came. Unix time, microseconds.
    pub invited_unix_us: i64,
    /// Who calls whom.
    pub facts: CallFacts,
    /// The streams.
    pub streams: Vec<Stream>,
    /// When it was answered, as far as the client says. Unix time, microseconds; 0: not said.
    pub answered_unix_us: i64,
    /// False while every stream is held: then no media is expected.
    pub expects_media: bool,
}

/// What signalling tells a call.
#[derive(Debug)]
pub enum Told {
    /// Something about the call changed.
    Changed(Box<Change>),
    /// A request of the dialog came that changed nothing: the client is alive.
    Alive,
    /// The answer was never acknowledged.
    NoAck,
    /// The call is over.
    Ended(EndReason),
}

/// How a call is from now on.
#[derive(Debug)]
pub struct Change {
    /// The facts.
    pub facts: CallFacts,
    /// The streams.
    pub streams: Vec<Stream>,
    /// When it was answered, as far as the client says. Unix time, microseconds; 0: not said.
    pub answered_unix_us: i64,
    /// Whether media is to be expected.
    pub expects_media: bool,
    /// What changed, for people: "held", "metadata".
    pub reason: &'static str,
}

/// A live call, as signalling holds it.
#[derive(Clone)]
pub struct CallHandle {
    /// Id of the recording that this may become.
    pub recording: RecordingId,
    told: UnboundedSender<Told>,
    media: Arc<Mutex<CallMedia>>,
}

impl CallHandle {
    /// Tells the call something; it is not waited for.
    pub fn tell(&self, told: Told) {
        // A call that is over needs to hear nothing.
        let _ = self.told.send(told);
    }

    /// The call's media, to open and look up ports.
    pub fn media(&self) -> MutexGuard<'_, CallMedia> {
        self.media.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call whose media is open but whose task does not run yet: signalling opens the ports and
/// writes its answer in between. Dropped, nothing remains of it.
pub struct Opened {
    /// The handle, good already.
    pub handle: CallHandle,
    inbox: runner::Inbox,
}

impl Calls {
    /// Opens the media of a call. Audio is taken from the moment a stream has its ports.
    pub fn open(&self, recording: RecordingId) -> Opened {
        let (told, told_inbox) = unbounded_channel();
        let (sink, chunks) = unbounded_channel();
        let media = Arc::new(Mutex::new(self.media.call(sink)));
        Opened {
            handle: CallHandle { recording, told, media },
            inbox: runner::Inbox { told: told_inbox, chunks },
        }
    }

    /// Lets the call run.
    pub fn run(self: &Arc<Self>, opened: Opened, call: NewCall, peer: Arc<dyn Peer>) -> CallHandle {
        let handle = opened.handle.clone();
        let runner = runner::Runner::new(self.clone(), handle.clone(), call, peer);
        self.tasks.spawn(runner.run(opened.inbox));
        handle
    }
}
