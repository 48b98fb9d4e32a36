//! SQLite files.

use callseal_journal::database::{self, ErrorKind, JournalDb};

use crate::{contract, described::sqlite};

fn open(path: &str, base: &std::path::Path) -> Box<dyn JournalDb> {
    database::open(&sqlite(path), base).unwrap()
}

#[tokio::test]
async fn a_sqlite_file_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    contract::is_kept(&*open("journal.sqlite", dir.path())).await;
    contract::is_read_page_by_page(&*open("pages.sqlite", dir.path())).await;
    contract::many_writers_write_each_row_once(|| open("shared.sqlite", dir.path())).await;
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
