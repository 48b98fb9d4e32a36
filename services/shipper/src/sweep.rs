//! The sweeper: what lies in staging without an order, and what is ordered and does not lie there.
//! Each is told once, counted, and shown by `callseal sweep`.

mod findings;

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context;
use bus::{Bus, subjects};
use delivery::{Reporter, State, WorkList};
use domain::{RecordingId, TenantId};
use jiff::Timestamp;
use prometheus::{IntGaugeVec, Opts, Registry};
use tokio_util::sync::CancellationToken;
use wire::delivery_v1::{self as proto, SweepRequest, SweepResponse};

pub use findings::Findings;

use crate::{archive::Comparer, records::Records, staging::Staging};

/// A recording is sealed a moment before it is announced, and a signer that was down announces it when
/// it is back.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(600);
/// Pause before the subject is listened on anew.
const RETRY: Duration = Duration::from_secs(2);

/// What is wrong with a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    /// It lies sealed in staging, and was not announced.
    Unannounced,
    /// It lies in staging, has targets, and no order of it is left.
    Unordered,
    /// It is ordered, and does not lie in staging.
    Missing,
}

impl Wrong {
    const ALL: [Self; 3] = [Self::Unannounced, Self::Unordered, Self::Missing];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Unannounced => "unannounced",
            Self::Unordered => "unordered",
            Self::Missing => "missing",
        }
    }

    const fn problem(self) -> &'static str {
        match self {
            Self::Unannounced => {
                "it lies sealed in staging and was not announced; the signer announces it when it runs: if it does, look into \
                 its log"
            }
            Self::Unordered => {
                "it lies in staging, and no target has it or waits for it: its orders were given up, or the state database was \
                 set back; its files are kept"
            }
            Self::Missing => {
                "it waits to be brought to a target, and its files are not in staging; put them back from a backup, or find out \
                 who removed them"
            }
        }
    }
}

/// Tenant, recording, and what is wrong with it.
type Key = (String, String, Wrong);

/// Looks for recordings that are not where they should be.
#[derive(Clone)]
pub struct Sweeper {
    records: Records,
    list: WorkList,
    staging: Staging,
    reporter: Reporter,
    /// Looks at the targets, at its own pace.
    targets: Comparer,
    count: IntGaugeVec,
    findings: Findings,
}

impl Sweeper {
    /// Compares `staging`, `records` and `list`. Registers `callseal_shipper_sweep_findings`.
    ///
    /// # Errors
    /// The name of the metric is taken.
    pub fn new(
        records: Records,
        list: WorkList,
        staging: Staging,
        reporter: Reporter,
        (targets, findings): (Comparer, Findings),
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        let help = "Recordings that are not where they should be, by what is wrong: unannounced, unordered, missing.";
        let count = IntGaugeVec::new(Opts::new("callseal_shipper_sweep_findings", help), &["wrong"])?;
        registry.register(Box::new(count.clone()))?;
        Ok(Self { records, list, staging, reporter, targets, count, findings })
    }

    /// Looks once.
    pub async fn sweep(&self) {
        if let Err(error) = self.look().await {
            tracing::warn!(%error, "staging and orders cannot be compared now");
        }
    }

    async fn look(&self) -> anyhow::Result<()> {
        if !self.staging.is_there().await {
            // Nothing there is not the same as everything gone. The deliveries tell of it.
            return Ok(());
        }
        let found = self.compare().await?;
        let now = Timestamp::now();
        for (key, since) in self.findings.are_now(&found, now).await? {
            let waited = Duration::try_from(now.duration_since(since)).unwrap_or_default();
            let is_due = key.2 != Wrong::Unannounced || waited >= ANNOUNCED_WITHIN;
            // Of several replicas, and after a restart, one alone tells, once.
            if is_due && self.findings.is_mine_to_tell(&key).await? {
                self.tell(&key);
            }
        }
        for wrong in Wrong::ALL {
            let count = found.iter().filter(|(.., found)| *found == wrong).count();
            self.count.with_label_values(&[wrong.as_str()]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        Ok(())
    }

    /// Orders before files, files before records, records before orders: what comes or goes in between
    /// is seen at the side where it does no harm.
    async fn compare(&self) -> anyhow::Result<BTreeSet<Key>> {
        let before = self.list.open_recordings().await?;
        let there = self.staging.recordings().await.context("the staging folder cannot be listed")?;
        let known = self.records.staged().await?;
        let open = self.list.open_recordings().await?;
        let mut found = BTreeSet::new();
        let mut add = |wrong: Wrong, (tenant, recording): &(String, String)| {
            found.insert((tenant.clone(), recording.clone(), wrong));
        };
        there.difference(&known).for_each(|it| add(Wrong::Unannounced, it));
        before.intersection(&open).filter(|it| !there.contains(*it)).for_each(|it| add(Wrong::Missing, it));
        for it in known.difference(&open).filter(|it| there.contains(*it)) {
            if self.nobody_has_it(it).await? {
                add(Wrong::Unordered, it);
            }
        }
        Ok(found)
    }

    async fn nobody_has_it(&self, (tenant, recording): &(String, String)) -> anyhow::Result<bool> {
        let announced = self.records.announced(tenant, recording).await?;
        // Without a target that keeps it, it stays in staging, and that was told when it came.
        let has_targets = announced.is_some_and(|sealed| !sealed.targets.is_empty());
        Ok(has_targets && !is_carried_out(&self.list, tenant, recording).await?)
    }

    fn tell(&self, (tenant, recording, wrong): &Key) {
        tracing::warn!(tenant, recording, "sweep: {}", wrong.problem());
        if let Ok(tenant) = tenant.parse::<TenantId>() {
            self.reporter.fault(&tenant, recording.parse().ok(), "staging", wrong.problem(), false);
        }
    }

    async fn found(&self) -> anyhow::Result<Vec<proto::Finding>> {
        let shown = |((tenant, recording_id, wrong), since): (Key, Timestamp)| proto::Finding {
            tenant,
            recording_id,
            target: String::new(),
            problem: wrong.problem().to_owned(),
            since_unix_ms: since.as_millisecond(),
        };
        let known = self.findings.all().await?;
        Ok(known.into_iter().map(shown).chain(self.targets.findings()).collect())
    }

    /// Answers `callseal sweep` until `shutdown`: looks, then says what was found.
    pub async fn serve(self, bus: Bus, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let sweeper = self.clone();
            let answer = move |_: SweepRequest| {
                let sweeper = sweeper.clone();
                async move { sweeper.answer().await }
            };
            if let Err(error) = bus.serve(subjects::SHIPPER_SWEEP, "shipper", shutdown.clone(), answer).await
            {
                tracing::warn!(%error, "questions for a sweep are not answered now");
                let _stopped = shutdown.run_until_cancelled(tokio::time::sleep(RETRY)).await;
            }
        }
    }

    async fn answer(&self) -> SweepResponse {
        let at_unix_ms = Timestamp::now().as_millisecond();
        let found = async {
            self.look().await?;
            self.found().await
        };
        match found.await {
            Ok(findings) => SweepResponse { findings, error: String::new(), at_unix_ms },
            Err(error) => SweepResponse { error: format!("{error:#}"), at_unix_ms, ..Default::default() },
        }
    }
}

/// Whether a target keeps the recording. Where all its orders were given up, or went to places that keep
/// nothing, none does.
///
/// # Errors
/// The state database cannot be used.
pub async fn is_brought(list: &WorkList, tenant: &str, recording: &str) -> anyhow::Result<bool> {
    let Ok(tenant) = tenant.parse::<TenantId>() else { return Ok(false) };
    Ok(list.is_kept(&tenant, recording).await?)
}

/// Whether an order of the recording is done, be it that what it was brought to keeps nothing.
async fn is_carried_out(list: &WorkList, tenant: &str, recording: &str) -> anyhow::Result<bool> {
    let (Ok(tenant), Ok(recording)) = (tenant.parse::<TenantId>(), recording.parse::<RecordingId>()) else {
        return Ok(false);
    };
    let states = list.states_of(&tenant, recording).await?;
    Ok(states.iter().any(|(_, state)| *state == State::Done))
}
