//! Witnesses (C2SP tlog-witness): others who see that a log only ever grew, and sign that they did.
//!
//! They are asked for every checkpoint, all at once, for a few seconds. One that does not answer is
//! left alone for a while; sealing never waits for it longer than that. Whether enough have cosigned
//! is said in the metrics, at `/readyz` and, when it changes, in the log.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use attest::{AttestError, WitnessClient};
use bus::with_sources;
use domain::{TenantId, resources::tenant::evidence::Witness};
use evidence::log::{NoteSignature, SignedCheckpoint, tiles};
use futures::future;
use tokio::time::Instant;
use wire::event_v1::{Fault, event::What};

use super::{LogError, blocking, folder::LogFolder};
use crate::context::Context;

/// How long a checkpoint waits for its cosignatures.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long a witness is left alone that did not answer.
const PAUSE: Duration = Duration::from_secs(10);

/// What is known of the witnesses of each log.
#[derive(Default)]
pub struct Witnesses(Mutex<BTreeMap<TenantId, Watched>>);

/// One log, seen by its witnesses.
#[derive(Default)]
struct Watched {
    members: Vec<Member>,
    /// What is missing to the quorum, in words; empty: nothing.
    lack: String,
}

#[derive(Clone)]
struct Member {
    configured: Witness,
    client: Option<WitnessClient>,
    /// Entries of the tree that it cosigned last, as far as is known.
    size: Option<u64>,
    /// It is not asked before then.
    not_before: Option<Instant>,
}

impl Witnesses {
    /// Adds cosignatures to a checkpoint whose tiles are published; as many as come in time.
    pub(super) async fn cosign(
        &self,
        context: &Context,
        folder: &LogFolder,
        tenant: &TenantId,
        signed: &mut SignedCheckpoint,
    ) {
        let wanted = context.logs.wishes_of(tenant).witnesses;
        let members = self.members(tenant, &wanted.members);
        if members.is_empty() {
            self.judge(context, tenant, String::new(), members);
            return;
        }
        let asked = members.into_iter().map(|member| ask(folder, signed, member));
        let mut got = 0;
        let mut away = Vec::new();
        let mut after = Vec::new();
        for (member, outcome) in future::join_all(asked).await {
            match outcome {
                Ok(lines) => {
                    got += 1;
                    lines.into_iter().for_each(|line| signed.add(line));
                }
                Err(problem) => away.push(format!("{}: {problem}", member.configured.name)),
            }
            after.push(member);
        }
        let lack = if got < wanted.quorum {
            format!("{got} of {} witnesses cosigned ({})", wanted.quorum, away.join("; "))
        } else {
            String::new()
        };
        self.judge(context, tenant, lack, after);
    }

    /// Logs whose newest checkpoint too few witnesses have cosigned, with what is missing.
    pub fn lacking(&self) -> Vec<(TenantId, String)> {
        let lacking = |(tenant, watched): (&TenantId, &Watched)| {
            (!watched.lack.is_empty()).then(|| (tenant.clone(), watched.lack.clone()))
        };
        self.all().iter().filter_map(lacking).collect()
    }

    /// The members as they are configured now, with what is known of those that have not changed.
    fn members(&self, tenant: &TenantId, wanted: &[Witness]) -> Vec<Member> {
        let all = self.all();
        let known = all.get(tenant).map(|watched| watched.members.as_slice()).unwrap_or_default();
        let member = |witness: &Witness| {
            known.iter().find(|member| member.configured == *witness).cloned().unwrap_or_else(|| Member {
                configured: witness.clone(),
                client: WitnessClient::new(witness).ok(),
                size: None,
                not_before: None,
            })
        };
        wanted.iter().map(member).collect()
    }

    /// Notes how it stands; says so when that is new.
    fn judge(&self, context: &Context, tenant: &TenantId, lack: String, members: Vec<Member>) {
        let mut all = self.all();
        let watched = all.entry(tenant.clone()).or_default();
        watched.members = members;
        let (was_good, is_good) = (watched.lack.is_empty(), lack.is_empty());
        watched.lack.clone_from(&lack);
        let lacking = all.values().filter(|watched| !watched.lack.is_empty()).count();
        drop(all);
        context.metrics.logs_unwitnessed.set(i64::try_from(lacking).unwrap_or(i64::MAX));
        if was_good && !is_good {
            tracing::warn!(%tenant, problem = lack, "too few witnesses cosign the log; sealing goes on");
            let fault = Fault { r#where: "signer/witnesses".to_owned(), problem: lack, will_retry: true };
            context.event(tenant.as_str(), "", What::Fault(fault));
        } else if !was_good && is_good {
            tracing::warn!(%tenant, "enough witnesses cosign the log again");
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<TenantId, Watched>> {
        // Whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(
    folder: &LogFolder,
    signed: &SignedCheckpoint,
    mut member: Member,
) -> (Member, Result<Vec<NoteSignature>, String>) {
    if member.not_before.is_some_and(|until| until > Instant::now()) {
        return (member, Err("did not answer a moment ago".to_owned()));
    }
    let asked = tokio::time::timeout(PATIENCE, ask_client(folder, signed, &member)).await;
    let problem = match asked {
        Ok(Ok(lines)) => {
            (member.size, member.not_before) = (Some(signed.checkpoint.size), None);
            return (member, Ok(lines));
        }
        Ok(Err(problem)) => problem,
        Err(_) => "no answer in time".to_owned(),
    };
    member.not_before = Some(Instant::now() + PAUSE);
    member.size = None;
    (member, Err(problem))
}

async fn ask_client(
    folder: &LogFolder,
    signed: &SignedCheckpoint,
    member: &Member,
) -> Result<Vec<NoteSignature>, String> {
    let Some(client) = &member.client else { return Err("its key or this machine's TLS is unusable".into()) };
    let words = |error: LogError| with_sources(&error);
    // A witness that is new begins at 0; one that has seen more says so.
    let mut old = member.size.unwrap_or(0);
    for _ in 0..3 {
        let (files, head) = (folder.clone(), signed.checkpoint.clone());
        let proof = blocking(move || tiles::consistency(&files, &head, old)).await.map_err(words)?;
        let proof = proof.map_err(|error| words(error.into()))?;
        match client.cosign(old, &proof, signed).await {
            Ok(lines) => return Ok(lines),
            Err(AttestError::Conflict { size }) if size != old && size <= signed.checkpoint.size => {
                old = size
            }
            Err(AttestError::Conflict { size }) => {
                return Err(format!(
                    "saw another history of this log, over {size} entries: was an old state restored?"
                ));
            }
            Err(error) => return Err(with_sources(&error)),
        }
    }
    Err("names another size each time it is asked".to_owned())
}
