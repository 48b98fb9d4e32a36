//! Writing and reading rows: the same on every database that sqlx speaks.

use std::collections::HashSet;

use sqlx::{
    AssertSqlSafe, Database, Decode, Encode, Executor, IntoArguments, Row as _, Transaction, Type,
    query::Query as Statement,
};
use wire::recording_v1::JournalRow;

use super::{
    query::Query,
    table::{ROWS_AT_ONCE, Table, Value, is_number, set, unpadded},
};

/// Writes those of `rows` that are not there yet, each once; returns how many. The caller's transaction
/// has to keep others from writing between the look and the insert. [`sqlx::Error::RowNotFound`]: the table
/// has changed the name of one of them.
pub(super) async fn insert_new<DB>(
    tx: &mut Transaction<'_, DB>,
    table: &Table,
    rows: &[JournalRow],
) -> Result<u64, sqlx::Error>
where
    DB: Database,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'q> String: Encode<'q, DB> + Type<DB> + Decode<'q, DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB>,
    usize: sqlx::ColumnIndex<DB::Row>,
{
    let mut written = 0;
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let all: Vec<&JournalRow> = rows.iter().collect();
        let mut seen = look(tx, table, &all).await?;
        // One that comes twice in the same breath counts once.
        let new: Vec<&JournalRow> =
            rows.iter().filter(|row| seen.insert(row.base_file_name.clone())).collect();
        if new.is_empty() {
            continue;
        }
        let mut insert = sqlx::query(AssertSqlSafe(table.insert(new.len())));
        for value in new.iter().flat_map(|row| table.values(row)) {
            insert = bound(insert, value);
        }
        insert.execute(&mut **tx).await?;
        // What the table has changed would not be found again, and be written twice.
        let found = look(tx, table, &new).await?;
        if new.iter().any(|row| !found.contains(&row.base_file_name)) {
            return Err(sqlx::Error::RowNotFound);
        }
        written += new.len() as u64;
    }
    Ok(written)
}

/// The names of those rows that are there.
async fn look<DB>(
    tx: &mut Transaction<'_, DB>,
    table: &Table,
    rows: &[&JournalRow],
) -> Result<HashSet<String>, sqlx::Error>
where
    DB: Database,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'q> String: Encode<'q, DB> + Type<DB> + Decode<'q, DB>,
    usize: sqlx::ColumnIndex<DB::Row>,
{
    let mut look = sqlx::query(AssertSqlSafe(table.look(rows.len())));
    for row in rows {
        look = look.bind(row.base_file_name.clone());
    }
    let there = look.fetch_all(&mut **tx).await?;
    there.iter().map(|row| row.try_get::<String, _>(0).map(|name| unpadded(&name))).collect()
}

/// A page of rows, newest first. What others have left empty reads as empty.
pub(super) async fn read<DB>(
    connection: &mut DB::Connection,
    table: &Table,
    query: &Query,
) -> Result<Vec<JournalRow>, sqlx::Error>
where
    DB: Database,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'q> String: Encode<'q, DB> + Type<DB> + Decode<'q, DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB> + Decode<'q, DB>,
    usize: sqlx::ColumnIndex<DB::Row>,
{
    let (text, values) = table.read(query);
    let mut statement = sqlx::query(AssertSqlSafe(text));
    for value in values {
        statement = bound(statement, value);
    }
    let rows = statement.fetch_all(&mut *connection).await?;
    let mut read = Vec::with_capacity(rows.len());
    for found in &rows {
        let mut row = JournalRow::default();
        for (index, column) in table.columns().enumerate() {
            let value = if is_number(column) {
                found.try_get::<Option<i64>, _>(index)?.map(Value::Number)
            } else {
                found.try_get::<Option<String>, _>(index)?.map(|text| Value::Text(text.into()))
            };
            if let Some(value) = value {
                set(&mut row, column, value);
            }
        }
        read.push(row);
    }
    Ok(read)
}

fn bound<'q, DB>(
    statement: Statement<'q, DB, DB::Arguments>,
    value: Value<'_>,
) -> Statement<'q, DB, DB::Arguments>
where
    DB: Database,
    String: Encode<'q, DB> + Type<DB>,
    i64: Encode<'q, DB> + Type<DB>,
{
    match value {
        Value::Text(text) => statement.bind(text.into_owned()),
        Value::Number(number) => statement.bind(number),
    }
}
