//! SQLite files.

use callseal_journal::database::{self, ErrorKind, JournalDb};

use domain::RecordingId;

use crate::{contract, described::sqlite, world::row};

fn open(path: &str, base: &std::path::Path) -> Box<dyn JournalDb> {
    database::open(&sqlite(path), base).unwrap()
}

#[tokio::test]
async fn a_sqlite_file_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    contract::is_kept(&*open("journal.sqlite", dir.path())).await;
    contract::is_read_page_by_page(&*open("pages.sqlite", dir.path())).await;
    contract::many_writers_write_each_row_once(|| open("shared.sqlite", dir.path())).await;
    let wide = dir.path().join("wide.sqlite").display().to_string();
    contract::further_columns_are_written(&sqlite(&wide)).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_sqlite_journal_is_said_in_words() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("text.sqlite"), "no database, but long enough to be looked at".repeat(50))
        .unwrap();
    let error = open("text.sqlite", dir.path()).check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoDatabase, "{error}");
    let error = open("missing/folder.sqlite", dir.path()).check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");

    let url = format!("sqlite:{}?mode=rwc", dir.path().join("other.sqlite").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE recordings (basefilename text)").execute(&pool).await.unwrap();
    let error = open("other.sqlite", dir.path()).check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Columns, "{error}");
    assert!(error.to_string().contains("lacks the columns direction, time"), "{error}");
}

#[tokio::test]
async fn tables_that_old_systems_made_are_used_in_a_sqlite_file_or_it_is_said_why_not() {
    let dir = tempfile::tempdir().unwrap();
    let columns = "basefilename varchar(200), direction text, time bigint, callid text, callername text, caller text, \
                   callee text, setting text, signature text";
    for (file, more) in [
        ("old.sqlite", "id INTEGER PRIMARY KEY, note text NOT NULL DEFAULT 'x', day date"),
        ("demanding.sqlite", "clerk text NOT NULL"),
    ] {
        let url = format!("sqlite:{}?mode=rwc", dir.path().join(file).display());
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        let make = format!("CREATE TABLE recordings ({columns}, {more})");
        sqlx::query(sqlx::AssertSqlSafe(make)).execute(&pool).await.unwrap();
    }
    let old = open("old.sqlite", dir.path());
    old.check().await.unwrap();
    assert_eq!(old.insert(&[row(RecordingId::new())]).await.unwrap(), 1);
    let error = open("demanding.sqlite", dir.path()).check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Columns, "{error}");
    assert!(error.to_string().contains("wants a value in the column clerk"), "{error}");
}
