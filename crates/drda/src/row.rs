//! Rows of a query on their way out (DRDA `QRYDTA`, `EXTDTA`). Each row is a SQLCAGRP and the group of its
//! columns. A row goes on in the next block where one is full, so blocks are one stream of bytes.

use std::collections::VecDeque;

use crate::{
    card::Card,
    cursor::Cursor,
    error::ProtocolFault,
    fdoca::{EXTERNAL, Format},
    message::SqlFault,
    value::{Row, Value},
};

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A row.
    Row(Row),
    /// The query has ended.
    End,
    /// The query has failed.
    Fault(SqlFault),
    /// Another block is needed.
    Incomplete,
}

/// Blocks in, rows out.
#[derive(Debug)]
pub struct Rows {
    formats: Vec<Format>,
    bytes: Vec<u8>,
    at: usize,
    external: VecDeque<Vec<u8>>,
    limit: usize,
}

impl Rows {
    /// Of rows laid out so; what waits for its rest may have up to `limit` bytes.
    pub fn new(formats: Vec<Format>, limit: usize) -> Self {
        Self { formats, bytes: Vec::new(), at: 0, external: VecDeque::new(), limit }
    }

    /// Takes in a QRYDTA.
    ///
    /// # Errors
    /// A row is larger than allowed.
    pub fn feed(&mut self, block: &[u8]) -> Result<(), ProtocolFault> {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend(block);
        if self.bytes.len() > self.limit { Err(ProtocolFault::TooLarge) } else { Ok(()) }
    }

    /// Takes in an EXTDTA.
    pub fn feed_external(&mut self, content: Vec<u8>) {
        self.external.push_back(content);
    }

    /// The next row, as far as it has come.
    ///
    /// # Errors
    /// What has come is no row.
    pub fn next_row(&mut self) -> Result<Next, ProtocolFault> {
        let mut cursor = Cursor::new(&self.bytes[self.at..]);
        let mut external = self.external.iter();
        match read(&mut cursor, &self.formats, &mut external) {
            Ok(next) => {
                let used = self.external.len() - external.len();
                self.at = self.bytes.len() - cursor.rest().len();
                self.external.drain(..used);
                Ok(next)
            }
            // More may follow; that a server does not keep us waiting is seen to where blocks are fetched.
            Err(ProtocolFault::TooShort) => Ok(Next::Incomplete),
            Err(fault) => Err(fault),
        }
    }
}

fn read<'e>(
    cursor: &mut Cursor<'_>,
    formats: &[Format],
    external: &mut impl Iterator<Item = &'e Vec<u8>>,
) -> Result<Next, ProtocolFault> {
    let card = Card::read(cursor)?;
    let has_columns = cursor.is_there()?;
    match card {
        Card::NoMoreRows => return Ok(Next::End),
        Card::Fault(fault) => return Ok(Next::Fault(fault)),
        Card::Done { .. } | Card::Warning { .. } if !has_columns => return Err(ProtocolFault::Unexpected),
        Card::Done { .. } | Card::Warning { .. } => {}
    }
    let values: Result<Vec<Value>, _> =
        formats.iter().map(|format| value(cursor, *format, external)).collect();
    Ok(Next::Row(Row(values?)))
}

fn value<'e>(
    cursor: &mut Cursor<'_>,
    Format { kind, length }: Format,
    external: &mut impl Iterator<Item = &'e Vec<u8>>,
) -> Result<Value, ProtocolFault> {
    let nullable = kind & 1 == 1;
    if nullable && !cursor.is_there()? {
        return Ok(Value::Null);
    }
    match kind & !1 {
        // I4, I2, I8.
        0x02 => Ok(Value::BigInt(cursor.i32()?.into())),
        0x04 => Ok(Value::BigInt(i16::from_be_bytes(cursor.u16()?.to_be_bytes()).into())),
        0x16 => Ok(Value::BigInt(cursor.i64()?)),
        // DATE, TIME, TIMESTAMP, CHAR of single and mixed bytes.
        0x20 | 0x22 | 0x24 | 0x30 | 0x3C => text(cursor.take(length.into())?),
        // VARCHAR, LONG VARCHAR of single and mixed bytes.
        0x32 | 0x34 | 0x3E | 0x40 => text(cursor.counted()?),
        // CLOB of single and mixed bytes.
        0xCA | 0xCE => {
            let size = cursor.unsigned(usize::from(length & !EXTERNAL))?;
            if length & EXTERNAL == 0 {
                text(cursor.take(usize::try_from(size).map_err(|_| ProtocolFault::Length)?)?)
            } else if size == 0 {
                Ok(Value::Text(String::new()))
            } else {
                let content = external.next().ok_or(ProtocolFault::TooShort)?;
                // An EXTDTA of a nullable column has a null indicator of its own.
                text(if nullable { content.get(1..).ok_or(ProtocolFault::Length)? } else { content })
            }
        }
        other => Err(ProtocolFault::ColumnType(other)),
    }
}

fn text(bytes: &[u8]) -> Result<Value, ProtocolFault> {
    String::from_utf8(bytes.to_vec()).map(Value::Text).map_err(|_| ProtocolFault::Text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn formats() -> Vec<Format> {
        vec![Format { kind: 0x33, length: 255 }, Format { kind: 0x17, length: 8 }]
    }

    /// A row as Derby lays it out.
    fn laid_out(text: &str, number: Option<i64>) -> Vec<u8> {
        let mut out = vec![0xFF, 0x00, 0x00];
        out.extend((text.len() as u16).to_be_bytes());
        out.extend(text.as_bytes());
        match number {
            Some(number) => {
                out.push(0);
                out.extend(number.to_be_bytes());
            }
            None => out.push(0xFF),
        }
        out
    }

    proptest! {
        #[test]
        fn rows_come_out_whole_wherever_the_blocks_are_cut(
            rows in prop::collection::vec((".{0,40}", any::<Option<i64>>()), 0..8), cut in 1_usize..50
        ) {
            let bytes: Vec<u8> = rows.iter().flat_map(|(text, number)| laid_out(text, *number)).collect();
            let (mut reader, mut come) = (Rows::new(formats(), 10_000), Vec::new());
            for block in bytes.chunks(cut) {
                reader.feed(block).unwrap();
                while let Next::Row(row) = reader.next_row().unwrap() {
                    come.push((row.text(0).unwrap().to_owned(), row.number(1)));
                }
            }
            prop_assert_eq!(come, rows);
        }
    }

    #[test]
    fn a_large_value_waits_for_its_content() {
        let mut reader = Rows::new(vec![Format { kind: 0xCF, length: 0x8004 }], 10_000);
        reader.feed(&[0xFF, 0x00, 0x00, 0, 0, 0, 3]).unwrap();
        assert_eq!(reader.next_row(), Ok(Next::Incomplete));
        reader.feed_external(vec![0, b'a', b'b', b'c']);
        assert_eq!(reader.next_row(), Ok(Next::Row(Row(vec![Value::Text("abc".to_owned())]))));
    }
}
