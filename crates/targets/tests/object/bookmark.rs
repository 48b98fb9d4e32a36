//! A bookmark in memory that tells how far an upload has come.

use std::sync::{Arc, Mutex};

use targets::Bookmark;
use tokio::sync::watch;

/// Survives the target that keeps in it.
pub struct Memory {
    text: Mutex<Option<String>>,
    parts: watch::Sender<usize>,
}

impl Memory {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { text: Mutex::default(), parts: watch::Sender::new(0) })
    }

    /// Returns once so many parts are bookmarked.
    pub async fn kept(&self, parts: usize) {
        self.parts.subscribe().wait_for(|kept| *kept >= parts).await.unwrap();
    }

    pub fn parts(&self) -> usize {
        *self.parts.borrow()
    }

    pub fn text(&self) -> Option<String> {
        self.text.lock().unwrap().clone()
    }

    pub fn write(&self, text: &str) {
        *self.text.lock().unwrap() = Some(text.to_owned());
    }
}

#[async_trait::async_trait]
impl Bookmark for Memory {
    async fn load(&self) -> Option<String> {
        self.text()
    }

    async fn keep(&self, text: Option<&str>) {
        *self.text.lock().unwrap() = text.map(str::to_owned);
        if let Some(text) = text {
            let kept: serde_json::Value = serde_json::from_str(text).unwrap();
            self.parts.send_replace(kept["parts"].as_array().map_or(0, Vec::len));
        }
    }
}
