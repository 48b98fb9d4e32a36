//! Witnesses (C2SP tlog-witness): others who see that a log only ever grew, and sign that they did.
//!
//! They are asked for every checkpoint, all at once, for a few seconds. One that does not answer is
//! left alone for a while; sealing never waits for it longer than that. Whether enough have cosigned
//! is said in the metrics, at `/readyz` and, when it changes, in the log; while too few have, the
//! newest checkpoint is offered again. One that has seen more than we know, or something else, halts
//! the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use attest::{AttestError, WitnessClient};
use bus::with_sources;
use domain::{ResourceName, TenantId, resources::tenant::evidence::Witness};
use evidence::log::{NoteSignature, SignedCheckpoint, tiles};
use futures::future;
use tokio::time::Instant;
use wire::event_v1::{Fault, event::What};

use super::{LogError, blocking, folder::LogFolder, refusal::Refusal};
use crate::context::{Context, WORKS_AGAIN};

/// How long a checkpoint waits for its cosignatures.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long a witness is left alone that did not answer.
const PAUSE: Duration = Duration::from_secs(10);

/// The status that says: this proof does not verify (C2SP tlog-witness).
const NO_PROOF: u16 = 422;

/// What is known of the witnesses of each log.
#[derive(Default)]
pub struct Witnesses(Mutex<BTreeMap<TenantId, Watched>>);

/// One log, seen by its witnesses.
#[derive(Default)]
struct Watched {
    members: Vec<Member>,
    /// Those that did not cosign the newest checkpoint, enough others or not.
    away: BTreeSet<ResourceName>,
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
    /// What it said, or failed to say, when it was asked last.
    problem: String,
}

/// Why there is no cosignature.
enum Without {
    /// It is away, or its answer is not good.
    Problem(String),
    /// It has seen what we cannot have written.
    Refusal(Refusal),
}

impl Witnesses {
    /// Adds cosignatures to a checkpoint whose tiles are published; as many as come in time. Those who
    /// have cosigned it are asked again only with `all`, to hear whether they have seen more since.
    /// Returns how many were added.
    ///
    /// # Errors
    /// A witness has seen another history of this log.
    pub(super) async fn cosign(
        &self,
        context: &Context,
        folder: &LogFolder,
        tenant: &TenantId,
        signed: &mut SignedCheckpoint,
        all: bool,
    ) -> Result<usize, Refusal> {
        let wanted = context.logs.wishes_of(tenant).witnesses;
        let members = self.members(tenant, &wanted.members);
        if members.is_empty() {
            self.judge(context, tenant, String::new(), BTreeSet::new(), members);
            return Ok(0);
        }
        let asked = members.into_iter().map(|member| ask(folder, signed, member, all));
        let (mut got, mut added) = (0, 0);
        let mut refused = None;
        let (mut away, mut names) = (Vec::new(), BTreeSet::new());
        let mut after = Vec::new();
        for (member, outcome) in future::join_all(asked).await {
            if outcome.is_err() {
                names.insert(member.configured.name.clone());
            }
            match outcome {
                Ok(lines) => {
                    got += 1;
                    added += lines.len();
                    lines.into_iter().for_each(|line| signed.add(line));
                }
                Err(Without::Problem(problem)) => {
                    away.push(format!("{}: {problem}", member.configured.name));
                }
                Err(Without::Refusal(refusal)) => {
                    away.push(format!("{}: it has seen another history", member.configured.name));
                    refused = Some(refusal);
                }
            }
            after.push(member);
        }
        let lack = if got < wanted.quorum {
            format!("{got} of {} witnesses cosigned ({})", wanted.quorum, away.join("; "))
        } else {
            String::new()
        };
        self.judge(context, tenant, lack, names, after);
        refused.map_or(Ok(added), Err)
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
                problem: String::new(),
            })
        };
        wanted.iter().map(member).collect()
    }

    /// Notes how it stands; says so when that is new.
    fn judge(
        &self,
        context: &Context,
        tenant: &TenantId,
        lack: String,
        away: BTreeSet<ResourceName>,
        members: Vec<Member>,
    ) {
        let mut all = self.all();
        let watched = all.entry(tenant.clone()).or_default();
        watched.members = members;
        let (was_good, is_good) = (watched.lack.is_empty(), lack.is_empty());
        watched.lack.clone_from(&lack);
        let before = std::mem::replace(&mut watched.away, away.clone());
        let lacking = all.values().filter(|watched| !watched.lack.is_empty()).count();
        let missing: usize = all.values().map(|watched| watched.away.len()).sum();
        drop(all);
        context.metrics.witnesses_away.set(i64::try_from(missing).unwrap_or(i64::MAX));
        // Where enough others cosign nobody is alarmed; who wonders finds the name.
        for witness in away.difference(&before).filter(|_| is_good) {
            tracing::info!(%tenant, %witness, "a witness does not cosign the log; enough others do");
        }
        for witness in before.difference(&away) {
            tracing::info!(%tenant, %witness, "a witness that was missing cosigns the log again");
        }
        context.metrics.logs_unwitnessed.set(i64::try_from(lacking).unwrap_or(i64::MAX));
        if was_good && !is_good {
            tracing::warn!(%tenant, problem = lack, "too few witnesses cosign the log; sealing goes on");
            let fault = Fault { r#where: "signer/witnesses".to_owned(), problem: lack, will_retry: true };
            context.event(tenant.as_str(), "", What::Fault(fault));
        } else if !was_good && is_good {
            tracing::warn!(%tenant, "enough witnesses cosign the log again");
            let problem = WORKS_AGAIN.to_owned();
            let fault = Fault { r#where: "signer/witnesses".to_owned(), problem, will_retry: false };
            context.event(tenant.as_str(), "", What::Fault(fault));
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
    all: bool,
) -> (Member, Result<Vec<NoteSignature>, Without>) {
    let key = member.client.as_ref().map(|client| client.key().clone());
    let is_cosigned = key.is_some_and(|key| !signed.cosigned_by(&[key]).is_empty());
    if is_cosigned && !all {
        return (member, Ok(Vec::new()));
    }
    if member.not_before.is_some_and(|until| until > Instant::now()) {
        let problem = member.problem.clone();
        return (member, Err(Without::Problem(problem)));
    }
    let asked = tokio::time::timeout(PATIENCE, ask_client(folder, signed, &member)).await;
    let problem = match asked {
        Ok(Ok(lines)) => {
            (member.size, member.not_before) = (Some(signed.checkpoint.size), None);
            return (member, Ok(if is_cosigned { Vec::new() } else { lines }));
        }
        Ok(Err(Without::Problem(problem))) => problem,
        Ok(Err(refusal)) => return (member, Err(refusal)),
        Err(_) => "no answer in time".to_owned(),
    };
    member.problem.clone_from(&problem);
    member.not_before = Some(Instant::now() + PAUSE);
    member.size = None;
    (member, Err(Without::Problem(problem)))
}

async fn ask_client(
    folder: &LogFolder,
    signed: &SignedCheckpoint,
    member: &Member,
) -> Result<Vec<NoteSignature>, Without> {
    let Some(client) = &member.client else {
        return Err(Without::Problem("its key or this machine's TLS is unusable".to_owned()));
    };
    let words = |error: LogError| Without::Problem(with_sources(&error));
    let (witness, ours) = (member.configured.name.to_string(), signed.checkpoint.size);
    let mut has_said = false;
    // A witness that is new begins at 0; one that has seen more says so.
    let mut old = member.size.unwrap_or(0);
    for _ in 0..3 {
        let (files, head) = (folder.clone(), signed.checkpoint.clone());
        let proof = blocking(move || tiles::consistency(&files, &head, old)).await.map_err(words)?;
        let proof = proof.map_err(|error| words(error.into()))?;
        match client.cosign(old, &proof, signed).await {
            Ok(lines) => return Ok(lines),
            Err(AttestError::Conflict { size }) if size > ours => {
                return Err(Without::Refusal(Refusal::WitnessedMore { witness, seen: size, known: ours }));
            }
            Err(AttestError::Conflict { size }) if size != old => (old, has_said) = (size, true),
            Err(AttestError::Conflict { size }) if size == ours => {
                return Err(Without::Refusal(Refusal::WitnessedOther { witness, size }));
            }
            // The proof from the size that it has named itself does not lead from its tree to ours.
            Err(AttestError::Status(NO_PROOF)) if has_said => {
                return Err(Without::Refusal(Refusal::WitnessedOther { witness, size: old }));
            }
            Err(error) => return Err(Without::Problem(with_sources(&error))),
        }
    }
    Err(Without::Problem("names another size each time it is asked".to_owned()))
}
