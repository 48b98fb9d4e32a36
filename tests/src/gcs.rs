//! Google Cloud Storage that is not Google's: its XML API with conditions and upload sessions, in memory.
//!
//! There is no server for it in Debian, on PyPI or npm that speaks the XML API. So this one
//! follows Google's documents; no client made for the original has judged it yet. It lets programs for S3 in, too
//! ([`ACCESS_KEY_ID`]), so that one can.

mod answers;
mod sessions;
mod tokens;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::Router;
use tokio::{net::TcpListener, task::JoinHandle};

use self::{sessions::Session, tokens::Tokens};

/// The one bucket.
pub const BUCKET: &str = "acme-archive";
/// The id of the key by which programs for S3 are let in.
pub const ACCESS_KEY_ID: &str = "GOOG1EXAMPLE";

/// The server. It stops when it is dropped.
#[derive(Debug)]
pub struct Gcs {
    port: u16,
    world: Arc<World>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct World {
    tokens: Tokens,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Object>,
    sessions: BTreeMap<String, Session>,
    generations: u64,
    seen: Vec<String>,
    silent_when_complete: bool,
}

#[derive(Debug, Clone)]
struct Object {
    content: Vec<u8>,
    generation: u64,
    held: bool,
}

impl Gcs {
    /// Starts it with an empty bucket; `dir` holds the key of its service account.
    ///
    /// # Errors
    /// OpenSSL is missing, or no port is free.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let world = Arc::new(World { tokens: Tokens::make(dir)?, state: Mutex::default() });
        let router = Router::new().fallback(answers::answer).with_state(Arc::clone(&world));
        let serving = tokio::spawn(async move {
            // Ends with the runtime of the test.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { port, world, serving })
    }

    /// Where it listens, on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The key file of the service account that is let in.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn key_file(&self) -> anyhow::Result<String> {
        self.world.tokens.key_file()
    }

    /// What stands under a name.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.world.lock().objects.get(key).map(|object| object.content.clone())
    }

    /// The names of all objects.
    pub fn names(&self) -> Vec<String> {
        self.world.lock().objects.keys().cloned().collect()
    }

    /// Puts an object there as somebody else would.
    pub fn put_object(&self, key: &str, content: &[u8]) {
        self.world.lock().store(key, content.to_vec());
    }

    /// Nobody removes this object until it is released.
    pub fn hold(&self, key: &str, held: bool) {
        if let Some(object) = self.world.lock().objects.get_mut(key) {
            object.held = held;
        }
    }

    /// How many bytes the unfinished upload sessions have taken in.
    pub fn taken_in(&self) -> Vec<usize> {
        self.world.lock().sessions.values().filter(|session| !session.complete).map(Session::length).collect()
    }

    /// All upload sessions have run out.
    pub fn forget_sessions(&self) {
        self.world.lock().sessions.clear();
    }

    /// Whether an upload that completes gets no answer: the object is there, and the connection lives.
    pub fn keep_silent_when_complete(&self, silent: bool) {
        self.world.lock().silent_when_complete = silent;
    }

    /// All requests since the last call: method, name, and `Content-Range` if there is one.
    pub fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.world.lock().seen)
    }
}

impl Drop for Gcs {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl World {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The generation under which it stands now.
    fn store(&mut self, key: &str, content: Vec<u8>) -> u64 {
        self.generations += 1;
        let generation = 1_700_000_000_000_000 + self.generations;
        self.objects.insert(key.to_owned(), Object { content, generation, held: false });
        generation
    }

    /// Whether a condition on the generation holds: 0 is that of nothing.
    fn fits(&self, key: &str, generation: Option<u64>) -> bool {
        let now = self.objects.get(key).map_or(0, |object| object.generation);
        generation.is_none_or(|generation| generation == now)
    }
}
