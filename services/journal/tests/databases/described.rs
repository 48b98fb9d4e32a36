//! Journals as resources describe them.

use std::path::Path;

use callseal_journal::database::{self, JournalDb};
use domain::resources::{
    DatabaseServer, DatabaseTls, DerbyJournal, JournalDatabase, JournalTarget, MySqlJournal, PostgresJournal,
    SqlServerEncryption, SqlServerJournal, SqliteJournal,
};
use harness::{derby::Derby, mariadb::MariaDb, postgres::Postgres, sql_server::SqlServer};

pub fn journal(database: JournalDatabase) -> JournalTarget {
    JournalTarget {
        name: "main".parse().unwrap(),
        table: "recordings".into(),
        create_table: true,
        extra_columns: Vec::new(),
        database,
    }
}

pub fn sqlite(path: &str) -> JournalTarget {
    journal(JournalDatabase::Sqlite(SqliteJournal { path: path.into() }))
}

fn server(port: u16, database: &str, user: &str, password: &str) -> DatabaseServer {
    DatabaseServer {
        host: "127.0.0.1".into(),
        port,
        database: database.into(),
        user: user.into(),
        password: Some(password.into()),
        ca_certificate: None,
        tunnel: None,
    }
}

pub fn postgres(port: u16) -> PostgresJournal {
    let server = server(port, Postgres::DATABASE, Postgres::USER, Postgres::PASSWORD);
    PostgresJournal { server, schema: None, tls: DatabaseTls::Prefer }
}

pub fn mysql(port: u16) -> MySqlJournal {
    let server = server(port, MariaDb::DATABASE, MariaDb::USER, MariaDb::PASSWORD);
    MySqlJournal { server, tls: DatabaseTls::Prefer }
}

pub fn derby(port: u16) -> DerbyJournal {
    let server = server(port, Derby::DATABASE, Derby::USER, Derby::PASSWORD);
    DerbyJournal { server, schema: None, tls: DatabaseTls::Prefer }
}

pub fn sql_server(port: u16) -> SqlServerJournal {
    let server = server(port, SqlServer::DATABASE, SqlServer::USER, SqlServer::PASSWORD);
    SqlServerJournal { server, instance: None, schema: None, encrypt: SqlServerEncryption::Off }
}

pub fn open(journal: &JournalTarget) -> Box<dyn JournalDb> {
    database::open(journal, Path::new("")).unwrap()
}
