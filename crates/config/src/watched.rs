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
    ConfigError, Loaded, Problem, folder,
    interpret::{History, interpret},
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
pub fn watch(dir: &Path, shutdown: CancellationToken) -> Result<Watched, ConfigError> {
    folder::check(dir)?;
    let told = Arc::new(Notify::new());
    // Before the first reading, so that no change falls between the two.
    let watcher = start_watcher(dir, told.clone());
    let sources = source::read(dir);
    let fingerprint = source::fingerprint(&sources);
    let (loaded, history) = interpret(sources, &History::default());
    report(&loaded, &[]);
    let (sender, receiver) = watch::channel(loaded);
    let follower = Follower { dir: dir.to_owned(), told, fingerprint, history, sender };
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
    told: Arc<Notify>,
    fingerprint: u64,
    history: History,
    sender: watch::Sender<Loaded>,
}

impl Follower {
    async fn run(mut self, shutdown: CancellationToken) {
        let follow = async {
            loop {
                let _ = tokio::time::timeout(POLL, self.told.notified()).await;
                if let Some(sources) = self.changed_sources().await {
                    self.publish(sources);
                }
            }
        };
        shutdown.run_until_cancelled(follow).await;
    }

    /// The files, if they differ from those in force and have come to rest.
    async fn changed_sources(&self) -> Option<Vec<Source>> {
        let mut sources = self.read().await?;
        for _ in 0..MAX_SETTLE_ROUNDS {
            let before = source::fingerprint(&sources);
            if before == self.fingerprint {
                return None;
            }
            tokio::time::sleep(SETTLE).await;
            sources = self.read().await?;
            if source::fingerprint(&sources) == before {
                break;
            }
        }
        Some(sources)
    }

    async fn read(&self) -> Option<Vec<Source>> {
        let dir = self.dir.clone();
        tokio::task::spawn_blocking(move || source::read(&dir)).await.ok()
    }

    fn publish(&mut self, sources: Vec<Source>) {
        self.fingerprint = source::fingerprint(&sources);
        let (loaded, history) = interpret(sources, &self.history);
        self.history = history;
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
