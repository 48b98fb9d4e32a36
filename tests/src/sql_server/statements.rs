//! The Transact-SQL of a journal, carried out by SQLite: as much of it as journals speak, and an error for
//! anything else.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Row as _, SqliteConnection, sqlite::SqliteRow};

use super::{answers::Type, requests::Value};

/// Schemas that there are, beside the login's own.
const SCHEMAS: [&str; 2] = ["dbo", "other"];

/// An error as SQL Server has it.
#[derive(Debug)]
pub struct Refusal {
    pub number: u32,
    pub words: String,
}

impl Refusal {
    pub fn new(number: u32, words: impl Into<String>) -> Self {
        Self { number, words: words.into() }
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        let words = error.to_string();
        let meaning = [
            ("UNIQUE", 2627),
            ("NOT NULL", 515),
            ("CHECK", 547),
            ("no such table", 208),
            ("no such column", 207),
            ("has no column", 207),
            ("already exists", 2714),
            ("locked", 1205),
        ];
        let number = meaning.into_iter().find(|(sign, _)| words.contains(sign)).map_or(50_000, |(_, n)| n);
        Self { number, words }
    }
}

/// What a statement has brought.
#[derive(Default)]
pub struct Outcome {
    pub columns: Vec<(String, Type)>,
    pub rows: Vec<Vec<Value>>,
    /// Rows that were written.
    pub written: u64,
}

impl Outcome {
    pub fn number(name: &str, number: i64) -> Self {
        Self {
            columns: vec![(name.to_owned(), Type::Int)],
            rows: vec![vec![Value::Number(number)]],
            written: 0,
        }
    }
}

/// The same in SQLite's words. A schema is part of a table's name.
fn sqlite(text: &str) -> String {
    let text = text
        .replace("[dbo].[", "[")
        .replace("].[", ".")
        .replace("@P", "?")
        .replace("nvarchar(max)", "nvarchar")
        .replace("nvarchar(450)", "nvarchar(450) COLLATE NOCASE")
        .replace("COLLATE Latin1_General_100_BIN2", "COLLATE BINARY");
    match text.split_once(" OFFSET 0 ROWS FETCH NEXT ") {
        Some((query, count)) => format!("{query} LIMIT {}", count.trim_end_matches(" ROWS ONLY")),
        None => text,
    }
}

/// The name of a table in SQLite, of its name in brackets.
fn plain(table: &str) -> String {
    sqlite(table).trim_matches(['[', ']']).to_owned()
}

/// What stands between two words.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Result<&'a str, Refusal> {
    text.split_once(from)
        .and_then(|(_, rest)| rest.split_once(to))
        .map(|(found, _)| found)
        .ok_or_else(|| Refusal::new(102, "Incorrect syntax."))
}

/// A column of a table that there is.
struct Column {
    name: String,
    of: Type,
    needs_value: bool,
}

async fn columns(database: &mut SqliteConnection, table: &str) -> Result<Vec<Column>, Refusal> {
    let found =
        sqlx::query("SELECT name, type, \"notnull\" AND dflt_value IS NULL FROM pragma_table_info(?)")
            .bind(plain(table))
            .fetch_all(database)
            .await?;
    let column = |row: SqliteRow| -> Result<Column, sqlx::Error> {
        let of: String = row.try_get_unchecked(1)?;
        let needs_value = row.try_get_unchecked::<i64, _>(2)? != 0;
        Ok(Column { name: row.try_get_unchecked(0)?, of: Type::named(&of), needs_value })
    };
    Ok(found.into_iter().map(column).collect::<Result<_, _>>()?)
}

/// What the views of the system say of a table; no part of any transaction.
pub async fn of_the_system(
    database: &mut SqliteConnection,
    text: &str,
    values: &[Value],
) -> Result<Outcome, Refusal> {
    let [Value::Text(table)] = values else { return Err(Refusal::new(8178, "@P1 was not supplied.")) };
    let found = columns(database, table).await?;
    if text.contains("COUNT(*)") {
        let old = |column: &&Column| {
            column.name == "basefilename" && [Type::Text, Type::NText].contains(&column.of)
        };
        return Ok(Outcome::number("", found.iter().filter(old).count() as i64));
    }
    let row = |column: Column| vec![Value::Text(column.name), Value::Number(column.needs_value.into())];
    Ok(Outcome {
        columns: vec![("name".into(), Type::NVarchar(128)), (String::new(), Type::Int)],
        rows: found.into_iter().map(row).collect(),
        written: 0,
    })
}

/// What concerns tables and their rows.
pub async fn of_tables(
    database: &mut SqliteConnection,
    text: &str,
    values: &[Value],
) -> Result<Outcome, Refusal> {
    if text.contains(" CREATE INDEX [") {
        let (name, rest) = text
            .split_once(" CREATE INDEX [")
            .and_then(|(_, rest)| rest.split_once("] ON "))
            .ok_or_else(|| Refusal::new(102, "Incorrect syntax."))?;
        let table = plain(rest.split(' ').next().unwrap_or_default());
        // Other than in SQLite, each table has names of its own.
        let made = format!("CREATE INDEX IF NOT EXISTS [{table}.{name}] ON {}", sqlite(rest));
        return run(database, &made, &[]).await;
    }
    if let Some((_, made)) = text.split_once(" IS NULL CREATE TABLE ") {
        let schema = made.split_once("].[").map(|(schema, _)| schema.trim_start_matches('['));
        if schema.is_some_and(|schema| !SCHEMAS.contains(&schema)) {
            return Err(Refusal::new(2760, "The specified schema name does not exist."));
        }
        return run(database, &format!("CREATE TABLE IF NOT EXISTS {}", sqlite(made)), &[]).await;
    }
    if text.starts_with("INSERT INTO ") {
        fits(database, text, values).await?;
        return run(database, &sqlite(text), values).await;
    }
    if text.starts_with("SELECT ") && text.contains(" FROM ") {
        return select(database, text, values).await;
    }
    Err(Refusal::new(102, format!("Incorrect syntax near '{text}'.")))
}

async fn select(database: &mut SqliteConnection, text: &str, values: &[Value]) -> Result<Outcome, Refusal> {
    let types: HashMap<String, Type> = columns(database, between(text, " FROM ", " j")?)
        .await?
        .into_iter()
        .map(|column| (column.name, column.of))
        .collect();
    let named = |column: &str| {
        let name = column.trim_start_matches("j.[").trim_end_matches(']').to_owned();
        // A cast has no name.
        match types.get(&name) {
            Some(of) => (name, *of),
            None => (String::new(), Type::NVarcharMax),
        }
    };
    let columns = between(text, "SELECT ", " FROM ")?.split(", ").map(named).collect();
    Ok(Outcome { columns, ..run(database, &sqlite(text), values).await? })
}

/// SQLite does not keep to a column's length: SQL Server does, and repeats what is too long.
async fn fits(database: &mut SqliteConnection, text: &str, values: &[Value]) -> Result<(), Refusal> {
    let table = between(text, "INSERT INTO ", " (")?;
    let of: HashMap<String, Type> =
        columns(database, table).await?.into_iter().map(|column| (column.name, column.of)).collect();
    let named: Vec<&str> = between(text, " (", ") ")?.split(", ").collect();
    for (number, value) in values.iter().enumerate() {
        let column = named[number % named.len()].trim_matches(['[', ']']);
        let room = of.get(column).and_then(|of| of.room()).unwrap_or(usize::MAX);
        if let Value::Text(text) = value
            && text.encode_utf16().count() > room
        {
            return Err(Refusal::new(
                2628,
                format!(
                    "String or binary data would be truncated in table '{table}', column '{column}'. Truncated value: '{text}'."
                ),
            ));
        }
    }
    Ok(())
}

async fn run(database: &mut SqliteConnection, text: &str, values: &[Value]) -> Result<Outcome, Refusal> {
    let mut query = sqlx::query(AssertSqlSafe(text.to_owned()));
    for value in values {
        query = match value {
            Value::Null => query.bind(None::<String>),
            Value::Number(number) => query.bind(*number),
            Value::Text(text) => query.bind(text.clone()),
        };
    }
    if !text.starts_with("SELECT ") {
        let written = query.execute(database).await?.rows_affected();
        return Ok(Outcome { written, ..Outcome::default() });
    }
    let row = |row: SqliteRow| -> Result<Vec<Value>, sqlx::Error> {
        let value = |column: usize| {
            let text: Option<String> = row.try_get_unchecked(column)?;
            Ok(text.map_or(Value::Null, Value::Text))
        };
        (0..row.len()).map(value).collect()
    };
    let rows = query.fetch_all(database).await?.into_iter().map(row).collect::<Result<_, _>>()?;
    Ok(Outcome { rows, ..Outcome::default() })
}
