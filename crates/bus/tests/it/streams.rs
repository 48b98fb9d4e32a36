//! The layout of the streams on a real server, and the server itself.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use bus::{Bus, BusError, BusOptions, server};
use prometheus::Registry;

use crate::setup::*;

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_made_once_by_any_number_of_services_and_lose_nothing() {
    let nats = Nats::start();
    let connecting = (0..4).map(|n| {
        let url = nats.url();
        async move {
            let options =
                BusOptions { calls_max_bytes: 32 << 20, ..BusOptions::new(url, format!("service-{n}")) };
            let bus = Bus::connect(options).await.unwrap();
            bus.ensure_streams().await.unwrap();
            bus.ensure_streams().await.unwrap();
        }
    });
    futures::future::join_all(connecting).await;
    let raw = nats.raw().await;
    for name in ["CALLS", "SEALED", "DEAD"] {
        let config = raw.get_stream(name).await.unwrap().cached_info().config.clone();
        assert_eq!(config.discard, DiscardPolicy::New, "{name}");
        assert!(config.max_age.is_zero(), "{name}");
        assert_eq!(config.duplicate_window, Duration::from_secs(120), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_discards_old_calls_is_refused_by_name_and_left_as_it_is() {
    let nats = Nats::start();
    let raw = nats.raw().await;
    let unsafe_calls = Config {
        name: "CALLS".into(),
        subjects: vec!["calls.>".into()],
        discard: DiscardPolicy::Old,
        max_bytes: 1 << 20,
        ..Config::default()
    };
    raw.create_stream(unsafe_calls).await.unwrap();
    let bus = Bus::connect(BusOptions::new(nats.url(), "test")).await.unwrap();
    let refused = bus.ensure_streams().await.unwrap_err();
    assert!(matches!(&refused, BusError::UnsafeStream { stream, .. } if stream == "CALLS"));
    assert!(refused.to_string().contains("discard is old"), "{refused}");
    assert_eq!(raw.get_stream("CALLS").await.unwrap().cached_info().config.discard, DiscardPolicy::Old);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_server_writes_to_disk_before_it_acknowledges_and_the_metric_says_so() {
    let nats = Nats::start();
    assert_eq!(server::sync_always(&nats.monitor_url()).await, Ok(true));
    let url = nats.monitor_url();
    let bus = nats.bus_with(|options| options.monitor_url = Some(url)).await;
    let registry = Registry::new();
    bus.register_metrics(&registry);
    let value = |name: &str| {
        let families = registry.gather();
        let family = families.iter().find(|f| f.name() == name).unwrap();
        family.get_metric()[0].get_gauge().get_value()
    };
    assert_eq!(value("callseal_bus_sync_always"), 1.0);
    until("connected is shown", || value("callseal_bus_connected") == 1.0).await;
}

#[test]
fn a_server_that_a_killed_parent_has_left_is_replaced() {
    let dir = tempfile::TempDir::new().unwrap();
    let program = server::find_program().unwrap();
    let port = harness::ports::claim().unwrap();
    let first = server::NatsServer::start(&program, dir.path(), Some(port)).unwrap();
    let pid = first.pid();
    // Nobody stops it: as after kill -9 of its parent.
    std::mem::forget(first);
    let second = server::NatsServer::start(&program, dir.path(), Some(port)).unwrap();
    assert_eq!(second.port(), port);
    assert_ne!(second.pid(), pid);
}

#[test]
fn an_old_release_or_something_else_is_refused() {
    let dir = tempfile::TempDir::new().unwrap();
    let old = dir.path().join("nats-server");
    fs::write(&old, "#!/bin/sh\necho 'nats-server: v2.9.10'\n").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = server::NatsServer::start(&old, dir.path(), None).unwrap_err().to_string();
    assert!(refused.contains("2.9 is too old"), "{refused}");
}

#[test]
fn a_port_in_use_is_said_in_the_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let dir = tempfile::TempDir::new().unwrap();
    let refused = server::NatsServer::start(&server::find_program().unwrap(), dir.path(), Some(port));
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("address already in use"), "{text}");
}

#[tokio::test]
async fn a_stream_that_cannot_be_enlarged_for_want_of_room_is_used_as_it_is() {
    let nats = Nats::start();
    let bus = nats.bus().await;
    let raw = nats.raw().await;
    let mut small = raw.get_stream("EVENTS").await.unwrap().cached_info().config.clone();
    small.max_bytes = 64 << 20;
    raw.update_stream(small).await.unwrap();
    // Somebody else's streams have all the room; a stream takes up its size before it is filled.
    for (n, size) in (24..50).rev().map(|power| 1_i64 << power).enumerate() {
        let config = Config {
            name: format!("OTHER{n}"),
            subjects: vec![format!("other.{n}")],
            max_bytes: size,
            ..Config::default()
        };
        let _does_not_fit = raw.create_stream(config).await;
    }
    bus.ensure_streams().await.unwrap();
    let size = raw.get_stream("EVENTS").await.unwrap().cached_info().config.max_bytes;
    assert_eq!(size, 64 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_no_room_for_a_stream_is_told_by_name_and_size() {
    let nats = Nats::start();
    let options = BusOptions { calls_max_bytes: 1 << 50, ..BusOptions::new(nats.url(), "test") };
    let bus = Bus::connect(options).await.unwrap();
    until("a connection", || bus.is_connected()).await;
    let refused = bus.ensure_streams().await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("no room for the stream CALLS (1073741824 MiB)"), "{text}");
    assert!(text.contains("max_file_store"), "{text}");
}
