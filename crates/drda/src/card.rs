//! How a command went: the SQL communications area (DRDA `SQLCARD`, `SQLCAGRP`, `SQLCAXGRP`; FD:OCA
//! descriptors of SQLAM level 7).

use crate::{cursor::Cursor, error::ProtocolFault, message::SqlFault};

/// SQLCODE at the end of a query.
const NO_MORE_ROWS: i32 = 100;

/// What a SQLCARD says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Card {
    /// Done; so many rows were touched.
    Done {
        /// SQLERRD3.
        rows: u32,
    },
    /// Done, with something to say.
    Warning {
        /// SQLERRD3.
        rows: u32,
        /// What there is to say.
        warning: SqlFault,
    },
    /// SQLCODE +100, SQLSTATE 02000: no further row.
    NoMoreRows,
    /// Not done.
    Fault(SqlFault),
}

impl Card {
    /// Reads a SQLCAGRP. A null one means that there is nothing to say.
    ///
    /// # Errors
    /// It is damaged.
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, ProtocolFault> {
        if !cursor.is_there()? {
            return Ok(Self::Done { rows: 0 });
        }
        let code = cursor.i32()?;
        let state = cursor.take(5)?;
        let _product = cursor.take(8)?;
        let (mut rows, mut message): (u32, &[u8]) = (0, &[]);
        if cursor.is_there()? {
            let _errd_1_2 = cursor.take(8)?;
            rows = u32::try_from(cursor.i32()?).unwrap_or_default();
            let _errd_4_to_6 = cursor.take(12)?;
            let _warn_0_to_a = cursor.take(11)?;
            let _rdb_name = cursor.counted()?;
            let (mixed, single) = (cursor.counted()?, cursor.counted()?);
            message = if mixed.is_empty() { single } else { mixed };
        }
        // SQLDIAGGRP is sent on demand only (DIAGLVL).
        if cursor.is_there()? {
            return Err(ProtocolFault::Unexpected);
        }
        Ok(match code {
            NO_MORE_ROWS => Self::NoMoreRows,
            0 => Self::Done { rows },
            1.. => Self::Warning { rows, warning: SqlFault::new(code, state, message) },
            _ => Self::Fault(SqlFault::new(code, state, message)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Derby 10.14 answered to a second row with the same key in the index I of the table R.
    const DUPLICATE: &str = "00ffffb1df3233353035435353313031343000000000000000000000000000000000000000\
        00000000000020202020202020202020200000000949145214323335303500 00ff";

    fn bytes(hex: &str) -> Vec<u8> {
        let hex: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        hex.chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn what_derby_says_of_a_duplicate_is_read_to_the_last_byte() {
        let bytes = bytes(DUPLICATE);
        let mut cursor = Cursor::new(&bytes);
        let Card::Fault(fault) = Card::read(&mut cursor).unwrap() else { panic!("a fault") };
        assert_eq!((fault.state(), fault.code()), ("23505", -20001));
        assert!(fault.to_string().contains("I of the table R"), "{fault}");
        assert!(cursor.rest().is_empty());
    }

    #[test]
    fn a_card_that_is_cut_off_anywhere_is_a_fault() {
        let bytes = bytes(DUPLICATE);
        for length in 0..bytes.len() {
            assert_eq!(Card::read(&mut Cursor::new(&bytes[..length])), Err(ProtocolFault::TooShort));
        }
    }
}
