//! Microsoft Graph and Entra ID on loopback, under their real names: a client reaches them through a
//! proxy (`HTTPS_PROXY`) and trusts their CA. They judge requests as the originals do (TLS, tokens,
//! paths, ranges, conflicts, lengths), and what is special about them can be asked for: throttling,
//! lost answers, silence. Debian's rclone, made for the originals, accepts them.

mod answers;
mod drives;
mod entra;
mod items;
mod line;
mod quick_xor;
mod uploads;
mod words;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::Router;
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::drives::Stored;
use self::{drives::Drives, entra::Entra, uploads::Uploads};

/// The directory (tenant).
pub const TENANT: &str = "11111111-2222-3333-4444-555555555555";
/// The application, which may do everything with an app login and with a user's.
pub const CLIENT: &str = "66666666-7777-8888-9999-000000000000";
/// The user who has a drive.
pub const USER: &str = "ann@contoso.example";
/// The secret of [`CLIENT`].
pub const SECRET: &str = "7hx~the-secret-of-the-client";
/// A retention label that the site and the user can set, and that keeps files from being removed.
pub const LABEL: &str = "Calls 10 years";
/// The id of [`USER`]'s drive.
pub const USER_DRIVE: &str = "b!user-drive";
/// The site `contoso.sharepoint.com:/sites/archive` has this library beside `Documents`.
pub const LIBRARY: &str = "Gespräche";
/// The id of [`LIBRARY`].
pub const LIBRARY_DRIVE: &str = "b!library";

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Instead {
    /// Nothing special: what was asked for next happens to a later one.
    Nothing,
    /// It is refused with that status and code, and perhaps a wish to wait (seconds).
    Refuse(u16, &'static str, Option<u64>),
    /// The connection is closed when so many bytes of its body have come.
    HangUpAfter(usize),
    /// It is carried out, and the connection closed in place of an answer.
    LoseAnswer,
    /// Nothing of its body is read beyond so many bytes, and nothing is ever answered.
    StandStillAfter(usize),
    /// It is carried out twice, and the second answer is given: a proxy has repeated it.
    Twice,
    /// It is carried out with one bit of the body wrong.
    Spoil,
    /// A range of an upload is said to be taken, and nothing of the upload is kept.
    TakeAndForget,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Whom it was sent to.
    pub host: String,
    /// Method and path, decoded, without the query.
    pub request: String,
    /// What it was answered with; 0: nothing.
    pub status: u16,
    /// Whether a token went along.
    pub authorized: bool,
    /// `Content-Range`.
    pub range: Option<String>,
    /// It came before the end of a wait that an answer before it had asked for.
    pub too_early: bool,
}

/// The servers. They stop when it is dropped.
#[derive(Debug)]
pub struct Graph {
    dir: PathBuf,
    port: u16,
    world: Arc<World>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct World {
    dir: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    entra: Entra,
    drives: Drives,
    uploads: Uploads,
    instead: Vec<(String, Instead)>,
    seen: Vec<Seen>,
    not_before: Option<Instant>,
    lenient: bool,
    reads_registrations: bool,
    secrets_end: BTreeMap<&'static str, String>,
}

impl Graph {
    /// Starts them with empty drives; `dir` holds their keys.
    ///
    /// # Errors
    /// OpenSSL is missing, or no port is free.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(dir)?;
        let tls = line::server_config(dir)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let state = State {
            entra: Entra::default(),
            drives: Drives::contoso(),
            uploads: Uploads::default(),
            instead: Vec::new(),
            seen: Vec::new(),
            not_before: None,
            lenient: false,
            reads_registrations: true,
            secrets_end: [
                ("7hx", "2027-03-01T00:00:00Z".to_owned()),
                ("old", "2026-12-01T00:00:00Z".to_owned()),
            ]
            .into(),
        };
        let world = Arc::new(World { dir: dir.to_owned(), state: Mutex::new(state) });
        let router = Router::new().fallback(answers::answer).with_state(Arc::clone(&world));
        let service = router.into_make_service_with_connect_info::<line::Cut>();
        let serving = tokio::spawn(async move {
            // Ends with the runtime of the test.
            let _ended = axum::serve(line::Lines::listen(listener, tls), service).await;
        });
        Ok(Self { dir: dir.to_owned(), port, world, serving })
    }

    /// The proxy: `http://127.0.0.1:…`.
    pub fn proxy(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The certificate of the CA that has certified them.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// A private key and the certificate of it, PEM, with which [`CLIENT`] may sign in.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn client_certificate(&self) -> anyhow::Result<String> {
        entra::make_certificate(&self.dir)
    }

    /// A file with a token of a service account that [`CLIENT`] trusts.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn federated_token(&self) -> anyhow::Result<PathBuf> {
        let path = self.dir.join("federated");
        fs::write(&path, entra::FEDERATED)?;
        Ok(path)
    }

    /// What is to happen to the next request whose method and path hold this text.
    pub fn instead(&self, request: &str, instead: Instead) {
        self.world.lock().instead.push((request.to_owned(), instead));
    }

    /// All requests since the last call.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.world.lock().seen)
    }

    /// How often somebody has signed in so far, by which grant: "secret", "certificate", "federated
    /// token", "refresh token", "device code", "authorization code".
    pub fn signed_in(&self) -> Vec<&'static str> {
        self.world.lock().entra.signed_in.clone()
    }

    /// No token that was given so far is taken any more.
    pub fn end_tokens(&self) {
        self.world.lock().entra.access.clear();
    }

    /// Whoever signs in from now on is refused, by this number; `None`: nobody is.
    pub fn refuse_sign_in(&self, number: Option<u64>) {
        self.world.lock().entra.refused = number;
    }

    /// Whether a token is tolerated where it does not belong: old clients send one along.
    pub fn lenient(&self, lenient: bool) {
        self.world.lock().lenient = lenient;
    }

    /// Whether the application may read its own registration.
    pub fn reads_registrations(&self, allowed: bool) {
        self.world.lock().reads_registrations = allowed;
    }

    /// When the application's secret ends, as RFC 3339 writes it.
    pub fn secret_ends(&self, at: &str) {
        self.world.lock().secrets_end.insert("7hx", at.to_owned());
    }

    /// The login of a user, as a sign-in gives it: a refresh token.
    pub fn login(&self, user: &str) -> String {
        self.world.lock().entra.login(user)
    }

    /// A token of the application.
    pub fn app_token(&self) -> String {
        self.world.lock().entra.grant(None)
    }

    /// The user signs in on another device with this code, or declines.
    pub fn on_device(&self, code: &str, user: Option<&str>) {
        self.world.lock().entra.on_device(code, user);
    }

    /// The user signs in at this address in a browser; where the browser is sent back to.
    ///
    /// # Errors
    /// The address asks for something that Entra ID refuses.
    pub fn in_browser(&self, url: &str, user: &str) -> anyhow::Result<String> {
        let query = url.split_once('?').context("no query")?.1;
        self.world.lock().entra.in_browser(query, user).map_err(anyhow::Error::msg)
    }

    /// The file at `path` of a drive.
    pub fn file(&self, drive: &str, path: &str) -> Option<Stored> {
        self.world.lock().drives.get(drive)?.stored(path)
    }

    /// Paths of all files of a drive.
    pub fn files(&self, drive: &str) -> Vec<String> {
        self.world.lock().drives.get(drive).map(drives::Drive::files).unwrap_or_default()
    }

    /// Puts a file there as somebody else would, with all folders above it.
    pub fn put_file(&self, drive: &str, path: &str, content: &[u8]) {
        if let Some(drive) = self.world.lock().drives.get_mut(drive) {
            drive.put_by_hand(path, content);
        }
    }

    /// Removes a folder with all that is in it, or a file.
    pub fn remove(&self, drive: &str, path: &str) {
        if let Some(drive) = self.world.lock().drives.get_mut(drive) {
            drive.remove_by_hand(path);
        }
    }

    /// How many bytes the drives may hold together.
    pub fn quota(&self, bytes: Option<u64>) {
        self.world.lock().drives.quota = bytes;
    }

    /// Whether new items tell their hash at once.
    pub fn tells_hashes(&self, tells: bool) {
        self.world.lock().drives.tells_hashes = tells;
    }

    /// Uploads that were begun and have not ended.
    pub fn unfinished(&self) -> usize {
        self.world.lock().uploads.count()
    }

    /// All unfinished uploads have run out.
    pub fn forget_uploads(&self) {
        self.world.lock().uploads.forget();
    }
}

impl Drop for Graph {
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
    /// What was asked for to happen to this request.
    fn take_instead(&mut self, request: &str) -> Option<Instead> {
        let at = self.instead.iter().position(|(text, _)| request.contains(text.as_str()))?;
        Some(self.instead.remove(at).1)
    }

    fn note(&mut self, mut seen: Seen, wait: Option<u64>) {
        let now = Instant::now();
        seen.too_early = self.not_before.is_some_and(|moment| now < moment);
        if let Some(wait) = wait {
            self.not_before = Some(now + Duration::from_secs(wait));
        }
        self.seen.push(seen);
    }
}
