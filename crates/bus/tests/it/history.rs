//! Events are read back.

use bus::{BusError, Told};
use domain::RecordingId;
use wire::event_v1::{Event, Ringing, event::What};

use crate::setup::{Nats, until};

fn ringing(recording: &str, call_id: usize) -> Event {
    let what = What::Ringing(Ringing { streams: 2, call_id: call_id.to_string() });
    Event {
        recording_id: recording.to_owned(),
        tenant: "acme".to_owned(),
        at_unix_us: 1,
        service: "ingest".to_owned(),
        what: Some(what),
    }
}

#[tokio::test]
async fn all_events_or_those_of_some_recordings_are_read_in_their_order() {
    let mut nats = Nats::start();
    let bus = nats.bus().await;
    let nothing = bus.kept_events(Told::All, |_| panic!("nothing happened yet")).await.unwrap();
    assert_eq!(nothing.oldest_unix_us, None);

    // More than are fetched at once.
    let (mine, other) = (RecordingId::new(), RecordingId::new());
    let all: Vec<Event> = (0..1_100)
        .map(|n| ringing(&if n % 100 == 0 { mine.to_string() } else { other.to_string() }, n))
        .collect();
    let raw = nats.raw().await;
    let mut stored = Vec::new();
    for event in &all {
        let payload = wire::Message::encode_to_vec(event).into();
        stored.push(raw.publish(bus::subjects::event(event), payload).await.unwrap());
    }
    stored.push(raw.publish("events.acme._", "\u{1}garbage".into()).await.unwrap());
    for ack in stored {
        ack.await.unwrap();
    }

    let mut read = Vec::new();
    let reach = bus.kept_events(Told::All, |event| read.push(event)).await.unwrap();
    assert!(read == all, "{} of {} events", read.len(), all.len());
    assert!(reach.oldest_unix_us.is_some_and(|at| at > 1_600_000_000_000_000), "{reach:?}");
    read.clear();
    bus.kept_events(Told::Of(&[mine]), |event| read.push(event)).await.unwrap();
    assert_eq!(read, all.iter().step_by(100).cloned().collect::<Vec<_>>());
    bus.kept_events(Told::Of(&[RecordingId::new()]), |_| panic!("of nobody")).await.unwrap();
    bus.kept_events(Told::Of(&[]), |_| panic!("of nobody")).await.unwrap();

    nats.kill();
    until("disconnected", || !bus.is_connected()).await;
    assert!(matches!(bus.kept_events(Told::All, drop).await, Err(BusError::NotConnected)));
}
