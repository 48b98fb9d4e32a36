//! Values of parameters and of rows.

use std::fmt;

/// A value that goes into a statement or comes out of a query. `Debug` shows its size, not its content.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, in a column of any type.
    Null,
    /// A number, for SMALLINT, INTEGER and BIGINT.
    BigInt(i64),
    /// A text, for all kinds of text, and for dates.
    Text(String),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::BigInt(_) => f.write_str("BigInt"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::BigInt(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of a query: as many values as the query has columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    /// All values.
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    /// The text of a column, from 0; `None` if it is null or no text.
    pub fn text(&self, column: usize) -> Option<&str> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The number of a column, from 0; `None` if it is null or no number.
    pub fn number(&self, column: usize) -> Option<i64> {
        match self.0.get(column) {
            Some(Value::BigInt(number)) => Some(*number),
            _ => None,
        }
    }
}
