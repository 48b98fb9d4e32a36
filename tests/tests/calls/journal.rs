//! The journals of a running installation: one row for each recording, no row twice.

use std::{path::Path, time::Duration};

use anyhow::ensure;
use harness::{recordings::Recording, wait};
use sqlx::{Connection, PgConnection, SqliteConnection};

const ROWS: &str = "SELECT basefilename FROM recordings ORDER BY 1";

/// The base names in the SQLite journal of an installation.
pub async fn rows(dir: &Path) -> anyhow::Result<Vec<String>> {
    let url = format!("sqlite:{}", dir.join("journal.sqlite").display());
    let mut journal = SqliteConnection::connect(&url).await?;
    Ok(sqlx::query_scalar(ROWS).fetch_all(&mut journal).await?)
}

/// The base names in a PostgreSQL journal.
pub async fn rows_in_postgres(url: &str) -> anyhow::Result<Vec<String>> {
    let mut journal = PgConnection::connect(url).await?;
    Ok(sqlx::query_scalar(ROWS).fetch_all(&mut journal).await?)
}

/// Waits until `rows` has as many rows as there are recordings; then they are the same, each once.
pub async fn holds_each_once<F>(
    found: &[Recording],
    deadline: Duration,
    rows: impl Fn() -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<Vec<String>>>,
{
    let rows = wait::until("a row for each recording", deadline, || async {
        rows().await.ok().filter(|rows| rows.len() >= found.len())
    })
    .await?;
    let bases: Vec<&str> = found.iter().map(|recording| recording.base.as_str()).collect();
    ensure!(rows == bases, "rows {rows:?}, recordings {bases:?}");
    Ok(())
}
