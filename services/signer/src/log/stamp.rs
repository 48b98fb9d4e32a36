//! Time stamps (RFC 3161): an authority says that a checkpoint, or a recording's hash list, existed.
//!
//! A checkpoint is stamped as its copy lies in staging, byte for byte; the token lies beside it. Nobody
//! waits for it. A hash list's stamp is delivered with the recording, which waits for it, but no longer
//! than a minute.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use attest::{AttestError, TimeStampAuthority};
use bus::with_sources;
use domain::{TenantId, resources::tenant::evidence::TimeStamps};
use evidence::{
    Sha256Hash,
    log::{LogFiles, tiles},
};
use futures::future;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wire::event_v1::{Fault, event::What};

use super::{LogError, blocking, folder::LogFolder};
use crate::{
    context::{Context, WORKS_AGAIN},
    state::{Held, log_checkpoint::Stamp},
};

/// How often it is looked for checkpoints that want a stamp.
const EVERY: Duration = Duration::from_secs(1);
/// An answer that is not there after this long does not come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an authority is left alone that did not stamp.
const PAUSE: Duration = Duration::from_secs(5);

/// The authorities of the tenants.
#[derive(Default)]
pub struct Stamps(Mutex<BTreeMap<TenantId, Authority>>);

struct Authority {
    configured: TimeStamps,
    client: Option<TimeStampAuthority>,
    /// It is not asked before then.
    not_before: Option<Instant>,
    /// Why it does not stamp; empty: it does.
    problem: String,
}

/// Why there is no stamp yet.
#[derive(Debug, thiserror::Error)]
pub enum NoStamp {
    /// It failed a moment ago and is not asked yet.
    #[error("the time-stamp authority did not answer a moment ago")]
    Paused,
    /// Its settings, or this machine's TLS.
    #[error("the time-stamp authority's settings cannot be used")]
    Unusable,
    /// No answer.
    #[error("the time-stamp authority does not answer in time")]
    Late,
    /// It refuses, is away, or its answer is not good.
    #[error(transparent)]
    Attest(#[from] AttestError),
}

impl Stamps {
    /// Has `hash` stamped by the authority of `tenant`; the raw token.
    ///
    /// # Errors
    /// See [`NoStamp`]; logged and counted when it is news.
    pub async fn stamp(
        &self,
        context: &Context,
        tenant: &TenantId,
        wanted: &TimeStamps,
        hash: &Sha256Hash,
    ) -> Result<Vec<u8>, NoStamp> {
        let client = self.client(tenant, wanted)?;
        let outcome = match tokio::time::timeout(PATIENCE, client.stamp(hash)).await {
            Ok(Ok(token)) => Ok(token.as_der().to_vec()),
            Ok(Err(error)) => Err(NoStamp::from(error)),
            Err(_) => Err(NoStamp::Late),
        };
        self.note(context, tenant, outcome.as_ref().err());
        outcome
    }

    fn client(&self, tenant: &TenantId, wanted: &TimeStamps) -> Result<TimeStampAuthority, NoStamp> {
        let mut all = self.all();
        if all.get(tenant).is_none_or(|known| known.configured != *wanted) {
            let new = Authority {
                configured: wanted.clone(),
                client: TimeStampAuthority::new(wanted).ok(),
                not_before: None,
                problem: String::new(),
            };
            all.insert(tenant.clone(), new);
        }
        let Some(known) = all.get(tenant) else { return Err(NoStamp::Unusable) };
        if known.not_before.is_some_and(|until| until > Instant::now()) {
            return Err(NoStamp::Paused);
        }
        known.client.clone().ok_or(NoStamp::Unusable)
    }

    fn note(&self, context: &Context, tenant: &TenantId, error: Option<&NoStamp>) {
        let problem = error.map(|error| with_sources(error)).unwrap_or_default();
        let mut all = self.all();
        let Some(known) = all.get_mut(tenant) else { return };
        let (was_good, is_good) = (known.problem.is_empty(), problem.is_empty());
        known.problem.clone_from(&problem);
        known.not_before = (!is_good).then(|| Instant::now() + PAUSE);
        let failing = all.values().filter(|one| !one.problem.is_empty()).count();
        drop(all);
        context.metrics.authorities_failing.set(i64::try_from(failing).unwrap_or(i64::MAX));
        if was_good && !is_good {
            tracing::warn!(%tenant, problem, "the time-stamp authority does not stamp; sealing goes on");
            let fault = Fault { r#where: "signer/time-stamps".to_owned(), problem, will_retry: true };
            context.event(tenant.as_str(), "", What::Fault(fault));
        } else if !was_good && is_good {
            tracing::warn!(%tenant, "the time-stamp authority stamps again");
            let problem = WORKS_AGAIN.to_owned();
            let fault = Fault { r#where: "signer/time-stamps".to_owned(), problem, will_retry: false };
            context.event(tenant.as_str(), "", What::Fault(fault));
        }
    }

    /// Tenants whose authority does not stamp, and why.
    pub fn failing(&self) -> Vec<(TenantId, String)> {
        let failing = |(tenant, one): (&TenantId, &Authority)| {
            (!one.problem.is_empty()).then(|| (tenant.clone(), one.problem.clone()))
        };
        self.all().iter().filter_map(failing).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<TenantId, Authority>> {
        // Whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has checkpoints stamped until `stop`, or until the lease is lost.
pub(super) async fn run(context: &Context, lease: &Held, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match round(context, lease).await {
            Ok(()) => {}
            Err(error) if error.is_fenced() => return,
            Err(error) => context.fault("log", "", "", &error),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn round(context: &Context, lease: &Held) -> Result<(), LogError> {
    let heads = context.state.logs().await?;
    let work = heads.iter().filter(|head| head.halted.is_empty()).filter_map(|head| {
        let wanted = context.logs.wishes_of(&head.tenant).time_stamps?;
        Some(async move { stamp_newest(context, lease, &head.tenant, &wanted).await })
    });
    future::try_join_all(work).await.map(drop)
}

/// Has the newest checkpoint that wants it stamped. What fails is tried again in a later round.
async fn stamp_newest(
    context: &Context,
    lease: &Held,
    tenant: &TenantId,
    wanted: &TimeStamps,
) -> Result<(), LogError> {
    let Some(due) = context.state.last_to_stamp(tenant).await? else { return Ok(()) };
    if due.stamp != Stamp::Wanted {
        return Ok(());
    }
    let (folder, size) = (LogFolder::new(&context.staging, tenant)?, due.size);
    let files = folder.clone();
    let copy = blocking(move || files.read(&tiles::checkpoint_path(size))).await?;
    let Some(copy) = copy.map_err(super::folder::FolderError::from)? else {
        return Ok(context.state.set_stamp(lease, tenant, size, Stamp::None).await?);
    };
    if let Ok(token) = context.logs.stamps.stamp(context, tenant, wanted, &Sha256Hash::of(&copy)).await {
        folder.replace(&LogFolder::stamp_path(size), token).await?;
        context.state.set_stamp(lease, tenant, size, Stamp::Put).await?;
    }
    Ok(())
}
