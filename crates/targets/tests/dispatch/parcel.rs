//! A recording to be handed over, and what is remembered of it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::resources::tenant::notifications::Language;
use jiff::tz::TimeZone;
use targets::{Bookmark, Content, Enclosed, Kept, Parcel};

/// Remembers as the shipper's database does.
#[derive(Default)]
pub struct Memory(Mutex<Option<String>>);

#[async_trait]
impl Bookmark for Memory {
    async fn load(&self) -> Option<String> {
        self.0.lock().unwrap().clone()
    }

    async fn keep(&self, text: Option<&str>) {
        *self.0.lock().unwrap() = text.map(str::to_owned);
    }
}

/// A name that a shell, a terminal or a command line could stumble over.
pub const BASE: &str = "-rf 20261122_\"$(id)\" 'x';\n`id`_+4970";

pub fn audio() -> Vec<u8> {
    (0..100_000_u32).map(|n| (n * 7 % 251) as u8).collect()
}

pub fn parcel() -> Parcel {
    let file = |ending: &str, bytes: Vec<u8>| Enclosed {
        name: format!("{BASE}{ending}"),
        ending: ending.to_owned(),
        content: Content::from_bytes(bytes),
    };
    Parcel {
        tenant: "acme".parse().unwrap(),
        target: "mail".parse().unwrap(),
        recording: "01936f5e-9a3b-7c4d-8e2f-0a1b2c3d4e5f".parse().unwrap(),
        start: "2026-11-22T08:15:30Z".parse().unwrap(),
        duration_ms: 61_000,
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        language: Language::En,
        files: vec![file(".wav", audio()), file("_hash.txt", b"hashes".to_vec())],
        journal: r#"{"caller":"+4970","setting":"\"quoted\"\n$(id)"}"#.to_owned(),
        kept: vec![Kept { target: "archive".into(), folder: "2026/11".into() }],
        memory: Arc::new(Memory::default()),
    }
}
