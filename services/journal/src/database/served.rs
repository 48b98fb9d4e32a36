//! A journal on a server that sqlx speaks with: what is the same whoever made the server.

use async_trait::async_trait;
use sqlx::Connection;
use wire::recording_v1::JournalRow;

use super::{
    ErrorKind, JournalDb, JournalError,
    found::{self, FoundColumn},
    kept::{Kept, in_time},
    probe::{End, Proven, made_up},
    query::Query,
    table::Table,
    way::{self, Failure, Way},
};

/// What a kind of server has of its own: login, statements, and the meaning of its errors.
#[async_trait]
pub(super) trait Speaks: Send + Sync + 'static {
    /// A connection.
    type Connection: Connection;

    /// What such a server is called.
    const NAME: &'static str;

    /// Logs in.
    async fn connect(&self, way: &Way) -> Result<Self::Connection, Failure>;

    /// The columns that the table has; none if there is no table.
    async fn columns(
        connection: &mut Self::Connection,
        table: &Table,
    ) -> Result<Vec<FoundColumn>, sqlx::Error>;

    /// Carries out one of the statements that make a table.
    async fn execute(connection: &mut Self::Connection, statement: String) -> Result<(), sqlx::Error>;

    /// Whether the table takes back what a transaction has written.
    async fn takes_back(_: &mut Self::Connection, _: &Table) -> Result<bool, sqlx::Error> {
        Ok(true)
    }

    /// Writes those of `rows` that are not there, in one transaction in which no other journal writes;
    /// returns how many those were. After an error the connection is let go of, and with it transaction
    /// and lock.
    async fn insert(
        connection: &mut Self::Connection,
        table: &Table,
        rows: &[JournalRow],
        end: End,
    ) -> Result<u64, sqlx::Error>;

    /// A page of rows.
    async fn read(
        connection: &mut Self::Connection,
        table: &Table,
        query: &Query,
    ) -> Result<Vec<JournalRow>, sqlx::Error>;

    /// What `server` said of `table`, by its number. Its own words are not repeated: they may hold the row.
    fn meaning(error: &sqlx::Error, server: &str, table: &str) -> (ErrorKind, String);
}

/// A table on such a server.
pub(super) struct Served<S: Speaks> {
    login: S,
    way: Way,
    kept: Kept<S::Connection>,
    table: Table,
}

impl<S: Speaks> Served<S> {
    /// A table behind `way`; nothing is contacted yet.
    pub(super) fn new(login: S, way: Way, table: Table) -> Self {
        Self { login, way, kept: Kept::new(), table }
    }

    /// For texts.
    fn server(&self) -> String {
        format!("{} {}", S::NAME, self.way.server())
    }

    fn fault(&self, failure: Failure) -> JournalError {
        match failure {
            Failure::Tunnel(error) => way::fault(error),
            Failure::Database(error) => {
                let (kind, sentence) = S::meaning(&error, &self.server(), self.table.name());
                JournalError::new(kind, sentence).caused_by(error)
            }
        }
    }

    /// What `using` comes to with a connection, which is kept for the next use if it gives it back.
    async fn with<T, F>(&self, using: impl FnOnce(S::Connection) -> F + Send) -> Result<T, JournalError>
    where
        T: Send,
        F: Future<Output = Result<(S::Connection, T), sqlx::Error>> + Send,
    {
        let used = async {
            let connection = self.kept.take(self.login.connect(&self.way)).await?;
            let (connection, outcome) = using(connection).await?;
            self.kept.keep(connection).await;
            Ok(outcome)
        };
        in_time(used).await.map_err(|failure| self.fault(failure))
    }
}

#[async_trait]
impl<S: Speaks> JournalDb for Served<S> {
    async fn check(&self) -> Result<(), JournalError> {
        let looking = |mut connection| async move {
            let found = S::columns(&mut connection, &self.table).await?;
            Ok((connection, found))
        };
        let found = self.with(looking).await?;
        found::check(&self.table, &found, &self.server())
    }

    async fn probe(&self) -> Result<Proven, JournalError> {
        self.check().await?;
        let trying = |mut connection| async move {
            let takes_back = S::takes_back(&mut connection, &self.table).await?;
            if takes_back {
                S::insert(&mut connection, &self.table, &[made_up()], End::TakeBack).await?;
            }
            Ok((connection, takes_back))
        };
        Ok(if self.with(trying).await? { Proven::Writing } else { Proven::Columns })
    }

    async fn create_table(&self) -> Result<(), JournalError> {
        match self.check().await {
            Err(error) if error.kind() == ErrorKind::NoTable => {}
            there => return there,
        }
        let making = |mut connection| async move {
            for statement in self.table.create() {
                S::execute(&mut connection, statement).await?;
            }
            Ok((connection, ()))
        };
        self.with(making).await?;
        self.check().await
    }

    async fn insert(&self, rows: &[JournalRow]) -> Result<u64, JournalError> {
        let writing = |mut connection| async move {
            let written = S::insert(&mut connection, &self.table, rows, End::Commit).await?;
            Ok((connection, written))
        };
        self.with(writing).await
    }

    async fn read(&self, query: &Query) -> Result<Vec<JournalRow>, JournalError> {
        let reading = |mut connection| async move {
            let read = S::read(&mut connection, &self.table, query).await?;
            Ok((connection, read))
        };
        self.with(reading).await
    }
}
