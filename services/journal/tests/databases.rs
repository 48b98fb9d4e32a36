//! The journal databases: SQLite files, and a real PostgreSQL server.

use std::path::Path;

use callseal_journal::database::{self, ErrorKind, JournalDb};
use domain::{
    RecordingId,
    resources::{JournalDatabase, JournalTarget},
};
use harness::postgres::Postgres;

#[path = "world/mod.rs"]
#[allow(dead_code, reason = "only its rows are used here")]
mod world;

use world::row;

fn sqlite(path: &str) -> JournalTarget {
    JournalTarget {
        name: "main".parse().unwrap(),
        table: "recordings".into(),
        create_table: true,
        database: JournalDatabase::Sqlite { path: path.into() },
    }
}

fn postgres(server: &Postgres) -> JournalTarget {
    JournalTarget {
        database: JournalDatabase::Postgres {
            host: "127.0.0.1".into(),
            port: server.port(),
            database: Postgres::DATABASE.into(),
            schema: None,
            user: Postgres::USER.into(),
            password: Some(Postgres::PASSWORD.into()),
            tls: "prefer".into(),
        },
        ..sqlite("")
    }
}

fn open(journal: &JournalTarget, base: &Path) -> Box<dyn JournalDb> {
    database::open(journal, base).unwrap()
}

/// The same expectations of every kind of database.
async fn keeps_the_contract(journal: &dyn JournalDb) {
    assert_eq!(journal.check().await.unwrap_err().kind(), ErrorKind::NoTable);
    assert_eq!(journal.insert(&[row(RecordingId::new())]).await.unwrap_err().kind(), ErrorKind::NoTable);
    journal.create_table().await.unwrap();
    journal.create_table().await.unwrap();
    journal.check().await.unwrap();
    let rows = [row(RecordingId::new()), row(RecordingId::new())];
    assert_eq!(journal.insert(&rows[..1]).await.unwrap(), 1);
    assert_eq!(journal.insert(&rows).await.unwrap(), 1, "the first is there already");
    assert_eq!(journal.insert(&rows).await.unwrap(), 0);
    let mut read = journal.read(10).await.unwrap();
    read.sort_by(|a, b| a.base_file_name.cmp(&b.base_file_name));
    assert_eq!(read, rows);
    assert_eq!(journal.read(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_sqlite_file_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    keeps_the_contract(&*open(&sqlite("journal.sqlite"), dir.path())).await;
}

#[tokio::test]
async fn a_postgresql_server_keeps_the_contract_and_many_writers_write_each_row_once() {
    let server = Postgres::start().await.unwrap();
    let target = postgres(&server);
    let journal = open(&target, Path::new(""));
    keeps_the_contract(&*journal).await;

    // Several replicas, each with the same rows and a connection of its own; the table has no key.
    let rows: Vec<_> = (0..20).map(|_| row(RecordingId::new())).collect();
    let writers = (0..6).map(|_| {
        let (journal, rows) = (open(&target, Path::new("")), rows.clone());
        tokio::spawn(async move {
            let mut written = 0;
            for row in rows {
                written += journal.insert(&[row]).await.unwrap();
            }
            written
        })
    });
    let mut written = 0;
    for writer in writers.collect::<Vec<_>>() {
        written += writer.await.unwrap();
    }
    assert_eq!((written, journal.read(100).await.unwrap().len()), (20, 22));
}

#[tokio::test]
async fn what_is_wrong_with_a_postgresql_journal_is_said_in_words_and_without_secrets() {
    let mut server = Postgres::start().await.unwrap();
    let with = |change: &dyn Fn(&mut JournalTarget)| {
        let mut target = postgres(&server);
        change(&mut target);
        open(&target, Path::new(""))
    };
    let wrong_password = with(&|target| {
        if let JournalDatabase::Postgres { password, .. } = &mut target.database {
            *password = Some("hunter2".into());
        }
    });
    let wrong_database = with(&|target| {
        if let JournalDatabase::Postgres { database, .. } = &mut target.database {
            *database = "nowhere".into();
        }
    });
    let tls = with(&|target| {
        if let JournalDatabase::Postgres { tls, .. } = &mut target.database {
            *tls = "require".into();
        }
    });
    let no_schema = with(&|target| {
        if let JournalDatabase::Postgres { schema, .. } = &mut target.database {
            *schema = Some("nowhere".into());
        }
    });
    for (journal, kind) in [
        (wrong_password, ErrorKind::LoginRefused),
        (wrong_database, ErrorKind::NoDatabase),
        (tls, ErrorKind::Denied),
        (no_schema, ErrorKind::NoTable),
    ] {
        let error = journal.check().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.is_permanent() && !error.to_string().contains("hunter2"), "{error}");
    }

    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    sqlx::query("CREATE TABLE other (basefilename text, \"time\" bigint)").execute(&pool).await.unwrap();
    sqlx::query(
        "CREATE TABLE narrow (basefilename varchar(9), direction text, \"time\" bigint, callid text, \
                 callername text, caller text, callee text, setting text, signature text)",
    )
    .execute(&pool)
    .await
    .unwrap();
    let other = with(&|target| target.table = "other".into());
    assert_eq!(other.check().await.unwrap_err().kind(), ErrorKind::Columns);
    let narrow = with(&|target| target.table = "narrow".into());
    let error = narrow.insert(&[row(RecordingId::new())]).await.unwrap_err();
    assert!(error.concerns_row() && !error.to_string().contains("+4970311234"), "{error}");

    let journal = with(&|_| {});
    journal.create_table().await.unwrap();
    pool.close().await;
    server.stop().unwrap();
    let error = journal.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(!error.is_permanent());
}

#[tokio::test]
async fn what_is_wrong_with_a_sqlite_journal_is_said_in_words() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("text.sqlite"), "no database, but long enough to be looked at".repeat(50))
        .unwrap();
    let error = open(&sqlite("text.sqlite"), dir.path()).check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoDatabase, "{error}");
    let error = open(&sqlite("missing/folder.sqlite"), dir.path()).check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");

    let url = format!("sqlite:{}?mode=rwc", dir.path().join("other.sqlite").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE recordings (basefilename text)").execute(&pool).await.unwrap();
    let error = open(&sqlite("other.sqlite"), dir.path()).check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Columns, "{error}");
}
