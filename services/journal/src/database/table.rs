//! The table of F-91, as text of SQL.

use super::{ErrorKind, JournalError};

/// The columns, with whether each is a number.
const COLUMNS: [(&str, bool); 9] = [
    ("basefilename", false),
    ("direction", false),
    ("time", true),
    ("callid", false),
    ("callername", false),
    ("caller", false),
    ("callee", false),
    ("setting", false),
    ("signature", false),
];

/// A table by its name, quoted for SQL.
#[derive(Debug, Clone)]
pub struct Table {
    quoted: String,
    plain: String,
}

impl Table {
    /// A table in `schema`, or where the database looks by itself.
    ///
    /// # Errors
    /// A name is not made of letters, digits and `_`.
    pub fn new(schema: Option<&str>, name: &str) -> Result<Self, JournalError> {
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
        let quoted = parts.iter().map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(".");
        Ok(Self { quoted, plain: parts.join(".") })
    }

    /// The name for texts.
    pub fn name(&self) -> &str {
        &self.plain
    }

    /// Makes the table unless it exists.
    pub fn create(&self) -> String {
        let column =
            |(name, number): &(&str, bool)| format!("\"{name}\" {}", if *number { "bigint" } else { "text" });
        let columns = COLUMNS.iter().map(column).collect::<Vec<_>>().join(", ");
        format!("CREATE TABLE IF NOT EXISTS {} ({columns})", self.quoted)
    }

    /// Fails unless the table has all columns; yields no row.
    pub fn probe(&self) -> String {
        format!("SELECT {} FROM {} AS j WHERE 1 = 0", qualified(), self.quoted)
    }

    /// Whether there is a row with the base file name `$1`.
    pub fn look(&self) -> String {
        format!("SELECT 1 FROM {} AS j WHERE j.\"basefilename\" = $1 LIMIT 1", self.quoted)
    }

    /// Inserts the nine values `$1` to `$9`.
    pub fn insert(&self) -> String {
        format!("INSERT INTO {} ({}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", self.quoted, columns())
    }

    /// The newest `$1` rows.
    pub fn read(&self) -> String {
        format!("SELECT {} FROM {} AS j ORDER BY j.\"time\" DESC LIMIT $1", qualified(), self.quoted)
    }
}

fn columns() -> String {
    COLUMNS.map(|(name, _)| format!("\"{name}\"")).join(", ")
}

/// With the table in front: SQLite takes a quoted name that it does not know for a text.
fn qualified() -> String {
    COLUMNS.map(|(name, _)| format!("j.\"{name}\"")).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_exactly_the_columns_of_the_documentation() {
        assert_eq!(
            Table::new(Some("calls"), "recordings").unwrap().create(),
            "CREATE TABLE IF NOT EXISTS \"calls\".\"recordings\" (\"basefilename\" text, \"direction\" text, \
             \"time\" bigint, \"callid\" text, \"callername\" text, \"caller\" text, \"callee\" text, \
             \"setting\" text, \"signature\" text)"
        );
    }

    #[test]
    fn no_name_can_end_its_quotes() {
        let long = "a".repeat(64);
        for bad in ["", "a\"b", "a b", "1a", "a.b", "a;drop", long.as_str(), "tölz"] {
            assert!(Table::new(None, bad).is_err() && Table::new(Some(bad), "t").is_err(), "{bad}");
        }
        assert_eq!(Table::new(None, "Recordings_2").unwrap().name(), "Recordings_2");
    }
}
