//! The table of F-91, as text of SQL.

use std::{borrow::Cow, fmt};

use domain::resources::ExtraColumn;
use wire::recording_v1::JournalRow;

use super::{
    ErrorKind, JournalError,
    dialect::{Column, Dialect, Type},
    query::Query,
};

/// So many rows go into one statement: SQL Server takes 2,100 values.
pub const ROWS_AT_ONCE: usize = 100;

/// What a row has in a column. Sensitive.
#[derive(Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A number.
    Number(i64),
}

/// Short enough for every database, and the same each time.
fn index_of(table: &str, column: Column) -> String {
    format!("{}_{}", &table[..table.len().min(40)], column.name)
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(‹sensitive›)")
    }
}

/// A table by its names and columns.
#[derive(Debug, Clone)]
pub struct Table {
    dialect: Dialect,
    quoted: String,
    plain: String,
    columns: Vec<Column>,
}

const BASE_FILE_NAME: Column = Column { name: "basefilename", of: Type::Name };
const TIME: Column = Column { name: "time", of: Type::Number };

const COLUMNS: [Column; 9] = [
    BASE_FILE_NAME,
    text("direction"),
    TIME,
    text("callid"),
    text("callername"),
    text("caller"),
    text("callee"),
    text("setting"),
    text("signature"),
];

const fn text(name: &'static str) -> Column {
    Column { name, of: Type::Text }
}

impl Table {
    /// A table in `schema`, or where the database looks by itself, with these columns beside those of
    /// F-91.
    ///
    /// # Errors
    /// A name is not made of letters, digits and `_`.
    pub fn new(
        dialect: Dialect,
        schema: Option<&str>,
        name: &str,
        extra: &[ExtraColumn],
    ) -> Result<Self, JournalError> {
        for part in schema.iter().copied().chain([name]) {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if part.is_empty()
                || part.len() > 63
                || part.starts_with(|c: char| c.is_ascii_digit())
                || !part.chars().all(plain)
            {
                return Err(JournalError::new(
                    ErrorKind::Description,
                    "names of tables and schemas are 1 to 63 letters, digits or _, not beginning with a digit",
                ));
            }
        }
        let parts: Vec<&str> = schema.into_iter().chain([name]).collect();
        let quoted = parts.iter().map(|part| dialect.quoted(part)).collect::<Vec<_>>().join(".");
        let further = extra.iter().map(|column| Column {
            name: column.as_str(),
            of: if *column == ExtraColumn::DurationMs { Type::Number } else { Type::Text },
        });
        let columns = COLUMNS.into_iter().chain(further).collect();
        Ok(Self { dialect, quoted, plain: parts.join("."), columns })
    }

    /// The name for texts.
    pub fn name(&self) -> &str {
        &self.plain
    }

    /// The name for SQL.
    pub fn quoted(&self) -> &str {
        &self.quoted
    }

    /// The columns' names.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|column| column.name)
    }

    /// What makes the table, and then what makes looking for a row in it quick. The first does nothing
    /// where there is such a table, wherever the database can be told so.
    pub fn create(&self) -> Vec<String> {
        let dialect = self.dialect;
        let column =
            |column: &Column| format!("{} {}", dialect.quoted(column.name), dialect.type_of(column.of));
        let columns = self.columns.iter().map(column).collect::<Vec<_>>().join(", ");
        let mut all = vec![dialect.create(&self.quoted, &columns)];
        let name = self.plain.rsplit('.').next().unwrap_or(&self.plain);
        for column in [BASE_FILE_NAME, TIME] {
            all.extend(dialect.index(&index_of(name, column), &self.quoted, column));
        }
        all
    }

    /// What [`create`](Self::create) calls the index by which [`look`](Self::look) is quick.
    pub fn index_of_names(&self) -> String {
        index_of(self.plain.rsplit('.').next().unwrap_or(&self.plain), BASE_FILE_NAME)
    }

    /// Which of `count` base file names there are; each of them is a parameter.
    pub fn look(&self, count: usize) -> String {
        self.look_with(count, "")
    }

    /// The same with a word to the planner behind the table's name.
    pub fn look_with(&self, count: usize, hint: &str) -> String {
        let names = self.parameters(1, count);
        let column = self.dialect.compared(BASE_FILE_NAME);
        format!("SELECT {column} FROM {} j {hint}WHERE {column} IN ({names})", self.quoted)
    }

    /// Inserts `count` rows; the values of one after those of the other are the parameters.
    pub fn insert(&self, count: usize) -> String {
        let width = self.columns.len();
        let row = |number: usize| format!("({})", self.parameters(number * width + 1, width));
        let rows = (0..count).map(row).collect::<Vec<_>>().join(", ");
        let columns =
            self.columns.iter().map(|column| self.dialect.quoted(column.name)).collect::<Vec<_>>().join(", ");
        format!("INSERT INTO {} ({columns}) VALUES {rows}", self.quoted)
    }

    /// The values of a row, in the order of [`insert`](Self::insert).
    pub fn values<'a>(&'a self, row: &'a JournalRow) -> impl Iterator<Item = Value<'a>> {
        self.columns.iter().map(|column| value(row, column.name))
    }

    /// A page of rows, newest first, with the values of its parameters. Columns come in the order of
    /// [`columns`](Self::columns).
    pub fn read<'a>(&self, query: &'a Query) -> (String, Vec<Value<'a>>) {
        let (dialect, mut values) = (self.dialect, Vec::new());
        let mut conditions = Vec::new();
        for condition in query.conditions() {
            let mut alternatives = Vec::new();
            for all in condition {
                let mut parts = Vec::new();
                for test in all {
                    values.push(test.value);
                    let parameter = dialect.parameter(values.len());
                    let column = dialect.compared(self.column(test.column));
                    parts.push(format!("{column} {} {parameter}", test.operator));
                }
                alternatives.push(parts.join(" AND "));
            }
            conditions.push(format!("({})", alternatives.join(" OR ")));
        }
        let columns = self
            .columns
            .iter()
            .map(|c| format!("j.{}", dialect.quoted(c.name)))
            .collect::<Vec<_>>()
            .join(", ");
        let r#where = if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        };
        let (time, name) = (dialect.compared(TIME), dialect.compared(BASE_FILE_NAME));
        let page = dialect.first(query.limit);
        (
            format!(
                "SELECT {columns} FROM {} j{where} ORDER BY {time} DESC, {name} DESC {page}",
                self.quoted
            ),
            values,
        )
    }

    fn column(&self, name: &'static str) -> Column {
        self.columns.iter().copied().find(|column| column.name == name).unwrap_or(text(name))
    }

    fn parameters(&self, first: usize, count: usize) -> String {
        (first..first + count).map(|number| self.dialect.parameter(number)).collect::<Vec<_>>().join(", ")
    }
}

fn value<'a>(row: &'a JournalRow, column: &str) -> Value<'a> {
    let number = |number: u64| Value::Number(i64::try_from(number).unwrap_or(i64::MAX));
    Value::Text(clean(match column {
        "time" => return Value::Number(row.time_unix_ms),
        "durationms" => return number(row.duration_ms),
        "basefilename" => &row.base_file_name,
        "direction" => &row.direction,
        "callid" => &row.call_id,
        "callername" => &row.caller_name,
        "caller" => &row.caller,
        "callee" => &row.callee,
        "setting" => &row.setting,
        "signature" => &row.signature,
        "recordingid" => &row.recording_id,
        "tenant" => &row.tenant,
        "sha256" => &row.sha256,
        "interrupted" => &row.interrupted,
        _ => "",
    }))
}

/// Some databases cannot store U+0000, and what a telephone sends is no reason to have no row: the
/// character for what cannot be shown stands in its place.
fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{FFFD}")) } else { Cow::Borrowed(text) }
}

/// A name as it was written: a column of a fixed width fills up with blanks. None ends with one, since each
/// ends with its recording's id.
pub fn unpadded(name: &str) -> String {
    name.trim_end_matches(' ').to_owned()
}

/// Puts what a column holds into a row.
pub fn set(row: &mut JournalRow, column: &str, value: Value<'_>) {
    match value {
        Value::Number(number) => match column {
            "time" => row.time_unix_ms = number,
            "durationms" => row.duration_ms = u64::try_from(number).unwrap_or_default(),
            _ => {}
        },
        Value::Text(text) => {
            let field = match column {
                "basefilename" => &mut row.base_file_name,
                "direction" => &mut row.direction,
                "callid" => &mut row.call_id,
                "callername" => &mut row.caller_name,
                "caller" => &mut row.caller,
                "callee" => &mut row.callee,
                "setting" => &mut row.setting,
                "signature" => &mut row.signature,
                "recordingid" => &mut row.recording_id,
                "tenant" => &mut row.tenant,
                "sha256" => &mut row.sha256,
                "interrupted" => &mut row.interrupted,
                _ => return,
            };
            *field = if column == BASE_FILE_NAME.name { unpadded(&text) } else { text.into_owned() };
        }
    }
}

/// Whether a column holds numbers.
pub fn is_number(column: &str) -> bool {
    matches!(column, "time" | "durationms")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(dialect: Dialect) -> Table {
        Table::new(dialect, Some("calls"), "recordings", &[]).unwrap()
    }

    #[test]
    fn the_table_has_exactly_the_columns_of_the_documentation() {
        assert_eq!(
            table(Dialect::Postgres).create(),
            [
                "CREATE TABLE IF NOT EXISTS \"calls\".\"recordings\" (\"basefilename\" text, \"direction\" text, \
                 \"time\" bigint, \"callid\" text, \"callername\" text, \"caller\" text, \"callee\" text, \
                 \"setting\" text, \"signature\" text)",
                "CREATE INDEX IF NOT EXISTS \"recordings_basefilename\" ON \"calls\".\"recordings\" (\"basefilename\")",
                "CREATE INDEX IF NOT EXISTS \"recordings_time\" ON \"calls\".\"recordings\" (\"time\")",
            ]
        );
        assert_eq!(
            Table::new(Dialect::MySql, None, "calls", &[ExtraColumn::Tenant]).unwrap().create()[0],
            "CREATE TABLE IF NOT EXISTS `calls` (`basefilename` text, `direction` text, `time` bigint, `callid` text, \
             `callername` text, `caller` text, `callee` text, `setting` text, `signature` text, `tenant` text, \
             KEY `by_basefilename` (`basefilename`(191)), KEY `by_time` (`time`)) CHARACTER SET utf8mb4"
        );
    }

    #[test]
    fn a_sql_server_is_spoken_to_in_its_own_sql() {
        let table = |old_text| table(Dialect::SqlServer { old_text });
        let made = table(false).create();
        assert!(
            made[0].starts_with(
                "IF OBJECT_ID(N'[calls].[recordings]') IS NULL CREATE TABLE [calls].[recordings] \
                 ([basefilename] nvarchar(450), [direction] nvarchar(max), [time] bigint, "
            ),
            "{}",
            made[0]
        );
        assert_eq!(
            made[1],
            "IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE object_id = OBJECT_ID(N'[calls].[recordings]') \
             AND name = N'recordings_basefilename') \
             CREATE INDEX [recordings_basefilename] ON [calls].[recordings] ([basefilename])"
        );
        assert_eq!(
            table(false).look(2),
            "SELECT j.[basefilename] FROM [calls].[recordings] j WHERE j.[basefilename] IN (@P1, @P2)"
        );
        assert!(table(true).look(1).contains("WHERE CAST(j.[basefilename] AS nvarchar(max)) COLLATE"));
        assert!(table(false).insert(2).ends_with("(@P10, @P11, @P12, @P13, @P14, @P15, @P16, @P17, @P18)"));
        let query = Query { direction: Some("in".into()), limit: 7, ..Query::default() };
        let (text, _) = table(false).read(&query);
        assert!(
            text.ends_with(
                "WHERE (CAST(j.[direction] AS nvarchar(max)) COLLATE Latin1_General_100_BIN2 = @P1) \
                 ORDER BY j.[time] DESC, j.[basefilename] DESC OFFSET 0 ROWS FETCH NEXT 7 ROWS ONLY"
            ),
            "{text}"
        );
    }

    #[test]
    fn no_name_can_end_its_quotes() {
        let long = "a".repeat(64);
        let made = |schema, name| Table::new(Dialect::Postgres, schema, name, &[]);
        for bad in ["", "a\"b", "a b", "1a", "a.b", "a;drop", long.as_str(), "tölz"] {
            assert!(made(None, bad).is_err() && made(Some(bad), "t").is_err(), "{bad}");
        }
        assert_eq!(made(None, "Recordings_2").unwrap().name(), "Recordings_2");
    }

    #[test]
    fn a_page_is_asked_for_by_values_alone() {
        let query = Query { caller_or_callee: Some("+49'; --".into()), limit: 7, ..Query::default() };
        let (text, values) = table(Dialect::Postgres).read(&query);
        assert!(!text.contains("+49"), "{text}");
        assert!(text.ends_with("ORDER BY j.\"time\" DESC, j.\"basefilename\" DESC LIMIT 7"), "{text}");
        assert_eq!(values.len(), 2);
    }

    #[test]
    fn what_no_database_can_store_is_replaced() {
        let row = JournalRow { caller_name: "a\0b".into(), ..Default::default() };
        let table = table(Dialect::Sqlite);
        assert!(table.values(&row).any(|value| value == Value::Text("a\u{FFFD}b".into())));
    }
}
