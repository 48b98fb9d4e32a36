//! A folder that is watched: what changes in it is in force a moment later, without a restart
//! (F-106).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use domain::resources::Resources;
use notify::{
    EventKind, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    ConfigError, Loaded, Problem, Unready,
    audio::{self, Stamps},
    folder,
    interpret::{History, interpret},
    sealed::KeyFile,
    source::{self, Source},
};

/// How long a folder has to be quiet before it is read: editors and `kubectl` change a file in
/// several steps, and what lies between them is nobody's intention.
const SETTLE: Duration = Duration::from_millis(200);

/// A folder that is never quiet is read all the same.
const MAX_SETTLE_ROUNDS: usize = 10;

/// How often the folder is read without being told of a change: network file systems and bind
/// mounts report none.
const POLL: Duration = Duration::from_secs(5);

/// The configuration in force, always current. Clones are cheap, and each sees every change.
#[derive(Debug, Clone)]
pub struct Watched {
    loaded: watch::Receiver<Loaded>,
}

impl Watched {
    /// What is in force now. Keep the value for one piece of work and ask again for the next.
    pub fn current(&self) -> Arc<Resources> {
        self.loaded.borrow().resources.clone()
    }

    /// What is wrong now.
    pub fn problems(&self) -> Arc<Vec<Problem>> {
        self.loaded.borrow().problems.clone()
    }

    /// Which rules name what nothing can be brought to yet.
    pub fn unready(&self) -> Vec<Unready> {
        let loaded = self.loaded.borrow().clone();
        loaded.unready()
    }

    /// Waits until the configuration (or what is wrong with it) has changed since this clone last
    /// waited. Never returns once watching has ended. Safe to be cancelled.
    pub async fn changed(&mut self) {
        if self.loaded.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// A configuration that never changes.
    pub fn fixed(resources: Resources) -> Self {
        let loaded = Loaded { resources: Arc::new(resources), ..Loaded::default() };
        Self { loaded: watch::channel(loaded).1 }
    }
}

/// Reads the folder `dir` and watches it until `shutdown`. Has to be called within a tokio
/// runtime. Problems are logged when they appear. Error: `dir` is not a folder.
///
/// For those who have no use for secrets: what is sealed stays closed, and whatever refers to it is
/// silently not in force.
pub fn watch(dir: &Path, shutdown: CancellationToken) -> Result<Watched, ConfigError> {
    follow(dir, KeyFile::none(), shutdown)
}

/// The same, for those who use secrets: sealed values are opened with the key in the file `key`, which
/// is never made. A value that cannot be opened is a problem, and is missing. A key that appears or
/// changes is a change of configuration.
pub fn watch_with_key(dir: &Path, key: &Path, shutdown: CancellationToken) -> Result<Watched, ConfigError> {
    follow(dir, KeyFile::at(key), shutdown)
}

fn follow(dir: &Path, key: KeyFile, shutdown: CancellationToken) -> Result<Watched, ConfigError> {
    folder::check(dir)?;
    let told = Arc::new(Notify::new());
    // Before the first reading, so that no change falls between the two.
    let watcher = start_watcher(dir, told.clone());
    let sources = source::read(dir);
    let texts = source::fingerprint(&sources, key.stamp(&sources));
    let (loaded, history) = interpret(dir, sources, &History::default(), &key);
    report(&loaded, &[]);
    let (sender, receiver) = watch::channel(loaded);
    let follower = Follower { dir: dir.to_owned(), key, told, texts, history: Arc::new(history), sender };
    tokio::spawn(async move {
        let _watcher = watcher;
        follower.run(shutdown).await;
    });
    Ok(Watched { loaded: receiver })
}

fn start_watcher(dir: &Path, told: Arc<Notify>) -> Option<notify::RecommendedWatcher> {
    let on_event = move |event: notify::Result<notify::Event>| {
        // Our own reading opens and closes files, too.
        let reading = |kind: &EventKind| match kind {
            EventKind::Access(access) => *access != AccessKind::Close(AccessMode::Write),
            _ => false,
        };
        if !event.is_ok_and(|event| reading(&event.kind)) {
            told.notify_one();
        }
    };
    let started = notify::recommended_watcher(on_event)
        .and_then(|mut watcher| watcher.watch(dir, RecursiveMode::Recursive).map(|()| watcher));
    if let Err(error) = &started {
        warn!(%error, "the configuration folder is not watched; it is read every {} s instead", POLL.as_secs());
    }
    started.ok()
}

/// The task that follows the folder.
struct Follower {
    dir: PathBuf,
    key: KeyFile,
    told: Arc<Notify>,
    /// Fingerprint of the texts in force, and of the key.
    texts: u64,
    history: Arc<History>,
    sender: watch::Sender<Loaded>,
}

/// A folder as it is at one moment.
struct Seen {
    sources: Vec<Source>,
    texts: u64,
    /// Of the files that announcements in force consist of.
    audio: Stamps,
}

impl Seen {
    fn same(&self, other: &Self) -> bool {
        self.texts == other.texts && self.audio == other.audio
    }
}

impl Follower {
    async fn run(mut self, shutdown: CancellationToken) {
        let follow = async {
            loop {
                let _ = tokio::time::timeout(POLL, self.told.notified()).await;
                if let Some(seen) = self.changed().await {
                    self.publish(seen).await;
                }
            }
        };
        shutdown.run_until_cancelled(follow).await;
    }

    /// The folder, if it differs from what is in force and has come to rest.
    async fn changed(&self) -> Option<Seen> {
        let mut seen = self.look().await?;
        for _ in 0..MAX_SETTLE_ROUNDS {
            if seen.texts == self.texts && seen.audio == self.history.audio {
                return None;
            }
            tokio::time::sleep(SETTLE).await;
            let before = std::mem::replace(&mut seen, self.look().await?);
            if seen.same(&before) {
                break;
            }
        }
        Some(seen)
    }

    async fn look(&self) -> Option<Seen> {
        let (dir, key, history) = (self.dir.clone(), self.key.clone(), self.history.clone());
        let look = move || {
            let sources = source::read(&dir);
            let texts = source::fingerprint(&sources, key.stamp(&sources));
            Seen { texts, sources, audio: audio::stamps(history.audio.keys()) }
        };
        tokio::task::spawn_blocking(look).await.ok()
    }

    async fn publish(&mut self, Seen { sources, texts, .. }: Seen) {
        let (dir, key, history) = (self.dir.clone(), self.key.clone(), self.history.clone());
        // Decodes audio: not on a thread where others wait.
        let work = tokio::task::spawn_blocking(move || interpret(&dir, sources, &history, &key));
        let Ok((loaded, history)) = work.await else { return };
        self.texts = texts;
        self.history = Arc::new(history);
        report(&loaded, &self.sender.borrow().problems);
        self.sender.send_replace(loaded);
    }
}

/// Logs what is in force, and each problem once: when it appears.
fn report(loaded: &Loaded, known: &[Problem]) {
    let tenants = loaded.resources.tenants.len();
    let rules: usize = loaded.resources.tenants.values().map(|tenant| tenant.rules.len()).sum();
    info!(tenants, rules, problems = loaded.problems.len(), "configuration read");
    for problem in loaded.problems.iter().filter(|problem| !known.contains(problem)) {
        warn!("configuration: {problem}");
    }
}
