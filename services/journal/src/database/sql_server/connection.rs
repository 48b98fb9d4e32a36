//! A connection to a SQL Server: its way, its login, and what is sent over it.

use std::{sync::Arc, time::Duration};

use domain::resources::SqlServerJournal;
use tiberius::{AuthMethod, Client, ColumnData, Config, EncryptionLevel, SqlBrowser as _, error::Error};
use tokio::{io::DuplexStream, net::TcpStream, time::timeout};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};
use tracing::{instrument::WithSubscriber as _, subscriber::NoSubscriber};
use tunnel::{SshError, Stream, Tunnel};

use super::{
    encrypted::{Broken, Encryption, laid},
    trust,
    windows::Windows,
};
use crate::database::{ErrorKind, JournalError, table::Value};

/// How long the login may take, and how long a statement.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(20);
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a kept connection may take to say that it lives.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// As indexes and comparisons want it, wherever the server or the database has other defaults; a text that
/// does not fit is an error, and an error ends the transaction.
const SETTINGS: &str = "SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, \
     QUOTED_IDENTIFIER, XACT_ABORT ON; SET NUMERIC_ROUNDABORT, IMPLICIT_TRANSACTIONS OFF; SET LOCK_TIMEOUT 30000";

/// Why something could not be done.
pub(super) enum Failure {
    /// No way to the server.
    Way(SshError),
    /// The bytes or their encryption.
    Broken(Broken),
    /// No answer in time.
    Late,
    /// The table's lock was not given: what `sp_getapplock` returned.
    NotLocked(i64),
    /// The table has changed the name of a row.
    Changed,
    /// Nobody tells the port of the instance.
    NoInstance,
    /// The server, or what it says.
    Client(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

/// Where a server is, and how to log in.
pub(super) struct Server {
    host: String,
    port: u16,
    instance: Option<String>,
    tunnel: Option<Tunnel>,
    config: Config,
    encryption: Encryption,
}

impl Server {
    pub(super) fn new(journal: &SqlServerJournal) -> Result<Self, JournalError> {
        let server = &journal.server;
        let description = |sentence| JournalError::new(ErrorKind::Description, sentence);
        let name = ServerName::try_from(server.host.clone())
            .map_err(|_| description("host is neither a name nor an address"))?;
        let mut config = Config::new();
        config.host(&server.host);
        config.database(&server.database);
        config.application_name("callseal");
        let windows = Windows::named(&server.user, server.password.as_ref());
        if windows.is_none() {
            let password =
                server.password.as_ref().map(|password| password.expose().clone()).unwrap_or_default();
            config.authentication(AuthMethod::sql_server(&server.user, password));
        }
        config.encryption(EncryptionLevel::NotSupported);
        match &journal.instance {
            Some(instance) => config.instance_name(instance),
            None => config.port(server.port),
        }
        config.handshake_timeout(Some(LOGIN_TIMEOUT));
        config.command_timeout(Some(STATEMENT_TIMEOUT));
        let tls = Arc::new(trust::client(journal.encrypt, server.ca_certificate.as_deref())?);
        Ok(Self {
            host: server.host.clone(),
            port: server.port,
            instance: journal.instance.clone(),
            tunnel: server.tunnel.clone().map(Tunnel::new),
            config,
            encryption: Encryption { level: journal.encrypt, tls, server: name, windows },
        })
    }

    /// For texts.
    pub(super) fn name(&self) -> String {
        match &self.instance {
            Some(instance) => format!("{}\\{instance}", self.host),
            None => format!("{}:{}", self.host, self.port),
        }
    }

    async fn stream(&self) -> Result<Stream, Failure> {
        if self.instance.is_none() {
            return tunnel::dial(self.tunnel.as_ref(), &self.host, self.port).await.map_err(Failure::Way);
        }
        let asked = TcpStream::connect_named(&self.config).with_subscriber(NoSubscriber::new());
        match timeout(LOGIN_TIMEOUT, asked).await.map_err(|_| Failure::Late)? {
            Ok(stream) => Ok(Stream::from(stream)),
            Err(Error::Conversion(_)) => Err(Failure::NoInstance),
            Err(error) => Err(error.into()),
        }
    }

    /// A new connection, logged in.
    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        let (near, carried) = laid(self.stream().await?, self.encryption.clone());
        let mut config = self.config.clone();
        if self.instance.is_some() {
            // What is said of it besides is the port's business.
            config.port(self.port);
        }
        let login = Client::connect(config, near.compat()).with_subscriber(NoSubscriber::new());
        let client = match timeout(LOGIN_TIMEOUT, login).await {
            Ok(Ok(client)) => client,
            Ok(Err(error @ Error::Server(_))) => return Err(error.into()),
            // What went wrong below says more than that the stream has ended.
            failed => {
                return Err(match (timeout(PING_TIMEOUT, carried).await, failed) {
                    (Ok(Ok(Err(broken))), _) => Failure::Broken(broken),
                    (_, Ok(Err(error))) => error.into(),
                    _ => Failure::Late,
                });
            }
        };
        let mut connection = Connection { client, old_text: None };
        connection.batch(SETTINGS).await?;
        Ok(connection)
    }
}

/// A connection that is logged in. Whoever gets an error from it lets go of it.
pub(super) struct Connection {
    client: Client<Compat<DuplexStream>>,
    /// Whether names are compared by a cast; `None`: nobody has looked yet.
    pub(super) old_text: Option<bool>,
}

/// Nothing of what is done is logged by the client: it logs what the server says, and that repeats values.
async fn quietly<T>(what: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    let done = timeout(STATEMENT_TIMEOUT, what.with_subscriber(NoSubscriber::new())).await;
    Ok(done.map_err(|_| Failure::Late)??)
}

impl Connection {
    pub(super) async fn lives(&mut self) -> bool {
        matches!(timeout(PING_TIMEOUT, self.batch("SELECT 1")).await, Ok(Ok(())))
    }

    /// Statements without parameters.
    pub(super) async fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        quietly(async { self.client.simple_query(sql).await?.into_results().await.map(drop) }).await
    }

    /// A statement whose answer has no rows.
    pub(super) async fn execute(&mut self, sql: &str, values: Vec<Value<'_>>) -> Result<(), Failure> {
        quietly(async { bound(sql, values).execute(&mut self.client).await.map(drop) }).await
    }

    /// The rows of a statement's first answer; what is empty is `None`.
    pub(super) async fn query(
        &mut self,
        sql: &str,
        values: Vec<Value<'_>>,
    ) -> Result<Vec<Vec<Option<Value<'static>>>>, Failure> {
        quietly(async {
            let rows = bound(sql, values).query(&mut self.client).await?.into_first_result().await?;
            rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect()
        })
        .await
    }

    pub(super) async fn begin(&mut self) -> Result<(), Failure> {
        quietly(self.client.begin_transaction()).await
    }

    pub(super) async fn commit(&mut self) -> Result<(), Failure> {
        quietly(self.client.commit_transaction()).await
    }

    pub(super) async fn rollback(&mut self) -> Result<(), Failure> {
        quietly(self.client.rollback_transaction()).await
    }
}

fn bound<'a>(sql: &'a str, values: Vec<Value<'a>>) -> tiberius::Query<'a> {
    let mut query = tiberius::Query::new(sql);
    for value in values {
        match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
        }
    }
    query
}

fn value(data: ColumnData<'static>) -> Result<Option<Value<'static>>, Error> {
    Ok(match data {
        ColumnData::String(text) => text.map(Value::Text),
        ColumnData::I64(number) => number.map(Value::Number),
        ColumnData::I32(number) => number.map(|number| Value::Number(number.into())),
        ColumnData::I16(number) => number.map(|number| Value::Number(number.into())),
        ColumnData::U8(number) => number.map(|number| Value::Number(number.into())),
        ColumnData::Numeric(number) => number
            .map(|number| i64::try_from(number.int_part()).map(Value::Number))
            .transpose()
            .map_err(|_| Error::Conversion("a number that is too large".into()))?,
        _ => return Err(Error::Conversion("a column of another type".into())),
    })
}
