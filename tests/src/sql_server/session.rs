//! A client that is connected: its login, its requests, its transaction.

use std::{
    io,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::{sync::OwnedMutexGuard, time::timeout};

use super::{
    Fault, Offer, World,
    answers::{Answer, Done, Type, change, done},
    line::{Line, broken, kind},
    requests::{self, Login, Reader, Value},
    statements::{self, Outcome, Refusal},
};

/// Values of PRELOGIN's ENCRYPTION (2.2.6.5).
mod level {
    pub const LOGIN_ONLY: u8 = 0;
    pub const ON: u8 = 1;
    pub const NOT_SUPPORTED: u8 = 2;
    pub const REQUIRED: u8 = 3;
}

/// Requests of a transaction (2.2.6.9).
const BEGIN: u16 = 5;
const COMMIT: u16 = 7;
const ROLLBACK: u16 = 8;

pub struct Session {
    world: Arc<World>,
    line: Line,
    database: SqliteConnection,
    /// The transaction, by the number that its requests name; 0: none.
    transaction: u64,
    /// Whether SQLite has begun one, too: not before a table is touched, as SQL Server reads what others
    /// have committed until then.
    begun: bool,
    /// The application lock, by its name, of the transaction.
    lock: Option<(String, OwnedMutexGuard<()>)>,
    /// `XACT_ABORT`.
    aborts: bool,
}

/// Serves a client until it goes, or is sent away.
pub async fn serve(world: Arc<World>, mut line: Line) -> io::Result<()> {
    if welcome(&world, &mut line).await?.is_none() {
        return Ok(());
    }
    let database = world.options.connect().await.map_err(io::Error::other)?;
    let (transaction, begun, lock, aborts) = (0, false, None, false);
    let mut session = Session { world, line, database, transaction, begun, lock, aborts };
    loop {
        let (kind, request) = session.line.message().await?;
        session.answer(kind, &request).await?;
    }
}

/// PRELOGIN, TLS, and the login; `None`: it was refused.
async fn welcome(world: &World, line: &mut Line) -> io::Result<Option<()>> {
    let strict = line.begins_with_tls().await?;
    if strict != (world.offer == Offer::Strict) {
        return Err(broken("TLS first, or not first"));
    }
    if strict {
        line.secure_first(Arc::clone(&world.tls)).await?;
    }
    let (kind::PRELOGIN, prelogin) = line.message().await? else { return Err(broken("no PRELOGIN")) };
    let asked = requests::asked_for(&prelogin)?;
    let answer = match (world.offer, asked) {
        (Offer::Nothing, _) => level::NOT_SUPPORTED,
        (Offer::Strict, _) => level::ON,
        (Offer::Required, level::LOGIN_ONLY) => level::REQUIRED,
        (Offer::Supported, level::LOGIN_ONLY) => level::LOGIN_ONLY,
        (Offer::Supported, level::NOT_SUPPORTED) => level::NOT_SUPPORTED,
        (Offer::Required | Offer::Supported, _) => level::ON,
    };
    line.send(kind::PRELOGIN, &requests::prelogin(answer)).await?;
    if !strict && answer != level::NOT_SUPPORTED {
        line.secure_inside(Arc::clone(&world.tls)).await?;
    }
    let (kind::LOGIN, login) = line.message().await? else { return Err(broken("no LOGIN7")) };
    let (login, encrypted) = (Login::read(&login)?, line.is_encrypted());
    if !strict && answer == level::LOGIN_ONLY {
        line.unsecure();
    }
    world.logins.lock().unwrap_or_else(PoisonError::into_inner).push(super::LoginSeen {
        program: login.program.clone(),
        encrypted,
        encrypted_after: line.is_encrypted(),
    });
    let refused = match &login.negotiate {
        Some(negotiate) => {
            let (exchange, challenge) = world.windows.challenge(negotiate).await?;
            let mut answer = Answer::default();
            answer.sspi(&challenge);
            line.send(kind::ANSWER, &answer.0).await?;
            let (kind::SSPI, authenticate) = line.message().await? else {
                return Err(broken("no answer to the challenge"));
            };
            !exchange.admits(&authenticate).await?
        }
        None => {
            (login.user.as_str(), login.password.as_str())
                != (super::SqlServer::USER, super::SqlServer::PASSWORD)
        }
    };
    let mut answer = Answer::default();
    let other = world.refused_logins.load(Ordering::SeqCst);
    let number = match (other, refused, login.database == super::SqlServer::DATABASE) {
        (0, false, true) => 0,
        (0, true, _) => 18_456,
        (0, false, false) => {
            answer.error(4060, 11, &format!("Cannot open database \"{}\".", login.database));
            18_456
        }
        (other, ..) => other,
    };
    if number != 0 {
        answer.error(number, 14, &format!("Login failed for user '{}'.", login.user));
        answer.done(Done::Batch, done::ERROR, 0);
        line.send(kind::ANSWER, &answer.0).await?;
        return Ok(None);
    }
    answer.change_text(change::DATABASE, &login.database, "master");
    answer.collation();
    answer.welcome();
    answer.change_text(change::PACKET_SIZE, "4096", "4096");
    answer.done(Done::Batch, 0, 0);
    line.send(kind::ANSWER, &answer.0).await?;
    Ok(Some(()))
}

impl Session {
    async fn answer(&mut self, kind: u8, request: &[u8]) -> io::Result<()> {
        let mut answer = Answer::default();
        if kind == kind::ATTENTION {
            answer.done(Done::Batch, done::ATTENTION, 0);
            return self.line.send(kind::ANSWER, &answer.0).await;
        }
        let mut request = Reader(request);
        let named = requests::transaction_of(&mut request)?;
        if named != self.transaction {
            return Err(broken("a request of another transaction"));
        }
        let (text, values, of) = match kind {
            kind::BATCH => (request.text(request.0.len())?, Vec::new(), Done::Batch),
            kind::RPC => {
                let (text, values) = requests::call(request)?;
                (text, values, Done::Procedure)
            }
            kind::TRANSACTION => (
                match request.u16()? {
                    BEGIN => "BEGIN",
                    COMMIT => "COMMIT",
                    ROLLBACK => "ROLLBACK",
                    _ => return Err(broken("another request of a transaction")),
                }
                .to_owned(),
                Vec::new(),
                Done::Batch,
            ),
            _ => return Err(broken("a request of another kind")),
        };
        self.world.remember(&text);
        let fault = self.world.fault(&text);
        match fault {
            Some(Fault::CutBefore) => return Err(broken("cut as a test wants it")),
            Some(Fault::Stall) => std::future::pending().await,
            _ => {}
        }
        let outcome = match fault {
            Some(Fault::Error(number)) => Err(Refusal::new(number, "An error that a test has asked for.")),
            Some(Fault::Number(number)) => Ok(Outcome::number("", number)),
            _ if kind == kind::TRANSACTION => {
                self.transact(&text, &mut answer).await.map(|()| Outcome::default())
            }
            _ => self.run(&text, &values, &mut answer).await,
        };
        if matches!(fault, Some(Fault::CutAfter)) {
            return Err(broken("cut as a test wants it"));
        }
        match outcome {
            Ok(outcome) => {
                let rows = outcome.rows.len() as u64 + outcome.written;
                if !outcome.columns.is_empty() {
                    answer.columns(&outcome.columns);
                    for row in &outcome.rows {
                        answer.row(&outcome.columns, row);
                    }
                }
                if matches!(of, Done::Procedure) {
                    answer.done(Done::Inside, done::COUNT | done::MORE, rows);
                    answer.returned(0);
                    answer.done(of, 0, 0);
                } else {
                    answer.done(of, done::COUNT, rows);
                }
            }
            Err(refusal) => {
                answer.error(refusal.number, 16, &refusal.words);
                if self.transaction != 0 && self.aborts {
                    self.end("ROLLBACK").await.map_err(|refusal| broken(&refusal.words))?;
                    answer.change(change::ROLLED_BACK, &[], &[0; 8]);
                }
                answer.done(of, done::ERROR, 0);
            }
        }
        self.line.send(kind::ANSWER, &answer.0).await
    }

    async fn transact(&mut self, text: &str, answer: &mut Answer) -> Result<(), Refusal> {
        let old = self.transaction.to_le_bytes();
        if text == "BEGIN" {
            self.transaction = self.world.transactions.fetch_add(1, Ordering::SeqCst) + 1;
            answer.change(change::BEGUN, &self.transaction.to_le_bytes(), &[]);
            return Ok(());
        }
        self.end(if text == "COMMIT" { "COMMIT" } else { "ROLLBACK" }).await?;
        answer.change(if text == "COMMIT" { change::COMMITTED } else { change::ROLLED_BACK }, &[], &old);
        Ok(())
    }

    /// Ends the transaction, and with it the lock.
    async fn end(&mut self, how: &'static str) -> Result<(), Refusal> {
        if std::mem::take(&mut self.begun) {
            sqlx::query(how).execute(&mut self.database).await?;
        }
        self.transaction = 0;
        self.lock = None;
        Ok(())
    }

    async fn run(&mut self, text: &str, values: &[Value], answer: &mut Answer) -> Result<Outcome, Refusal> {
        if text == "SELECT 1" {
            return Ok(Outcome::number("", 1));
        }
        if text.starts_with("SET ") {
            self.aborts |= text.contains("XACT_ABORT ON");
            return Ok(Outcome::default());
        }
        if text.contains(" sp_getapplock ") {
            let [Value::Text(name)] = values else { return Err(Refusal::new(8178, "@P1 was not supplied.")) };
            // By the number of the table, which is one however its name is written.
            let got = self.lock(&name.to_lowercase()).await?;
            // The procedure has an end of its own before the rows come.
            answer.done(Done::Inside, done::MORE, 0);
            return Ok(Outcome {
                columns: vec![(String::new(), Type::Int)],
                rows: vec![vec![Value::Number(got)]],
                written: 0,
            });
        }
        if text.contains(" FROM sys.columns ") {
            return statements::of_the_system(&mut self.database, text, values).await;
        }
        if self.transaction != 0 && !std::mem::replace(&mut self.begun, true) {
            sqlx::query("BEGIN").execute(&mut self.database).await?;
        }
        statements::of_tables(&mut self.database, text, values).await
    }

    /// `sp_getapplock` for the transaction: 0, or -1 if somebody else has it for too long.
    async fn lock(&mut self, name: &str) -> Result<i64, Refusal> {
        if self.transaction == 0 {
            return Err(Refusal::new(50_000, "The lock wants a transaction."));
        }
        if self.lock.as_ref().is_some_and(|(held, _)| held == name) {
            return Ok(0);
        }
        let lock = self.world.lock_named(name);
        match timeout(self.world.lock_timeout, lock.lock_owned()).await {
            Ok(guard) => {
                self.lock = Some((name.to_owned(), guard));
                Ok(0)
            }
            Err(_) => Ok(-1),
        }
    }
}

/// How long SQLite waits for another writer of its file.
pub const BUSY: Duration = Duration::from_secs(20);

/// Looks at what there is, or changes it, beside all clients.
pub async fn beside(world: &World, statements: &str) -> anyhow::Result<()> {
    let mut database = world.options.connect().await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(&mut database).await?;
    database.close().await?;
    Ok(())
}
