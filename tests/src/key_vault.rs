//! Azure Key Vault's HTTP interface on loopback, with the endpoint that identities sign in at. It judges
//! requests as the original does (TLS, challenge, token, API version, paths, JSON), keeps versions of
//! keys, and computes with OpenSSL. What is special about it can be asked for: turning away, wrong
//! signatures, silence.

mod answers;
mod keys;
mod tls;

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use axum::Router;
use tokio::{
    net::TcpListener,
    runtime::{self, Runtime},
};

pub use self::keys::Protection;
use self::keys::Version;

/// The tenant (directory) that identities belong to.
pub const TENANT: &str = "11111111-2222-3333-4444-555555555555";
/// The identity that may do everything.
pub const CLIENT: &str = "66666666-7777-8888-9999-000000000000";
const SECRET: &str = "the secret of the client";
const FEDERATED: &str = "the token of a service account";

/// What happens to a request in place of its answer.
#[derive(Debug, Clone)]
pub enum Instead {
    /// It is refused with that status, that code inside, and perhaps a wish to wait.
    Refuse {
        /// Status of HTTP.
        status: u16,
        /// The inner code: "ForbiddenByRbac".
        code: &'static str,
        /// `Retry-After`, seconds.
        retry_after: Option<u64>,
    },
    /// It is answered with a signature in which one bit is wrong.
    WrongSignature,
    /// The connection is closed in the midst of the answer.
    HangUp,
}

/// A request that had a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Method and path, without the query.
    pub request: String,
    /// What it was answered with; 0 if the connection was closed.
    pub status: u16,
    /// It came before the end of a wait that an answer before it had asked for.
    pub too_early: bool,
}

/// A key vault. Stops when it is dropped.
#[derive(Debug)]
pub struct KeyVault {
    url: String,
    dir: PathBuf,
    vault: Arc<Vault>,
    /// Its own, so that its connections end with it.
    serving: Option<Runtime>,
}

#[derive(Debug)]
struct Vault {
    dir: PathBuf,
    url: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: BTreeMap<String, Vec<Version>>,
    instead: VecDeque<Instead>,
    seen: Vec<Seen>,
    not_before: Option<Instant>,
    signed_in: Vec<String>,
    sign_in_refused: bool,
}

impl KeyVault {
    /// Starts an empty vault.
    ///
    /// # Errors
    /// OpenSSL is missing, or no port is free.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(dir)?;
        let acceptor = tls::acceptor(dir)?;
        fs::write(dir.join("secret"), SECRET)?;
        fs::write(dir.join("federated"), FEDERATED)?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("https://{}", listener.local_addr()?);
        let vault = Arc::new(Vault { dir: dir.to_owned(), url: url.clone(), state: Mutex::default() });
        let router = Router::new().fallback(answers::answer).with_state(vault.clone());
        let serving = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        serving.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener that does not block");
            // Ends with its runtime.
            let _ended = axum::serve(tls::Tls { listener, acceptor }, router).await;
        });
        Ok(Self { url, dir: dir.to_owned(), vault, serving: Some(serving) })
    }

    /// What `--azure-key-vault` and `--azure-authority-host` take.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate of the CA that certified it.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// A file with the secret of [`CLIENT`].
    pub fn secret(&self) -> PathBuf {
        self.dir.join("secret")
    }

    /// A file with a token of a service account that [`CLIENT`] trusts.
    pub fn federated_token(&self) -> PathBuf {
        self.dir.join("federated")
    }

    /// What is to happen to the next request with a valid token; further calls, further requests.
    pub fn instead(&self, instead: Instead) {
        self.vault.lock().instead.push_back(instead);
    }

    /// Whether identities that sign in from now on are refused.
    pub fn refuse_sign_in(&self, refuse: bool) {
        self.vault.lock().sign_in_refused = refuse;
    }

    /// The requests with a valid token since the last call.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.vault.lock().seen)
    }

    /// How identities have signed in so far: "secret", "federated token".
    pub fn signed_in(&self) -> Vec<String> {
        self.vault.lock().signed_in.clone()
    }

    /// A new version of a key, of the same kind as the one before it: what rotation does.
    ///
    /// # Errors
    /// There is no such key, or OpenSSL fails.
    pub fn rotate(&self, key: &str) -> anyhow::Result<()> {
        self.vault.add_version_like_the_last(key)
    }

    /// Disables or enables all versions of a key.
    pub fn enable(&self, key: &str, enabled: bool) {
        for version in self.vault.lock().keys.get_mut(key).into_iter().flatten() {
            version.enabled = enabled;
        }
    }

    /// What keeps the newest version of a key, if there is such a key.
    pub fn protection(&self, key: &str) -> Option<Protection> {
        self.vault.lock().keys.get(key)?.last().map(|version| version.protection)
    }

    /// How many versions a key has.
    pub fn versions(&self, key: &str) -> usize {
        self.vault.lock().keys.get(key).map_or(0, Vec::len)
    }
}

impl Drop for KeyVault {
    fn drop(&mut self) {
        let Some(serving) = self.serving.take() else { return };
        // Nobody may wait within the runtime of a test.
        let ending = thread::spawn(move || serving.shutdown_timeout(Duration::from_secs(10)));
        let _ended = ending.join();
    }
}

impl Vault {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request and what it was answered with.
    fn note(&self, request: String, status: u16, retry_after: Option<u64>) {
        let mut state = self.lock();
        let now = Instant::now();
        let too_early = state.not_before.is_some_and(|moment| now < moment);
        state.not_before = retry_after.map(|seconds| now + Duration::from_secs(seconds));
        state.seen.push(Seen { request, status, too_early });
    }
}
