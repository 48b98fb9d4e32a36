//! Writing and reading rows: the same on every database that sqlx speaks.

use sqlx::{
    AssertSqlSafe, ColumnIndex, Database, Decode, Encode, Executor, IntoArguments, Row as _, Transaction,
    Type,
};
use wire::recording_v1::JournalRow;

use super::table::Table;

/// Writes those of `rows` that are not there yet; returns how many. The caller's transaction has to
/// keep others from writing between the look and the insert.
pub(super) async fn insert_new<DB>(
    tx: &mut Transaction<'_, DB>,
    table: &Table,
    rows: &[JournalRow],
) -> Result<u64, sqlx::Error>
where
    DB: Database,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'q> &'q str: Encode<'q, DB> + Type<DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    let mut written = 0;
    for row in rows {
        let there = sqlx::query(AssertSqlSafe(table.look())).bind(row.base_file_name.as_str());
        if there.fetch_optional(&mut **tx).await?.is_some() {
            continue;
        }
        sqlx::query(AssertSqlSafe(table.insert()))
            .bind(row.base_file_name.as_str())
            .bind(row.direction.as_str())
            .bind(row.time_unix_ms)
            .bind(row.call_id.as_str())
            .bind(row.caller_name.as_str())
            .bind(row.caller.as_str())
            .bind(row.callee.as_str())
            .bind(row.setting.as_str())
            .bind(row.signature.as_str())
            .execute(&mut **tx)
            .await?;
        written += 1;
    }
    Ok(written)
}

/// The newest rows first, at most `limit`. What others have left empty reads as empty.
pub(super) async fn newest<DB>(
    connection: &mut DB::Connection,
    table: &Table,
    limit: u32,
) -> Result<Vec<JournalRow>, sqlx::Error>
where
    DB: Database,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB> + Decode<'q, DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    for<'i> &'i str: ColumnIndex<DB::Row>,
{
    let query = sqlx::query(AssertSqlSafe(table.read())).bind(i64::from(limit));
    let rows = query.fetch_all(&mut *connection).await?;
    rows.iter()
        .map(|row| {
            let text = |column| row.try_get::<Option<String>, _>(column).map(Option::unwrap_or_default);
            Ok(JournalRow {
                base_file_name: text("basefilename")?,
                direction: text("direction")?,
                time_unix_ms: row.try_get::<Option<i64>, _>("time")?.unwrap_or_default(),
                call_id: text("callid")?,
                caller_name: text("callername")?,
                caller: text("caller")?,
                callee: text("callee")?,
                setting: text("setting")?,
                signature: text("signature")?,
            })
        })
        .collect()
}
