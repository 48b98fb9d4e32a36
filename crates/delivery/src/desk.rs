//! Answers a person's questions over NATS: what waits where, and "try that again".

use std::{collections::BTreeMap, future::Future, time::Duration};

use bus::{Bus, BusError, subjects};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::delivery_v1::{
    self as proto, Change, ChangeRequest, ChangeResponse, ListDestinationsRequest, ListDestinationsResponse,
};

use crate::{DeliveryError, Destination, Role, Standing, Terms, WorkList};

/// Pause before the subjects are listened on anew.
const RETRY: Duration = Duration::from_secs(2);

/// What the desk looks things up in.
#[derive(Clone)]
struct Desk {
    list: WorkList,
    existing: watch::Receiver<BTreeMap<Destination, Terms>>,
}

/// Answers until `shutdown`. Replicas share the questions: all of them know the same list.
pub(crate) async fn serve(
    role: Role,
    bus: Bus,
    list: WorkList,
    existing: watch::Receiver<BTreeMap<Destination, Terms>>,
    shutdown: CancellationToken,
) {
    let desk = Desk { list, existing };
    let (lists, changes) = (subjects::destinations(role.service), subjects::change_destination(role.service));
    tokio::join!(
        keep(&shutdown, || {
            let desk = desk.clone();
            bus.serve(&lists, role.service, shutdown.clone(), move |_: ListDestinationsRequest| {
                let desk = desk.clone();
                async move { desk.destinations().await }
            })
        }),
        keep(&shutdown, || {
            let desk = desk.clone();
            bus.serve(&changes, role.service, shutdown.clone(), move |request: ChangeRequest| {
                let desk = desk.clone();
                async move { desk.change(request).await }
            })
        }),
    );
}

async fn keep<F: Future<Output = Result<(), BusError>>>(shutdown: &CancellationToken, serve: impl Fn() -> F) {
    while !shutdown.is_cancelled() {
        if let Err(error) = serve().await {
            tracing::warn!(%error, "questions from the command line are not answered now");
            let _stopped = shutdown.run_until_cancelled(tokio::time::sleep(RETRY)).await;
        }
    }
}

impl Desk {
    async fn destinations(&self) -> ListDestinationsResponse {
        let existing = self.existing.borrow().clone();
        match self.list.standings(&existing.keys().cloned().collect()).await {
            Ok(standings) => {
                let destinations = standings.into_iter().map(|standing| told(standing, &existing)).collect();
                ListDestinationsResponse { destinations, error: String::new() }
            }
            Err(error) => ListDestinationsResponse { destinations: Vec::new(), error: error.to_string() },
        }
    }

    async fn change(&self, request: ChangeRequest) -> ChangeResponse {
        match self.carry_out(&request).await {
            Ok(orders) => ChangeResponse { orders, error: String::new() },
            Err(error) => ChangeResponse { orders: 0, error },
        }
    }

    async fn carry_out(&self, request: &ChangeRequest) -> Result<u64, String> {
        let invalid = |error: domain::InvalidId| error.to_string();
        let destination = Destination {
            tenant: request.tenant.parse().map_err(invalid)?,
            name: request.name.parse().map_err(invalid)?,
        };
        let failed = |error: DeliveryError| error.to_string();
        let now = Timestamp::now();
        let orders = match request.change() {
            Change::Retry => self.list.retry(&destination, now).await.map_err(failed)?,
            Change::Release if !self.existing.borrow().contains_key(&destination) => {
                return Err("it is not in the configuration: put it there again, then release".to_owned());
            }
            Change::Release => self.list.release(&destination, now).await.map_err(failed)?,
            Change::Unspecified => return Err("the request does not say what to do".to_owned()),
        };
        tracing::info!(%destination, change = request.change().as_str_name(), orders, "asked by a person");
        Ok(orders)
    }
}

fn told(standing: Standing, existing: &BTreeMap<Destination, Terms>) -> proto::Destination {
    let waiting = standing.backlog.into_iter().map(|backlog| proto::Waiting {
        state: backlog.state.as_str().to_owned(),
        orders: backlog.orders,
        oldest_unix_ms: backlog.oldest.as_millisecond(),
        last_error: backlog.last_error.unwrap_or_default(),
    });
    proto::Destination {
        tenant: standing.destination.tenant.to_string(),
        name: standing.destination.name.to_string(),
        configured: existing.contains_key(&standing.destination),
        waiting: waiting.collect(),
        trouble: standing.trouble.map(|trouble| proto::Trouble {
            problem: trouble.problem,
            since_unix_ms: trouble.since.as_millisecond(),
            next_attempt_unix_ms: trouble.next_attempt.as_millisecond(),
            needs_person: trouble.needs_person,
        }),
    }
}
