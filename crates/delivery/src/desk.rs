//! Answers a person's questions over NATS: what waits where, and "try that again".

use std::{collections::BTreeMap, future::Future, time::Duration};

use bus::{Bus, BusError, subjects};
use domain::RecordingId;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::{
    delivery_v1::{
        self as proto, Change, ChangeRequest, ChangeResponse, ListDestinationsRequest,
        ListDestinationsResponse, ListShipmentsRequest, ListShipmentsResponse,
    },
    event_v1::{Deleted, event::What},
};

use crate::{
    Asked, DeliveryError, Destination, Gate, Hours, Reporter, Role, Shipment, Standing, Terms, WorkList,
};

/// Pause before the subjects are listened on anew.
const RETRY: Duration = Duration::from_secs(2);

/// The windows as the configuration says them, and when they open; 0: they are open.
fn hours(terms: &Terms) -> (String, i64) {
    let now = Timestamp::now();
    match (&terms.hours, terms.gate(now)) {
        (Hours::Always, _) => (String::new(), 0),
        (Hours::Windows { windows, .. }, Gate::Closed(Some(opens))) => {
            (windows.to_string(), opens.as_millisecond())
        }
        (Hours::Windows { windows, .. }, _) => (windows.to_string(), 0),
        (Hours::At { schedule, zone }, _) => {
            let next = schedule.next_after(now, zone);
            (schedule.to_string(), next.map_or(0, Timestamp::as_millisecond))
        }
    }
}

/// What the desk looks things up in.
#[derive(Clone)]
struct Desk {
    list: WorkList,
    existing: watch::Receiver<BTreeMap<Destination, Terms>>,
    reporter: Reporter,
}

/// Answers until `shutdown`. Replicas share the questions: all of them know the same list.
pub(crate) async fn serve(
    role: Role,
    bus: Bus,
    list: WorkList,
    existing: watch::Receiver<BTreeMap<Destination, Terms>>,
    shutdown: CancellationToken,
) {
    let desk = Desk { list, existing, reporter: Reporter::new(bus.clone(), role) };
    let (lists, changes) = (subjects::destinations(role.service), subjects::change_destination(role.service));
    let shipments = subjects::shipments(role.service);
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
            bus.serve(&shipments, role.service, shutdown.clone(), move |request: ListShipmentsRequest| {
                let desk = desk.clone();
                async move { desk.shipments(request).await }
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

    async fn shipments(&self, request: ListShipmentsRequest) -> ListShipmentsResponse {
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let recording = match given(request.recording_id).map(|id| id.parse::<RecordingId>()).transpose() {
            Ok(recording) => recording,
            Err(error) => return ListShipmentsResponse { error: error.to_string(), ..Default::default() },
        };
        let (tenant, name) = (given(request.tenant), given(request.name));
        let asked = Asked { tenant, name, recording, failed: request.failed, after: request.after };
        match self.list.shipments(&asked).await {
            Ok(page) => ListShipmentsResponse {
                shipments: page.shipments.into_iter().map(shown).collect(),
                next: page.next.unwrap_or_default(),
                error: String::new(),
            },
            Err(error) => ListShipmentsResponse { error: error.to_string(), ..Default::default() },
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
        if !request.recording_id.is_empty() {
            return self.retry_recording(request).await;
        }
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
            Change::Abandon => self.abandon(&destination, request, now).await?,
            Change::Unspecified => return Err("the request does not say what to do".to_owned()),
        };
        tracing::info!(%destination, change = request.change().as_str_name(), orders, "asked by a person");
        Ok(orders)
    }
}

impl Desk {
    async fn retry_recording(&self, request: &ChangeRequest) -> Result<u64, String> {
        if request.change() != Change::Retry {
            return Err("of one recording only another attempt can be asked for".to_owned());
        }
        let recording: RecordingId =
            request.recording_id.parse().map_err(|error: domain::InvalidId| error.to_string())?;
        let failed = |error: DeliveryError| error.to_string();
        let orders = self.list.retry_recording(recording, Timestamp::now()).await.map_err(failed)?;
        tracing::info!(%recording, orders, "another attempt is asked for by a person");
        Ok(orders)
    }

    async fn abandon(
        &self,
        destination: &Destination,
        request: &ChangeRequest,
        now: Timestamp,
    ) -> Result<u64, String> {
        let (by, reason) = (request.by.trim(), request.reason.trim());
        if by.is_empty() || reason.is_empty() {
            return Err("giving recordings up needs a reason, and the name of who says so".to_owned());
        }
        let note = format!("given up by {by}: {reason}");
        let failed = |error: DeliveryError| error.to_string();
        let given_up = self.list.abandon(destination, &note, now).await.map_err(failed)?;
        let orders = given_up.len() as u64;
        for recording in given_up {
            // The log says why an archive of that name lacks the recording.
            let deleted = Deleted {
                targets: vec![destination.name.to_string()],
                reason: format!("never brought there: {reason}"),
                by: by.to_owned(),
            };
            self.reporter.event(&destination.tenant, Some(recording), What::Deleted(deleted));
        }
        Ok(orders)
    }
}

fn shown(shipment: Shipment) -> proto::Shipment {
    let files = shipment.files.into_iter().map(|file| proto::ShipmentFile {
        file: file.file,
        verified_by: file.verified_by.unwrap_or_default(),
        at_unix_ms: file.at.as_millisecond(),
    });
    proto::Shipment {
        recording_id: shipment.recording.to_string(),
        tenant: shipment.destination.tenant.to_string(),
        name: shipment.destination.name.to_string(),
        state: shipment.state.as_str().to_owned(),
        arrived_unix_ms: shipment.arrived.as_millisecond(),
        done_unix_ms: shipment.done.map_or(0, Timestamp::as_millisecond),
        next_attempt_unix_ms: shipment.next_attempt.as_millisecond(),
        attempts: shipment.attempts,
        last_error: shipment.last_error.unwrap_or_default(),
        note: shipment.note.unwrap_or_default(),
        files: files.collect(),
    }
}

fn told(standing: Standing, existing: &BTreeMap<Destination, Terms>) -> proto::Destination {
    let waiting = standing.backlog.into_iter().map(|backlog| proto::Waiting {
        state: backlog.state.as_str().to_owned(),
        orders: backlog.orders,
        oldest_unix_ms: backlog.oldest.as_millisecond(),
        last_error: backlog.last_error.unwrap_or_default(),
    });
    let terms = existing.get(&standing.destination);
    let (windows, opens_unix_ms) = terms.map(hours).unwrap_or_default();
    let expires = standing
        .expires
        .into_iter()
        .map(|ends| proto::Expiry { what: ends.what, at_unix_ms: ends.at.as_millisecond() });
    proto::Destination {
        expires: expires.collect(),
        chosen: terms.is_some_and(|terms| terms.chosen),
        incomplete: terms.and_then(|terms| terms.incomplete.clone()).unwrap_or_default(),
        windows,
        opens_unix_ms,
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
