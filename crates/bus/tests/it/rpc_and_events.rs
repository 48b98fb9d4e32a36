//! Request and reply, and events.

use std::{sync::atomic::Ordering, time::Duration};

use bus::{BusError, subjects};
use futures::StreamExt;
use prost::Message;
use tokio_util::sync::CancellationToken;
use wire::{
    event_v1::{Event, Fault, Ringing, event::What},
    rules_v1::{DecideRequest, DecideResponse},
};

use crate::setup::*;

/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(60);

fn ask() -> DecideRequest {
    DecideRequest { recording_id: recording().to_string(), facts: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_also_by_a_service_that_is_just_starting() {
    let nats = Nats::start();
    let bus = nats.bus().await;
    let request = ask();
    let expected = request.recording_id.clone();
    let asking = tokio::spawn({
        let bus = bus.clone();
        async move { bus.request::<_, DecideResponse>(subjects::RULES_DECIDE, &request, LONG).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn({
        let (bus, shutdown) = (bus.clone(), shutdown.clone());
        async move {
            bus.serve(subjects::RULES_DECIDE, "rules", shutdown, |request: DecideRequest| async move {
                DecideResponse { error: request.recording_id, ..DecideResponse::default() }
            })
            .await
        }
    });
    assert_eq!(asking.await.unwrap().unwrap().error, expected);
    // Rubbish gets no answer and stops nobody.
    nats.raw().await.client().publish(subjects::RULES_DECIDE, "\u{1}rubbish".into()).await.unwrap();
    let answer: DecideResponse = bus.request(subjects::RULES_DECIDE, &ask(), LONG).await.unwrap();
    assert!(!answer.error.is_empty());
    shutdown.cancel();
    soon("serving ends", serving).await.unwrap().unwrap();
    let nobody =
        bus.request::<_, DecideResponse>(subjects::RULES_DECIDE, &ask(), Duration::from_secs(2)).await;
    assert!(matches!(nobody, Err(BusError::NoResponder { .. })), "{nobody:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handed_over_to_a_service_that_stops_is_answered() {
    const MANY: u64 = 400;
    let nats = Nats::start();
    let serving = nats.bus().await;
    let (may_answer, gate) = tokio::sync::watch::channel(true);
    let shutdown = CancellationToken::new();
    let service = |subject: &'static str, waits: bool| {
        let (bus, shutdown, gate) = (serving.clone(), shutdown.clone(), gate.clone());
        let answer = move |_: DecideRequest| {
            let mut gate = gate.clone();
            async move {
                if waits {
                    let _ = gate.wait_for(|open| *open).await;
                }
                DecideResponse::default()
            }
        };
        tokio::spawn(async move { bus.serve(subject, "test", shutdown, answer).await })
    };
    let (slow, quick) = (service("rpc.slow", true), service("rpc.quick", false));
    let asking = async_nats::connect(nats.url()).await.unwrap();
    let ask_for = |subject: &'static str| {
        let (asking, payload) = (asking.clone(), ask().encode_to_vec().into());
        async move {
            let request = async_nats::Request::new().payload(payload).timeout(Some(LONG));
            asking.send_request(subject, request).await
        }
    };
    for subject in ["rpc.slow", "rpc.quick"] {
        // Until it listens.
        while ask_for(subject).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    may_answer.send_replace(false);
    // More than are worked on at a time, so that some wait within the service.
    let statistics = asking.statistics();
    let before = statistics.out_messages.load(Ordering::Relaxed);
    let waiting: Vec<_> = (0..MANY).map(|_| tokio::spawn(ask_for("rpc.slow"))).collect();
    let asked = || statistics.out_messages.load(Ordering::Relaxed) - before >= MANY;
    until("all to be asked", asked).await;
    // What both connections carry comes in order: when this is answered all of those are there.
    ask_for("rpc.quick").await.unwrap();
    shutdown.cancel();
    soon("the quick one to end", quick).await.unwrap().unwrap();
    may_answer.send_replace(true);
    for one in waiting {
        soon("an answer", one).await.unwrap().unwrap();
    }
    soon("the slow one to end", slow).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_ready_to_listen_hears_what_is_asked_because_of_what_was_said_afterwards() {
    let nats = Nats::start();
    let (here, there) = (nats.bus().await, nats.bus().await);
    let serving = there.clone();
    let ask_back = move |request: DecideRequest| {
        let there = there.clone();
        async move {
            let asked = there.ask_all(&request.recording_id, &ask(), LONG, Duration::ZERO).await;
            let error = asked.map(|_: Vec<DecideResponse>| String::new()).unwrap_or_else(|e| e.to_string());
            DecideResponse { error, ..DecideResponse::default() }
        }
    };
    tokio::spawn(
        async move { serving.serve("rpc.ask-back", "test", CancellationToken::new(), ask_back).await },
    );
    for n in 0..50 {
        let subject = format!("control.acme.{n}");
        let mut listener = here.listen::<DecideRequest>(subject.clone());
        soon("ready", listener.ready()).await;
        tokio::spawn(async move { listener.next().await.answer(&DecideResponse::default()).await });
        let request = DecideRequest { recording_id: subject, facts: None };
        let answer: DecideResponse = here.request("rpc.ask-back", &request, LONG).await.unwrap();
        assert_eq!(answer.error, "", "round {n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_nats_ends_in_time() {
    let mut nats = Nats::start();
    let bus = nats.bus().await;
    nats.kill();
    until("disconnected", || !bus.is_connected()).await;
    let question = ask();
    let asking =
        bus.request::<_, DecideResponse>(subjects::RULES_DECIDE, &question, Duration::from_millis(400));
    let answer = soon("the end of a request without NATS", asking).await;
    assert!(answer.is_err(), "{answer:?}");
}

fn event(tenant: &str, what: What) -> Event {
    Event {
        recording_id: recording().to_string(),
        tenant: tenant.into(),
        service: "test".into(),
        what: Some(what),
        ..Event::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_seen_by_tenant_and_survive_an_absence_of_nats() {
    let mut nats = Nats::start();
    let bus = nats.bus().await;
    let mut of_tenant = bus.events_from_now(Some(&tenant())).await.unwrap();
    let mut of_all = bus.events_from_now(None).await.unwrap();
    let (other, mine) =
        (event("other", What::Ringing(Ringing::default())), event("acme", What::Fault(Fault::default())));
    bus.event(other.clone());
    assert_eq!(soon("the first event", of_all.next()).await, Some(other));
    bus.event(mine.clone());
    assert_eq!(soon("my event", of_tenant.next()).await, Some(mine));
    nats.kill();
    until("disconnected", || !bus.is_connected()).await;
    for _ in 0..10 {
        bus.event(event("acme", What::Ringing(Ringing::default())));
    }
    assert!(!bus.events_flushed(Duration::from_millis(200)).await);
    nats.restart();
    assert!(bus.events_flushed(LONG).await);
    let stored = nats.raw().await.get_stream("EVENTS").await.unwrap().cached_info().state.messages;
    assert_eq!(stored, 12);
}
