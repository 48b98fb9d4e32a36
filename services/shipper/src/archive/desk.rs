//! What people at the command line ask: holds, and deletions that two of them answer for. Who they are is
//! what they say for now.

use std::{sync::Arc, time::Duration};

use bus::{Bus, subjects, with_sources};
use delivery::Reporter;
use domain::TenantId;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wire::{
    archive_v1::{
        DeletionRequest, DeletionResponse, Hold, HoldRequest, HoldResponse, PlaceHold, RequestDeletion,
        deletion_request::What as AboutDeletion, hold_request::What as AboutHold,
    },
    event_v1::{HoldChanged, event::What},
};

use super::{Archive, ArchiveError, Policy, holds::Over, judgement::Refusal};

/// Pause before a subject is listened on anew.
const RETRY: Duration = Duration::from_secs(2);
/// Replicas share requests under this name.
const QUEUE: &str = "shipper";

/// Answers what people ask of the archive.
#[derive(Clone)]
pub struct Desk {
    archive: Archive,
    policy: Policy,
    reporter: Reporter,
    wake: Arc<Notify>,
}

/// An answer, or why there is none.
type Answer<T> = Result<Result<T, Refusal>, ArchiveError>;

impl Desk {
    /// For `archive`; rings `wake` when a deletion was marked, or may go on.
    pub const fn new(archive: Archive, policy: Policy, reporter: Reporter, wake: Arc<Notify>) -> Self {
        Self { archive, policy, reporter, wake }
    }

    /// Answers until `shutdown`.
    pub async fn serve(self, bus: Bus, shutdown: CancellationToken) {
        let (holds, deletions) = (self.clone(), self);
        let holds = always(&shutdown, || {
            let desk = holds.clone();
            let answer = move |request: HoldRequest| {
                let desk = desk.clone();
                async move { desk.hold(request).await }
            };
            bus.serve(subjects::SHIPPER_HOLD, QUEUE, shutdown.clone(), answer)
        });
        let deletions = always(&shutdown, || {
            let desk = deletions.clone();
            let answer = move |request: DeletionRequest| {
                let desk = desk.clone();
                async move { desk.deletion(request).await }
            };
            bus.serve(subjects::SHIPPER_DELETION, QUEUE, shutdown.clone(), answer)
        });
        tokio::join!(holds, deletions);
    }

    async fn hold(&self, request: HoldRequest) -> HoldResponse {
        match self.about_hold(request).await {
            Ok(Ok((holds, begun))) => HoldResponse { problem: String::new(), holds, begun },
            Ok(Err(refusal)) => HoldResponse { problem: refusal.to_string(), ..HoldResponse::default() },
            Err(error) => HoldResponse { problem: with_sources(&error), ..HoldResponse::default() },
        }
    }

    async fn about_hold(&self, request: HoldRequest) -> Answer<(Vec<Hold>, Vec<String>)> {
        let now = Timestamp::now();
        let one = |hold: Hold| (vec![hold], Vec::new());
        match request.what {
            Some(AboutHold::Place(asked)) => {
                let (tenant, over) = match read(&asked) {
                    Ok(read) => read,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                if !self.policy.knows(&tenant) {
                    return Ok(Err(Refusal::Text("there is no such tenant in the configuration")));
                }
                let placed = self.archive.place_hold(&tenant, &over, (&asked.reason, &asked.by), now).await?;
                Ok(placed.map(|(hold, begun)| {
                    self.told(&hold, true, &hold.by, &over);
                    (vec![hold], begun)
                }))
            }
            Some(AboutHold::List(asked)) => {
                Ok(Ok((self.archive.holds(&asked.tenant, asked.released, None).await?, Vec::new())))
            }
            Some(AboutHold::Release(asked)) => {
                let released =
                    self.archive.ask_release(signed(asked.hold), (&asked.reason, &asked.by), now).await?;
                Ok(released.map(one))
            }
            Some(AboutHold::Confirm(asked)) => {
                let released = self.archive.confirm_release(signed(asked.hold), &asked.by, now).await?;
                Ok(released.map(|hold| {
                    let by = format!("{} and {}", hold.release_by, hold.confirmed_by);
                    self.told(&hold, false, &by, &Over::Between(0, 0));
                    self.wake.notify_one();
                    one(hold)
                }))
            }
            None => Ok(Err(Refusal::Text("it is not said what is wanted"))),
        }
    }

    /// Tells people that a hold was placed or released.
    fn told(&self, hold: &Hold, placed: bool, by: &str, over: &Over) {
        tracing::info!(hold = hold.hold, placed, "a legal hold was changed");
        let Ok(tenant) = hold.tenant.parse::<TenantId>() else { return };
        let recording = match over {
            Over::Recording(recording) => Some(*recording),
            _ => None,
        };
        let changed = HoldChanged { hold: hold.hold, placed, over: hold.over.clone(), by: by.to_owned() };
        self.reporter.event(&tenant, recording, What::HoldChanged(changed));
    }

    async fn deletion(&self, request: DeletionRequest) -> DeletionResponse {
        match self.about_deletion(request).await {
            Ok(Ok(deletions)) => DeletionResponse { problem: String::new(), deletions },
            Ok(Err(refusal)) => DeletionResponse { problem: refusal.to_string(), deletions: Vec::new() },
            Err(error) => DeletionResponse { problem: with_sources(&error), deletions: Vec::new() },
        }
    }

    async fn about_deletion(&self, request: DeletionRequest) -> Answer<Vec<wire::archive_v1::Deletion>> {
        let (now, policy) = (Timestamp::now(), &self.policy);
        match request.what {
            Some(AboutDeletion::Request(RequestDeletion { tenant, recording_id, reason, by })) => {
                let (Ok(tenant), Ok(recording)) = (tenant.parse::<TenantId>(), recording_id.parse()) else {
                    return Ok(Err(Refusal::Text("this is no name of a tenant, or no id of a recording")));
                };
                let asked =
                    self.archive.request_deletion((&tenant, recording), (&reason, &by), policy, now).await?;
                Ok(asked.map(|deletion| vec![deletion]))
            }
            Some(AboutDeletion::Confirm(asked)) => {
                let marked =
                    self.archive.confirm_deletion(signed(asked.deletion), &asked.by, policy, now).await?;
                Ok(marked.map(|deletion| {
                    self.wake.notify_one();
                    vec![deletion]
                }))
            }
            Some(AboutDeletion::List(asked)) => Ok(Ok(self.archive.deletions(&asked).await?)),
            Some(AboutDeletion::Withdraw(asked)) => {
                let withdrawn =
                    self.archive.withdraw_deletion(signed(asked.deletion), &asked.by, now).await?;
                Ok(withdrawn.map(|deletion| vec![deletion]))
            }
            None => Ok(Err(Refusal::Text("it is not said what is wanted"))),
        }
    }
}

fn read(asked: &PlaceHold) -> Result<(TenantId, Over), Refusal> {
    let tenant = asked.tenant.parse().map_err(|_| Refusal::Text("this is no name of a tenant"))?;
    Ok((tenant, Over::read(asked.over.clone())?))
}

/// A number that no row has stands for one that is too large.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}

/// Listens again when a subscription fails or ends.
async fn always<F>(shutdown: &CancellationToken, serve: impl Fn() -> F)
where
    F: Future<Output = Result<(), bus::BusError>>,
{
    while !shutdown.is_cancelled() {
        if let Err(error) = serve().await {
            tracing::warn!(
                error = with_sources(&error),
                "questions about holds and deletions are not answered now"
            );
            let _stopped = shutdown.run_until_cancelled(tokio::time::sleep(RETRY)).await;
        }
    }
}
