//! Checkpoints: the write order of [`super`], steps 1 to 6.

use std::{collections::BTreeSet, time::Duration};

use bus::with_sources;
use domain::TenantId;
use evidence::{
    Sha256Hash,
    log::{
        Checkpoint, Entry, LogKey, SignedCheckpoint, What, WitnessKey,
        tiles::{self, Growth},
    },
};
use futures::future;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use wire::event_v1::{Fault, event::What as Happened};

use super::{
    LogError, anew, blocking,
    folder::{LogFolder, NEWEST},
    refusal::{self, Refusal, Verdict},
    statement, thin,
};
use crate::{
    context::Context,
    fail_point,
    staging::StagingError,
    state::{
        Held, StateError,
        log::{LogHead, source},
        log_checkpoint::{Stamp, StoredCheckpoint},
    },
};

/// Logs that are signed and published at the same time.
pub(super) const AT_ONCE: usize = 8;
/// Rows of published entries are kept for longer than the stream EVENTS keeps what they come from.
const KEEP_ROWS: Duration = Duration::from_secs(35 * 86_400);
/// Old rows and copies are looked for once in so many checkpoints.
const TIDY_EVERY: u64 = 64;

/// Looks at each log before anything is added to it.
///
/// # Errors
/// State or staging cannot be read.
pub(super) async fn begin(context: &Context, lease: &Held) -> Result<(), LogError> {
    let mut tenants: BTreeSet<TenantId> =
        context.state.logs().await?.into_iter().map(|head| head.tenant).collect();
    let folders = context.staging.folders(&object_store::path::Path::from("log")).await?;
    tenants.extend(folders.iter().filter_map(|name| name.parse().ok()));
    let tenants: Vec<TenantId> = tenants.into_iter().collect();
    for some in tenants.chunks(AT_ONCE) {
        let looks = some.iter().map(|tenant| look_at(context, lease, tenant));
        future::join_all(looks).await.into_iter().collect::<Result<(), _>>()?;
    }
    Ok(())
}

async fn look_at(context: &Context, lease: &Held, tenant: &TenantId) -> Result<(), LogError> {
    if let Some(head) = context.state.log_head(tenant).await?.filter(|head| !head.halted.is_empty()) {
        let is_held = match anew::folder(context, tenant).await? {
            anew::Folder::MovedAway => return anew::begin(context, lease, &head).await,
            anew::Folder::Lost => true,
            anew::Folder::There => is_held_by_witness(context, &head),
        };
        if is_held {
            context.state.set_log_halted(lease, tenant, &head.halted, &head.halted_by).await?;
            say_halted(context, tenant, head.halted);
            return Ok(());
        }
    }
    match begin_one(context, lease, tenant).await {
        Ok(()) => {
            context.state.set_log_halted(lease, tenant, "", "").await?;
            anew::take_notice_away(context, tenant).await;
        }
        Err(LogError::Refused(refusal)) => halt(context, lease, tenant, &refusal).await?,
        Err(error @ LogError::State(_)) => return Err(error),
        // Nothing is signed before it can be read; nothing says that it must not grow.
        Err(error) => {
            context.logs.troubles.note(tenant, &with_sources(&error), false);
            tracing::error!(%tenant, error = with_sources(&error), "the log cannot be looked at");
        }
    }
    Ok(())
}

/// What a witness has seen is not undone by a new start: it stays halted until somebody has brought the
/// right database back, which is not halted, or has taken that witness out of the configuration.
fn is_held_by_witness(context: &Context, head: &LogHead) -> bool {
    let members = context.logs.wishes_of(&head.tenant).witnesses.members;
    members.iter().any(|member| member.name.as_str() == head.halted_by)
}

async fn begin_one(context: &Context, lease: &Held, tenant: &TenantId) -> Result<(), LogError> {
    let folder = LogFolder::new(&context.staging, tenant)?;
    let files = folder.clone();
    // The largest copy: it was put before anything else knew of that checkpoint.
    let (newest, copy) = blocking(move || {
        let largest = files.copies()?.last().map_or(Ok(None), |copy| files.copy(copy.size));
        Ok::<_, super::folder::FolderError>((files.newest()?, largest?))
    })
    .await??;
    let Some(published) = largest(newest.clone(), copy) else { return Ok(()) };
    if context.state.log_head(tenant).await?.is_none() {
        // Published from another database: the row is there to be halted.
        context.state.insert_log(tenant, &published.checkpoint.origin).await?;
    }
    let head = context.state.ensure_log(tenant, "").await?;
    let last = context.state.last_checkpoint(tenant).await?;
    let last = match refusal::judge(&context.state, &folder, &head, last.as_ref(), published).await? {
        Verdict::Known => last,
        Verdict::Adopt(signed) => Some(adopt(context, lease, &head, signed).await?),
    };
    let Some(last) = last else { return Ok(()) };
    if newest.is_none_or(|newest| newest.checkpoint.size < last.size) {
        folder.replace(NEWEST, last.note.clone()).await?;
    }
    // Before anything new is signed: staging may have been restored together with the database, but a
    // witness remembers.
    let signed = SignedCheckpoint::parse(&last.note).map_err(super::folder::FolderError::from)?;
    offer(context, lease, tenant, &folder, signed, true).await
}

/// Offers the newest checkpoint to the witnesses that have not cosigned it, or to `all`.
async fn offer(
    context: &Context,
    lease: &Held,
    tenant: &TenantId,
    folder: &LogFolder,
    mut signed: SignedCheckpoint,
    all: bool,
) -> Result<(), LogError> {
    if context.logs.witnesses.cosign(context, folder, tenant, &mut signed, all).await? > 0 {
        let stored = store(context, lease, tenant, signed).await?;
        folder.replace(NEWEST, stored.note).await?;
    }
    Ok(())
}

/// Whether fewer witnesses have cosigned than the tenant wants; then the checkpoint.
fn lacking(context: &Context, tenant: &TenantId, last: &StoredCheckpoint) -> Option<SignedCheckpoint> {
    let wanted = context.logs.wishes_of(tenant).witnesses;
    if wanted.members.is_empty() {
        return None;
    }
    let key = |key: &str| WitnessKey::parse(key).ok();
    let keys: Vec<WitnessKey> = wanted.members.iter().filter_map(|member| key(&member.key)).collect();
    let signed = SignedCheckpoint::parse(&last.note).ok()?;
    (signed.cosigned_by(&keys).len() < wanted.quorum).then_some(signed)
}

fn largest(a: Option<SignedCheckpoint>, b: Option<SignedCheckpoint>) -> Option<SignedCheckpoint> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.checkpoint.size > a.checkpoint.size { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Stops a log, and says so.
pub(super) async fn halt(
    context: &Context,
    lease: &Held,
    tenant: &TenantId,
    refusal: &Refusal,
) -> Result<(), StateError> {
    let problem = refusal.to_string();
    context.state.set_log_halted(lease, tenant, &problem, refusal.witness()).await?;
    anew::put_notice(context, tenant, &problem).await;
    say_halted(context, tenant, problem);
    Ok(())
}

fn say_halted(context: &Context, tenant: &TenantId, problem: String) {
    tracing::error!(%tenant, problem, "the log is halted: this tenant's recordings wait unsealed");
    let fault = Fault { r#where: "signer/log".to_owned(), problem, will_retry: false };
    context.event(tenant.as_str(), "", Happened::Fault(fault));
}

/// Steps 1 to 6 for one log, if it has grown, or if nothing happened for long. Of those that read and
/// write files no more work than `at_once` allows; one that waits for its key is not among them.
pub(super) async fn advance(
    context: &Context,
    lease: &Held,
    head: &LogHead,
    at_once: &Semaphore,
) -> Result<(), LogError> {
    let tenant = &head.tenant;
    let last = context.state.last_checkpoint(tenant).await?;
    let (size, root) = last.as_ref().map_or_else(|| (0, Sha256Hash::of(b"")), |last| (last.size, last.root));
    let mut head = head.clone();
    if head.size() == size {
        let now = Timestamp::now();
        let age = now.as_millisecond() - last.as_ref().map_or(0, |last| last.at_ms);
        if Duration::from_millis(u64::try_from(age).unwrap_or(0)) < context.options.heartbeat_every() {
            let Some((last, folder)) = last.zip(LogFolder::new(&context.staging, tenant).ok()) else {
                return Ok(());
            };
            return match lacking(context, tenant, &last) {
                Some(signed) => {
                    let _permit = at_once.acquire().await;
                    offer(context, lease, tenant, &folder, signed, false).await
                }
                None => Ok(()),
            };
        }
        let beat = Entry { at: now, tenant: tenant.clone(), what: What::Heartbeat };
        let beat = (beat, source::heartbeat(now.as_millisecond()));
        context.state.commit_entries(lease, tenant, &[beat]).await?;
        head = context.state.ensure_log(tenant, "").await?;
    }
    // Its key may take its time.
    let keys = context.keys.of(tenant).await?;
    let is_to_name_one = head.key_id.is_empty() && !head.follows.is_empty();
    let is_other = !head.key_id.is_empty() && head.key_id != keys.signing.key_id().to_string();
    if is_to_name_one || is_other {
        // It was begun anew; or its key changed while it was halted, or is to change as the configuration
        // says. The next round signs, with the entry that tells it.
        crate::key::in_log(context, lease, tenant).await?;
        if context.state.ensure_log(tenant, "").await?.size() != head.size() {
            context.logs.grown.notify_one();
            return Ok(());
        }
    }
    let _permit = at_once.acquire().await;
    let folder = LogFolder::new(&context.staging, tenant)?;

    // 1: what is published, and the root anew.
    let files = folder.clone();
    if let Some(newest) = blocking(move || files.newest()).await?? {
        // One that SQL does not have was found at the start, or the database was changed since.
        match refusal::judge(&context.state, &folder, &head, last.as_ref(), newest).await? {
            Verdict::Known => {}
            Verdict::Adopt(signed) => drop(adopt(context, lease, &head, signed).await?),
        }
    }
    let growth = grow(context, &folder, &head, size, root).await?;
    if growth.root != head.root() || growth.size != head.size() {
        return Err(LogError::RootsDiffer);
    }

    // 2: the signature.
    let key = LogKey { name: head.origin.clone(), public: keys.log.public() };
    statement::publish(&folder, &keys, &key).await?;
    let checkpoint = Checkpoint { origin: head.origin.clone(), size: growth.size, root: growth.root };
    let (log_key, body) = (keys.log.clone(), checkpoint.body());
    let signature = blocking(move || log_key.sign(body.as_bytes())).await??;
    let signed = SignedCheckpoint::new(checkpoint, &key, signature)?;
    fail_point::log_reached("checkpoint-signed");

    // 3: bundles and tiles.
    publish(&folder, growth.files).await?;
    fail_point::log_reached("tiles-put");

    // 4: the copy.
    let mut signed = copy(&folder, &key, signed).await?;
    fail_point::log_reached("checkpoint-copied");

    // 5: cosignatures, then SQL.
    context.logs.witnesses.cosign(context, &folder, tenant, &mut signed, false).await?;
    let stored = store(context, lease, tenant, signed).await?;
    fail_point::log_reached("checkpoint-stored");

    // 6: readers.
    folder.replace(NEWEST, stored.note).await?;
    context.metrics.checkpoints.inc();
    context.to_announce.notify_one();
    tidy(context, lease, &folder, &head, size).await;
    Ok(())
}

/// The tree of `size` and `root`, grown to the head in the database.
async fn grow(
    context: &Context,
    folder: &LogFolder,
    head: &LogHead,
    size: u64,
    root: Sha256Hash,
) -> Result<Growth, LogError> {
    let entries = refusal::entries(&context.state, &head.tenant, size, head.size()).await?;
    let files = folder.clone();
    match blocking(move || tiles::grow(&files, size, root, &entries)).await? {
        Ok(growth) => Ok(growth),
        // Published files were lost: everything is published again, if all entries are still known.
        Err(tiles::TreeError::Missing(path)) if size > 0 => {
            let entries = match refusal::entries(&context.state, &head.tenant, 0, head.size()).await {
                Err(LogError::Hole(entry)) => return Err(LogError::Lost { path, entry }),
                entries => entries?,
            };
            tracing::warn!(tenant = %head.tenant, path, "a file of the log was lost; all are published anew");
            let (files, nothing) = (folder.clone(), Sha256Hash::of(b""));
            Ok(blocking(move || tiles::grow(&files, 0, nothing, &entries)).await??)
        }
        Err(error) => Err(error.into()),
    }
}

/// Files that are made once; those of later checkpoints only after those of earlier ones.
async fn publish(folder: &LogFolder, files: Vec<(String, Vec<u8>)>) -> Result<(), LogError> {
    let mut files = files.into_iter();
    loop {
        let some: Vec<_> = files.by_ref().take(32).collect();
        if some.is_empty() {
            return Ok(());
        }
        let puts = some
            .into_iter()
            .map(|(path, content)| async move { folder.put_once(&path, content, "a tile of a log").await });
        match future::try_join_all(puts).await {
            Ok(_) => {}
            Err(StagingError::Different(what)) => return Err(Refusal::Overwritten(what).into()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Puts the copy; one that is there already is taken in place of ours if it is of the same tree.
async fn copy(
    folder: &LogFolder,
    key: &LogKey,
    signed: SignedCheckpoint,
) -> Result<SignedCheckpoint, LogError> {
    let size = signed.checkpoint.size;
    match folder.put_once(&tiles::checkpoint_path(size), signed.to_bytes(), "a checkpoint of a log").await {
        Ok(()) => Ok(signed),
        Err(StagingError::Different(_)) => {
            let files = folder.clone();
            let there = blocking(move || files.copy(size)).await??;
            match there {
                // A key of ECDSA signs the same text differently each time.
                Some(there) if there.checkpoint == signed.checkpoint && there.is_signed_by(key) => Ok(there),
                _ => Err(Refusal::Forked { size }.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

async fn store(
    context: &Context,
    lease: &Held,
    tenant: &TenantId,
    signed: SignedCheckpoint,
) -> Result<StoredCheckpoint, LogError> {
    let now = Timestamp::now().as_millisecond();
    let stored = StoredCheckpoint {
        size: signed.checkpoint.size,
        root: signed.checkpoint.root,
        note: signed.to_bytes(),
        at_ms: now,
        stamp: if is_to_be_stamped(context, tenant, now).await? { Stamp::Wanted } else { Stamp::None },
    };
    context.state.commit_checkpoint(lease, tenant, &stored).await?;
    Ok(stored)
}

/// Takes over a checkpoint that lies in staging and that the database does not have. Its tree is ours; who
/// signed it is to be seen yet.
async fn adopt(
    context: &Context,
    lease: &Held,
    head: &LogHead,
    signed: SignedCheckpoint,
) -> Result<StoredCheckpoint, LogError> {
    let mut keys = context.state.keys_of(Some(&head.tenant)).await?;
    keys.extend(context.state.keys_of(None).await?);
    let is_ours =
        keys.iter().filter_map(|row| row.log_key_of(&head.origin)).any(|key| signed.is_signed_by(&key));
    if !is_ours {
        return Err(LogError::ForeignCheckpoint(signed.checkpoint.size));
    }
    store(context, lease, &head.tenant, signed).await
}

async fn is_to_be_stamped(context: &Context, tenant: &TenantId, now: i64) -> Result<bool, StateError> {
    let Some(wanted) = context.logs.wishes_of(tenant).time_stamps else { return Ok(false) };
    let last = context.state.last_to_stamp(tenant).await?;
    let every = i64::try_from(wanted.every.as_millis()).unwrap_or(i64::MAX);
    Ok(last.is_none_or(|last| now - last.at_ms >= every))
}

/// Deletes what nobody needs any more. What fails is tried again after later checkpoints.
async fn tidy(context: &Context, lease: &Held, folder: &LogFolder, head: &LogHead, before: u64) {
    let now = head.size();
    let is_time = before / TIDY_EVERY != now / TIDY_EVERY;
    let files = folder.clone();
    let deleted = blocking(move || {
        thin::partial(&files, before, now)?;
        if is_time { thin::copies(&files) } else { Ok(0) }
    });
    match deleted.await {
        Ok(Ok(0)) | Err(_) => {}
        Ok(Ok(count)) => tracing::debug!(tenant = %head.tenant, count, "old copies of checkpoints deleted"),
        Ok(Err(error)) => tracing::warn!(%error, "old files of a log could not be deleted"),
    }
    if is_time {
        let keep = i64::try_from(KEEP_ROWS.as_millis()).unwrap_or(i64::MAX);
        let old = Timestamp::now().as_millisecond() - keep;
        let full = before / tiles::WIDTH * tiles::WIDTH;
        if let Err(error) = context.state.forget_entries(lease, &head.tenant, full, old).await {
            tracing::debug!(error = with_sources(&error), "old rows of a log could not be deleted");
        }
    }
}
