//! The signer's desks for notes and for the state of logs, as the shipper sees it: entries are numbered, and who asks again with the same
//! word gets the number of the first time. The real one is asked in the tests over the whole system.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use bus::{
    Bus,
    subjects::{SIGNER_LOG_STATE, SIGNER_NOTE},
};
use futures::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wire::evidence_v1::{
    Deletion, LogPlace, LogState, LogStateRequest, LogStateResponse, NoteRequest, NoteResponse,
    note_request::What,
};

/// An entry `deleted`.
#[derive(Debug, Clone)]
pub struct Written {
    pub recording: String,
    pub targets: Vec<String>,
    pub reason: String,
    pub by: String,
    once: String,
}

/// What happens before a note is answered.
type Before = Arc<dyn Fn(Bus) -> BoxFuture<'static, ()> + Send + Sync>;

pub struct Log {
    entries: Arc<Mutex<Vec<Written>>>,
    signs: Arc<AtomicBool>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Log {
    /// Writes what is asked for.
    pub async fn start(bus: &Bus) -> Self {
        Self::answering(bus, "", Arc::new(|_| Box::pin(async {}))).await
    }

    /// The same; `before` is awaited before each answer.
    pub async fn start_with(bus: &Bus, before: Before) -> Self {
        Self::answering(bus, "", before).await
    }

    /// Refuses everything with this text.
    pub async fn refusing(bus: &Bus, problem: &'static str) -> Self {
        Self::answering(bus, problem, Arc::new(|_| Box::pin(async {}))).await
    }

    async fn answering(bus: &Bus, problem: &'static str, before: Before) -> Self {
        let (entries, stop) = (Arc::<Mutex<Vec<Written>>>::default(), CancellationToken::new());
        let (written, serving, stopped) = (Arc::clone(&entries), bus.clone(), stop.clone());
        let (signs, counted) = (Arc::new(AtomicBool::new(true)), Arc::clone(&entries));
        let signing = Arc::clone(&signs);
        let state = move |_: LogStateRequest| {
            let size = counted.lock().unwrap().len() as u64;
            let checkpoint_size = if signing.load(Ordering::SeqCst) { size } else { 0 };
            let log = LogState { tenant: "acme".into(), size, checkpoint_size, ..LogState::default() };
            std::future::ready(LogStateResponse { logs: vec![log] })
        };
        let serving = tokio::spawn(async move {
            let asked = serving.clone();
            let answer = move |request: NoteRequest| {
                let (written, before, bus) = (Arc::clone(&written), Arc::clone(&before), asked.clone());
                async move {
                    before(bus).await;
                    if problem.is_empty() {
                        let index = write(&mut written.lock().unwrap(), request);
                        let place = Some(LogPlace { tenant: "acme".into(), index });
                        NoteResponse { problem: String::new(), place }
                    } else {
                        NoteResponse { problem: problem.to_owned(), place: None }
                    }
                }
            };
            let noting = serving.serve(SIGNER_NOTE, "signer", stopped.clone(), answer);
            let telling = serving.serve(SIGNER_LOG_STATE, "signer", stopped, state);
            let (noted, told) = tokio::join!(noting, telling);
            noted.and(told).unwrap();
        });
        Self { entries, signs, stop, serving }
    }

    /// Whether checkpoints are signed that cover all entries; without, there is none.
    pub fn sign(&self, signs: bool) {
        self.signs.store(signs, Ordering::SeqCst);
    }

    pub fn entries(&self) -> Vec<Written> {
        self.entries.lock().unwrap().clone()
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
    }
}

fn write(entries: &mut Vec<Written>, request: NoteRequest) -> u64 {
    let NoteRequest { tenant, recording_id, once, what } = request;
    assert_eq!(tenant, "acme");
    assert!(!once.is_empty());
    let Some(What::Deletion(Deletion { targets, reason, by })) = what else { panic!("no deletion") };
    let known = entries.iter().position(|entry| entry.once == once && entry.recording == recording_id);
    let index = known.unwrap_or_else(|| {
        entries.push(Written { recording: recording_id, targets, reason, by, once });
        entries.len() - 1
    });
    index as u64
}
