//! Types: as descriptions name them (DRDA, "SQL data types"), and as data is laid out (FD:OCA simple data
//! arrays; DRDA, "Data Types", MDD type numbers). Of each pair of numbers the odd one may be null.

use crate::{cursor::Cursor, error::ProtocolFault};

/// A column's or parameter's type, as far as journals have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlType {
    /// CHAR, filled up with spaces.
    Char,
    /// VARCHAR, at most 32,672 characters.
    Varchar,
    /// LONG VARCHAR, at most 32,700 characters.
    LongVarchar,
    /// CLOB, at most 2 GB.
    Clob,
    /// SMALLINT.
    SmallInt,
    /// INTEGER.
    Integer,
    /// BIGINT.
    BigInt,
    /// DATE, TIME or TIMESTAMP, read as text.
    DateTime,
    /// Another one, by the number of its SQLTYPE.
    Other(u16),
}

impl SqlType {
    /// From SQLDA's SQLTYPE, which is odd where null is allowed.
    pub(crate) const fn from_sql_type(number: u16) -> Self {
        match number & !1 {
            384 | 388 | 392 => Self::DateTime,
            408 => Self::Clob,
            448 => Self::Varchar,
            452 => Self::Char,
            456 => Self::LongVarchar,
            492 => Self::BigInt,
            496 => Self::Integer,
            500 => Self::SmallInt,
            other => Self::Other(other),
        }
    }
}

/// Nullable eight-byte integer.
pub const NULLABLE_INTEGER_8: u8 = 0x17;
/// Nullable long mixed-byte text: a count of two bytes, UTF-8.
pub const NULLABLE_LONG_TEXT: u8 = 0x41;
/// Nullable mixed-byte large object.
pub const NULLABLE_CLOB: u8 = 0xCF;
/// Length of a large object: bit 15 says that only its size is in place, of so many bytes, and that its
/// content is an EXTDTA of its own.
pub const EXTERNAL: u16 = 0x8000;

/// Group data array, a triplet's type: the columns of a row.
const GDA: u8 = 0x76;
/// Local identifier of SQLDTAGRP, the group of the columns.
const COLUMNS: u8 = 0xD0;
/// At most so many columns in a triplet.
const COLUMNS_OF_TRIPLET: usize = 84;
/// What ends the description of parameters: row layout array SQLDTA of one SQLDTAGRP (FD:OCA `RLO`).
const PARAMETER_ROWS: [u8; 6] = [0x06, 0x71, 0xE4, 0xD0, 0x00, 0x01];

/// How values of a column are laid out in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// The type's number.
    pub kind: u8,
    /// Its length or largest length.
    pub length: u16,
}

/// Appends the description of a row of parameters (DRDA `FDODSC` of `SQLDTA`).
pub fn put_description(out: &mut Vec<u8>, formats: &[Format]) {
    for columns in formats.chunks(COLUMNS_OF_TRIPLET) {
        out.extend([(3 + 3 * columns.len()) as u8, GDA, COLUMNS]);
        for column in columns {
            out.push(column.kind);
            out.extend(column.length.to_be_bytes());
        }
    }
    out.extend(PARAMETER_ROWS);
}

/// Reads the description of a row of a query (DRDA `QRYDSC`).
///
/// # Errors
/// It is damaged, or has no column.
pub fn read_description(content: &[u8]) -> Result<Vec<Format>, ProtocolFault> {
    let mut cursor = Cursor::new(content);
    let mut formats = Vec::new();
    while !cursor.rest().is_empty() {
        let length = usize::from(cursor.u8()?).checked_sub(3).ok_or(ProtocolFault::Length)?;
        let (kind, id) = (cursor.u8()?, cursor.u8()?);
        let mut triplet = Cursor::new(cursor.take(length)?);
        // What follows says that a row is one such group after a SQLCAGRP; it is always that.
        while (kind, id) == (GDA, COLUMNS) && !triplet.rest().is_empty() {
            formats.push(Format { kind: triplet.u8()?, length: triplet.u16()? });
        }
    }
    if formats.is_empty() { Err(ProtocolFault::Unexpected) } else { Ok(formats) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_derby_describes_is_read() {
        // Of VARCHAR(32672), BIGINT, CLOB, LONG VARCHAR.
        let derby = [
            0x0F, 0x76, 0xD0, 0x33, 0x7F, 0xA0, 0x17, 0x00, 0x08, 0xCF, 0x80, 0x04, 0x35, 0x7F, 0xBC, 0x09,
            0x71, 0xE0, 0x54, 0x00, 0x01, 0xD0, 0x00, 0x01, 0x06, 0x71, 0xF0, 0xE0, 0x00, 0x00,
        ];
        let formats = read_description(&derby).unwrap();
        let kinds: Vec<_> = formats.iter().map(|format| (format.kind, format.length)).collect();
        assert_eq!(kinds, [(0x33, 0x7FA0), (0x17, 8), (0xCF, 0x8004), (0x35, 0x7FBC)]);
        for length in 1..derby.len() {
            // Cut off between two triplets it is a shorter description, elsewhere none.
            assert!(read_description(&derby[..length]).is_err() || [15, 24].contains(&length));
        }
    }

    #[test]
    fn many_columns_are_described_in_several_triplets() {
        let formats: Vec<Format> =
            (0..200).map(|length| Format { kind: NULLABLE_LONG_TEXT, length }).collect();
        let mut out = Vec::new();
        put_description(&mut out, &formats);
        assert_eq!(read_description(&out).unwrap(), formats);
    }
}
