//! In what the databases' SQL differs.

/// A kind of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
    /// Apache Derby.
    Derby,
    /// Microsoft SQL Server.
    SqlServer {
        /// Names, too, are in a column of the types of old, `text` or `ntext`, which cannot be compared.
        old_text: bool,
    },
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub of: Type,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A text that rows are known by.
    Name,
    /// A text.
    Text,
    /// A whole number of 64 bits.
    Number,
}

impl Dialect {
    /// A name in quotes. It holds none itself: see [`Table::new`](super::table::Table::new).
    pub fn quoted(self, name: &str) -> String {
        match self {
            Self::Sqlite | Self::Postgres => format!("\"{name}\""),
            Self::MySql => format!("`{name}`"),
            // As names are that somebody has written without quotes: `time` is a word of Derby's own.
            Self::Derby => format!("\"{}\"", name.to_ascii_uppercase()),
            Self::SqlServer { .. } => format!("[{name}]"),
        }
    }

    /// The parameter with this number, from 1.
    pub fn parameter(self, number: usize) -> String {
        match self {
            Self::Sqlite | Self::Postgres => format!("${number}"),
            Self::MySql | Self::Derby => "?".to_owned(),
            Self::SqlServer { .. } => format!("@P{number}"),
        }
    }

    /// The type of a new table's column.
    pub const fn type_of(self, of: Type) -> &'static str {
        match (self, of) {
            // What is larger than this cannot be compared, nor sorted by; and an index wants it shorter.
            (Self::Derby, Type::Name) => "VARCHAR(1024)",
            (Self::Derby, Type::Text) => "VARCHAR(32672)",
            // What is longer than 900 bytes has no index on every server.
            (Self::SqlServer { .. }, Type::Name) => "nvarchar(450)",
            (Self::SqlServer { .. }, Type::Text) => "nvarchar(max)",
            (_, Type::Name | Type::Text) => "text",
            (_, Type::Number) => "bigint",
        }
    }

    /// Makes a table unless there is one.
    pub fn create(self, table: &str, columns: &str) -> String {
        match self {
            Self::Sqlite | Self::Postgres => format!("CREATE TABLE IF NOT EXISTS {table} ({columns})"),
            // It cannot be told so; see `Derby::create_table`.
            Self::Derby => format!("CREATE TABLE {table} ({columns})"),
            Self::SqlServer { .. } => {
                format!("IF OBJECT_ID(N'{table}') IS NULL CREATE TABLE {table} ({columns})")
            }
            // It cannot be told to make an index unless there is one; and a text is indexed by its beginning.
            Self::MySql => format!(
                "CREATE TABLE IF NOT EXISTS {table} ({columns}, KEY `by_basefilename` (`basefilename`(191)), \
                 KEY `by_time` (`time`)) CHARACTER SET utf8mb4"
            ),
        }
    }

    /// Makes an index unless there is one; `None`: the table was made with it.
    pub fn index(self, name: &str, table: &str, column: Column) -> Option<String> {
        let column = self.quoted(column.name);
        match self {
            // SQLite has the schema before the index's name; a journal in SQLite has none.
            Self::Sqlite | Self::Postgres => {
                Some(format!("CREATE INDEX IF NOT EXISTS {} ON {table} ({column})", self.quoted(name)))
            }
            // Without a schema it would be the user's, and that has to be the table's.
            Self::Derby => {
                let schema =
                    table.rsplit_once('.').map(|(schema, _)| format!("{schema}.")).unwrap_or_default();
                Some(format!("CREATE INDEX {schema}{} ON {table} ({column})", self.quoted(name)))
            }
            Self::SqlServer { .. } => Some(format!(
                "IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE object_id = OBJECT_ID(N'{table}') AND name = N'{name}') \
                 CREATE INDEX {} ON {table} ({column})",
                self.quoted(name)
            )),
            Self::MySql => None,
        }
    }

    /// A column of the table `j` where it is compared. With the table in front: SQLite takes a quoted
    /// name that it does not know for a text.
    pub fn compared(self, column: Column) -> String {
        let plain = format!("j.{}", self.quoted(column.name));
        match (self, column.of) {
            // Exactly, whatever the database's collation takes for the same; and `text` by a cast alone. Names
            // have an index, which a cast would leave aside.
            (Self::SqlServer { .. }, Type::Text) | (Self::SqlServer { old_text: true }, Type::Name) => {
                format!("CAST({plain} AS nvarchar(max)) COLLATE Latin1_General_100_BIN2")
            }
            _ => plain,
        }
    }

    /// The end of a query that wants `count` rows.
    pub fn first(self, count: u32) -> String {
        match self {
            Self::Derby => format!("FETCH FIRST {count} ROWS ONLY"),
            Self::SqlServer { .. } => format!("OFFSET 0 ROWS FETCH NEXT {count} ROWS ONLY"),
            _ => format!("LIMIT {count}"),
        }
    }
}
