//! One mirror: it brings what a target lacks of the log, round by round.
//!
//! Order of a round, and what a crash leaves behind. At each moment the target's `checkpoint` has all its
//! tiles, bundles and statements beside it:
//! 1. certificates, statements of the log's keys. Crash: files for a later checkpoint;
//! 2. full bundles and tiles, read back; then the partial ones, which have other names for each size;
//! 3. copies and time stamps of checkpoints;
//! 4. `checkpoint` takes the place of the old one; the first time, `archive.txt` comes then;
//! 5. the partial tiles of the old one are removed. Crash before: they stay until the next start, when
//!    the target is listed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use delivery::Destination;
use evidence::log::tiles::checkpoint_path;
use futures::{TryStreamExt as _, stream};
use targets::{Content, Pace, Target, TargetError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    Shared, edge,
    files::{below, bring_note, bring_script, names, put_for_ever, split},
    published::{Published, Snapshot, Stamp},
    standing::{Standing, Trouble},
    theirs::{Theirs, compare, not_continued},
};
use crate::{certificates, fail_point, open_targets::Opened};

/// Files brought at once: a log of years comes to a new target within minutes, and recordings go on.
const AT_ONCE: usize = 4;
/// Copies of checkpoints that have no time stamp come so often: any two of them can be compared, and
/// nobody needs one for every two seconds of ten years.
const COPY_EVERY: Duration = Duration::from_secs(3600);

/// The mirror of one target.
pub struct Mirror {
    destination: Destination,
    shared: Arc<Shared>,
    standing: Standing,
    opened: Option<Arc<Opened>>,
    state: State,
}

/// What is known of an opened target.
#[derive(Default)]
struct State {
    /// When the log had last changed that lies in the target whole.
    settled: Option<Stamp>,
    /// What was found when it was listed, and has come since.
    known: Option<Known>,
}

struct Known {
    /// Entries whose full tiles and bundles are there for certain.
    size: u64,
    /// The partial files that were brought, or found.
    partial: BTreeSet<String>,
    statements: BTreeSet<String>,
    copies: BTreeSet<String>,
    copied_at: Option<Instant>,
}

impl Mirror {
    pub(super) fn new(destination: Destination, shared: Arc<Shared>) -> Self {
        let Shared { gauges, reporter, times, .. } = &*shared;
        let standing = Standing::new(destination.clone(), gauges.clone(), reporter.clone(), times.late_after);
        Self { destination, shared, standing, opened: None, state: State::default() }
    }

    /// Follows the log until `stop`; `wake` says that a recording was brought just now.
    pub(super) async fn run(mut self, wake: Arc<Notify>, stop: CancellationToken) {
        let mut config = self.shared.config.clone();
        let times = self.shared.times;
        let mut faults = 0;
        loop {
            let round = tokio::select! {
                round = self.round() => round,
                () = stop.cancelled() => return,
            };
            let pause = match round {
                Ok(()) => {
                    faults = 0;
                    times.every
                }
                Err(trouble) => {
                    self.standing.failed(&trouble);
                    faults += 1;
                    if trouble.needs_person { times.backoff.ceiling } else { times.backoff.wait(faults, 0.5) }
                }
            };
            // What was brought just now proves that the target works.
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = wake.notified() => {}
                () = config.changed() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn round(&mut self) -> Result<(), Trouble> {
        let Some(published) = Published::new(&self.shared.staging, &self.destination.tenant) else {
            return Ok(());
        };
        let now = SystemTime::now();
        let Some(stamp) = published.stamp().await else { return Ok(()) };
        let Some(opened) = self.shared.targets.get(&self.destination).await else { return Ok(()) };
        if !self.opened.as_ref().is_some_and(|old| Arc::ptr_eq(old, &opened)) {
            (self.opened, self.state) = (Some(Arc::clone(&opened)), State::default());
        }
        if self.state.settled.as_ref() == Some(&stamp) {
            let size = self.state.known.as_ref().map_or(0, |known| known.size);
            self.standing.complete(size);
            return Ok(());
        }
        self.standing.behind();
        let entries = self.bring(&opened, &published).await?;
        self.standing.complete(entries);
        self.state.settled = stamp.is_settled(now).then_some(stamp);
        Ok(())
    }

    /// Brings what is missing; answers how many entries are there.
    async fn bring(&mut self, opened: &Opened, published: &Published) -> Result<u64, Trouble> {
        // A place that keeps nothing has no mirror.
        let Some(target) = opened.place.storage() else { return Ok(0) };
        let target = &**target;
        let log = format!("log/{}", self.destination.tenant);
        let (staged, tenant) = (&self.shared.staging, &self.destination.tenant);
        certificates::bring(staged, tenant, target, &mut *opened.certificates.lock().await).await?;
        let mut ours = published.snapshot().await.map_err(staging)?;
        let mut theirs = compare(target, &log, &ours).await?;
        if matches!(theirs, Theirs::Newer(_)) {
            // Another shipper brought one that was published since; if not, it is worth an alarm.
            ours = published.snapshot().await.map_err(staging)?;
            theirs = compare(target, &log, &ours).await?;
        }
        if let Theirs::Newer(size) = theirs {
            return Err(not_continued(size, &ours));
        }
        let mut known = match self.state.known.take() {
            Some(known) => known,
            None => {
                bring_script(target).await?;
                self.find_out((target, &opened.pace), &log, published, &ours).await?
            }
        };
        let pace = &opened.pace;
        bring_for_ever((target, pace), &log, "keys", published, &mut known.statements, |_| true).await?;
        // Somebody may have put an older archive in the place of this one.
        let from = if let Theirs::Older(size) = theirs { known.size.min(size) } else { known.size };
        let full = stream::iter(edge::full(from, ours.head.size).map(Ok));
        full.try_for_each_concurrent(AT_ONCE, |path| bring_full((target, pace), &log, published, path))
            .await?;
        let current: BTreeSet<String> = ours.partial.iter().map(|(path, _)| path.clone()).collect();
        let unchanged = matches!(theirs, Theirs::Same) && known.partial == current;
        for (path, bytes) in ours.partial.iter().filter(|_| !unchanged) {
            let path = format!("{log}/{path}");
            let (folder, name) = split(&path);
            target.replace(folder, name, &paced(bytes.clone(), pace)).await?;
        }
        fail_point::reached("log-tiles");
        self.bring_copies((target, pace), &log, published, &ours, &mut known).await?;
        match compare(target, &log, &ours).await? {
            Theirs::Same => {}
            // Another shipper was faster, and keeps it up to date from here.
            Theirs::Newer(_) => {
                self.state.known = Some(known);
                return Ok(ours.head.size);
            }
            Theirs::None | Theirs::Older(_) | Theirs::SignedOtherwise => {
                target.replace(&log, "checkpoint", &paced(ours.checkpoint.clone(), pace)).await?;
            }
        }
        // With this note it calls itself an archive: from here on a log without a checkpoint is a fault.
        bring_note(target, &self.destination).await?;
        fail_point::reached("log-checkpoint");
        for path in known.partial.difference(&current) {
            let path = format!("{log}/{path}");
            let (folder, name) = split(&path);
            target.remove(folder, name).await?;
        }
        known.partial = current;
        known.size = ours.head.size;
        self.state.known = Some(known);
        Ok(ours.head.size)
    }

    /// Lists the target once, and brings what is missing of what had been brought before.
    async fn find_out(
        &self,
        (target, pace): (&dyn Target, &Arc<Pace>),
        log: &str,
        published: &Published,
        ours: &Snapshot,
    ) -> Result<Known, Trouble> {
        let tiles: BTreeMap<String, u64> = below(target, &format!("{log}/tile")).await?;
        let tiles: BTreeMap<String, u64> =
            tiles.into_iter().map(|(path, size)| (format!("tile/{path}"), size)).collect();
        let mut missing = Vec::new();
        for path in edge::full(0, ours.head.size) {
            let there = tiles.get(&path).copied();
            if there != Some(published.size(&path).await.map_err(staging)?) {
                if there.is_some() {
                    tracing::warn!(destination = %self.destination, path, "a file of the log has another size in the target");
                }
                missing.push(path);
            }
        }
        let missing = stream::iter(missing.into_iter().map(Ok));
        missing
            .try_for_each_concurrent(AT_ONCE, |path| bring_full((target, pace), log, published, path))
            .await?;
        Ok(Known {
            size: ours.head.size,
            partial: tiles.into_keys().filter(|path| path.contains(".p/")).collect(),
            statements: names(target, &format!("{log}/keys")).await?,
            copies: names(target, &format!("{log}/checkpoints")).await?,
            copied_at: None,
        })
    }

    /// Brings the copies of checkpoints that have a time stamp, with it, and now and then the newest.
    async fn bring_copies(
        &self,
        (target, pace): (&dyn Target, &Arc<Pace>),
        log: &str,
        published: &Published,
        ours: &Snapshot,
        known: &mut Known,
    ) -> Result<(), Trouble> {
        let newest = checkpoint_path(ours.head.size);
        let newest = split(&newest).1.to_owned();
        let due = known.copied_at.is_none_or(|at| at.elapsed() >= COPY_EVERY);
        let names = published.names("checkpoints").await.map_err(staging)?;
        let stamped: BTreeSet<&str> = names.iter().filter_map(|name| name.strip_suffix(".tsr")).collect();
        let wanted = |name: &str| {
            stamped.contains(name.strip_suffix(".tsr").unwrap_or(name)) || (due && name == newest)
        };
        bring_for_ever((target, pace), log, "checkpoints", published, &mut known.copies, wanted).await?;
        if due {
            known.copied_at = Some(Instant::now());
        }
        Ok(())
    }
}

/// Brings the files of a folder that never change and are not `there` yet.
async fn bring_for_ever(
    (target, pace): (&dyn Target, &Arc<Pace>),
    log: &str,
    folder: &str,
    published: &Published,
    there: &mut BTreeSet<String>,
    wanted: impl Fn(&str) -> bool,
) -> Result<(), Trouble> {
    let mut names = published.names(folder).await.map_err(staging)?;
    // A statement comes after its signature; the time stamp of a checkpoint after the checkpoint.
    names.sort_by_key(|name| !name.ends_with(".sig"));
    for name in names {
        if there.contains(&name) || !wanted(&name) {
            continue;
        }
        let path = format!("{folder}/{name}");
        let bytes = match published.read(&path).await {
            // The signer thins its copies out.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            bytes => bytes.map_err(staging)?,
        };
        put_for_ever(target, &format!("{log}/{path}"), &paced(bytes, pace)).await?;
        there.insert(name);
    }
    Ok(())
}

/// Brings a full tile or bundle and reads it back. Its content follows from the log alone, so that one
/// that was left half or damaged is written anew.
async fn bring_full(
    (target, pace): (&dyn Target, &Arc<Pace>),
    log: &str,
    published: &Published,
    path: String,
) -> Result<(), Trouble> {
    let content = paced(published.read(&path).await.map_err(staging)?, pace);
    let path = format!("{log}/{path}");
    let (folder, name) = split(&path);
    target.replace(folder, name, &content).await?;
    pace.reading_back(target.verify(folder, name, content.size(), content.sha256())).await?;
    Ok(())
}

/// The log shares the target's `bytesPerSecond` with the recordings.
fn paced(bytes: Vec<u8>, pace: &Arc<Pace>) -> Content {
    Content::from_bytes(bytes).paced(Arc::clone(pace))
}

fn staging(error: std::io::Error) -> Trouble {
    let problem = format!("the published log cannot be read from staging: {error}");
    Trouble { problem, needs_person: false, forked: false }
}

impl From<TargetError> for Trouble {
    fn from(error: TargetError) -> Self {
        Self { needs_person: error.is_permanent(), problem: error.to_string(), forked: false }
    }
}
