//! The half of Microsoft SQL Server that a journal talks to: TDS (MS-TDS) with its levels of encryption,
//! logins, locks and transactions, over a SQLite file. It understands the statements that journals send and
//! no others. What it says was written from Microsoft's documents by the authors of the journal: it proves
//! their client's half, and that a real server would say the same it does not.

mod answers;
mod browser;
mod line;
mod requests;
mod session;
mod statements;
mod windows;

use std::{
    collections::HashMap,
    fs,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use rustls::ServerConfig;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

use crate::{loopback_tls, ports};

use line::Line;
use windows::Windows;

/// What a server offers of encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// No TLS.
    Nothing,
    /// As much as the client wants.
    Supported,
    /// All of a connection is encrypted, whatever the client wants.
    Required,
    /// TDS 8.0 alone.
    Strict,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not carried out, and this error is the answer.
    Error(u32),
    /// It is not carried out, and this number is the answer.
    Number(i64),
    /// The connection ends, and it is not carried out.
    CutBefore,
    /// It is carried out; the connection ends before the answer.
    CutAfter,
    /// It is not carried out, and nothing is answered.
    Stall,
}

/// How a client has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginSeen {
    /// What the client calls itself.
    pub program: String,
    /// Whether the login was encrypted.
    pub encrypted: bool,
    /// Whether what came after it was.
    pub encrypted_after: bool,
}

/// What all clients have in common.
struct World {
    offer: Offer,
    tls: Arc<ServerConfig>,
    options: SqliteConnectOptions,
    windows: Windows,
    /// 0: none is refused that is right.
    refused_logins: AtomicU32,
    transactions: AtomicU64,
    lock_timeout: Duration,
    locks: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    logins: Mutex<Vec<LoginSeen>>,
    statements: Mutex<Vec<String>>,
    /// A word of the request, how many of those go by, and what then becomes of one.
    faults: Mutex<Vec<(String, u32, Fault)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn remember(&self, statement: &str) {
        locked(&self.statements).push(statement.to_owned());
    }

    fn fault(&self, statement: &str) -> Option<Fault> {
        let mut faults = locked(&self.faults);
        let at = faults.iter().position(|(word, ..)| statement.contains(word.as_str()))?;
        match &mut faults[at].1 {
            0 => Some(faults.remove(at).2),
            left => {
                *left -= 1;
                None
            }
        }
    }

    fn lock_named(&self, name: &str) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(locked(&self.locks).entry(name.to_owned()).or_default())
    }
}

/// A server on loopback. Dropping it ends it.
pub struct SqlServer {
    dir: TempDir,
    world: Arc<World>,
    address: Ipv4Addr,
    port: u16,
    serving: Option<JoinHandle<()>>,
    browser: Option<JoinHandle<()>>,
}

impl SqlServer {
    /// The login of SQL Server itself.
    pub const USER: &'static str = "callseal";
    /// Its password, and that of [`WINDOWS_USER`](Self::WINDOWS_USER).
    pub const PASSWORD: &'static str = "in-the-test-ö€-only";
    /// A login of Windows, with its domain.
    pub const WINDOWS_USER: &'static str = "EXAMPLE\\callseal";
    /// The database.
    pub const DATABASE: &'static str = "compliance";

    /// Starts a server on a free port.
    ///
    /// # Errors
    /// `openssl` is missing, or no port is free.
    pub async fn start(offer: Offer) -> anyhow::Result<Self> {
        let mut server = Self::make(offer, Ipv4Addr::LOCALHOST)?;
        server.start_again().await?;
        Ok(server)
    }

    /// Starts a named instance on an address of its own, with SQL Server Browser on it that tells the port.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start_instance(name: &'static str) -> anyhow::Result<Self> {
        let (address, socket) = browser::somewhere().await?;
        let mut server = Self::make(Offer::Supported, address)?;
        let port = server.port;
        server.browser = Some(tokio::spawn(async move {
            // Its end is the test's.
            let _ended = browser::tell(socket, name, port).await;
        }));
        server.start_again().await?;
        Ok(server)
    }

    fn make(offer: Offer, address: Ipv4Addr) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("callseal-sql-server-").tempdir()?;
        let mut tls = Arc::unwrap_or_clone(loopback_tls::server_config(dir.path())?);
        tls.alpn_protocols.push(b"tds/8.0".to_vec());
        let options = SqliteConnectOptions::new()
            .filename(dir.path().join("database"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(session::BUSY);
        let world = World {
            offer,
            tls: Arc::new(tls),
            options,
            windows: Windows::new(Self::WINDOWS_USER, Self::PASSWORD, dir.path().join("windows")),
            refused_logins: AtomicU32::new(0),
            transactions: AtomicU64::new(0),
            lock_timeout: Duration::from_secs(20),
            locks: Mutex::default(),
            logins: Mutex::default(),
            statements: Mutex::default(),
            faults: Mutex::default(),
        };
        let (world, port) = (Arc::new(world), ports::claim()?);
        Ok(Self { dir, world, address, port, serving: None, browser: None })
    }

    /// The address.
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The authority that the certificate for `127.0.0.1` and `localhost` is of, as PEM.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn ca(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.dir.path().join("ca.pem"))?)
    }

    /// Listens on its port, after [`crash`](Self::crash).
    ///
    /// # Errors
    /// Somebody else has the port.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let listener = TcpListener::bind((self.address, self.port)).await?;
        let world = Arc::clone(&self.world);
        self.serving = Some(tokio::spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let _slower_at_worst = tcp.set_nodelay(true);
                sessions.spawn(session::serve(Arc::clone(&world), Line::new(tcp)));
                // Those that have ended are not kept.
                while sessions.try_join_next().is_some() {}
            }
        }));
        Ok(())
    }

    /// Ends all connections and listens no more; what was not committed is lost.
    ///
    /// # Errors
    /// It does not run.
    pub async fn crash(&mut self) -> anyhow::Result<()> {
        let serving = self.serving.take().context("the server does not run")?;
        serving.abort();
        // Its error is that it was ended.
        let _ended = serving.await;
        Ok(())
    }

    /// The next request with this word in its text, after `spared` others, meets with this. Texts are those of
    /// the statements, `BEGIN`, `COMMIT` and `ROLLBACK`.
    pub fn meet(&self, word: &str, spared: u32, fault: Fault) {
        locked(&self.world.faults).push((word.to_owned(), spared, fault));
    }

    /// How many faults have not been met with yet.
    pub fn faults_left(&self) -> usize {
        locked(&self.world.faults).len()
    }

    /// From now on every login is refused by this error; `None`: those alone that are wrong.
    pub fn refuse_logins(&self, error: Option<u32>) {
        self.world.refused_logins.store(error.unwrap_or(0), Ordering::SeqCst);
    }

    /// How clients have logged in so far.
    pub fn logins(&self) -> Vec<LoginSeen> {
        locked(&self.world.logins).clone()
    }

    /// What was asked for so far.
    pub fn statements(&self) -> Vec<String> {
        locked(&self.world.statements).clone()
    }

    /// Carries out statements of SQLite beside all clients. The types of columns are SQL Server's.
    ///
    /// # Errors
    /// SQLite refuses one.
    pub async fn sql(&self, statements: &str) -> anyhow::Result<()> {
        session::beside(&self.world, statements).await
    }
}

impl Drop for SqlServer {
    fn drop(&mut self) {
        for task in [self.serving.take(), self.browser.take()].into_iter().flatten() {
            task.abort();
        }
    }
}
