//! Parameters on their way into a statement (DRDA `SQLDTA`: `FDODSC` and `FDODTA`; `EXTDTA`).

use crate::{
    code_point::{EXTDTA, FDODSC, FDODTA, SQLDTA},
    ddm,
    described::Column,
    dss::Chain,
    fdoca::{self, EXTERNAL, Format, NULLABLE_CLOB, NULLABLE_INTEGER_8, NULLABLE_LONG_TEXT, SqlType},
    value::Value,
};

/// The longest text in its place; a longer one is an EXTDTA.
const LONGEST_IN_PLACE: usize = 0x7FFF;
/// How much text is put in place at all: then SQLDTA stays in one segment whatever it holds.
const ALL_IN_PLACE: usize = 0x7000;
/// FD:OCA null indicators.
const THERE: u8 = 0x00;
const NULL: u8 = 0xFF;
/// Derby's own, after a large value of a client from release 10.6 on: the value is whole (DERBY-2017).
const COMPLETE: u8 = 0x7F;
/// Bytes of the size of a text that is an EXTDTA.
const SIZE_BYTES: u16 = 4;

/// Adds `values` to the command added last: a SQLDTA, then an EXTDTA for each large text.
pub fn put(chain: &mut Chain, parameters: &[Column], values: &[Value]) {
    if values.is_empty() {
        return;
    }
    let (mut formats, mut row, mut external) = (Vec::with_capacity(values.len()), vec![THERE], Vec::new());
    for (value, parameter) in values.iter().zip(parameters) {
        let format = format(value, parameter.sql_type, row.len());
        match value {
            Value::Null => row.push(NULL),
            Value::BigInt(number) => {
                row.push(THERE);
                row.extend(number.to_be_bytes());
            }
            Value::Text(text) if format.kind == NULLABLE_CLOB => {
                row.push(THERE);
                row.extend((text.len() as u32).to_be_bytes());
                external.push(text);
            }
            Value::Text(text) => {
                row.push(THERE);
                row.extend((text.len() as u16).to_be_bytes());
                row.extend(text.as_bytes());
            }
        }
        formats.push(format);
    }
    chain.data(&ddm::object(SQLDTA, |out| {
        ddm::put(out, FDODSC, |out| fdoca::put_description(out, &formats));
        ddm::put_bytes(out, FDODTA, &row);
    }));
    for text in external {
        chain.data(&ddm::object(EXTDTA, |out| {
            out.push(THERE);
            out.extend(text.as_bytes());
            out.push(COMPLETE);
        }));
    }
}

/// A null has the type of its parameter, since Derby does not take it otherwise; texts are converted by
/// the server, to a number as well.
fn format(value: &Value, of: SqlType, used: usize) -> Format {
    let clob = Format { kind: NULLABLE_CLOB, length: EXTERNAL | SIZE_BYTES };
    match (value, of) {
        (Value::BigInt(_), _) => Format { kind: NULLABLE_INTEGER_8, length: 8 },
        (Value::Null, SqlType::SmallInt | SqlType::Integer | SqlType::BigInt) => {
            Format { kind: NULLABLE_INTEGER_8, length: 8 }
        }
        (Value::Null, SqlType::Clob) => clob,
        (Value::Text(text), _) if text.len() > LONGEST_IN_PLACE || used + text.len() > ALL_IN_PLACE => clob,
        (Value::Null | Value::Text(_), _) => Format { kind: NULLABLE_LONG_TEXT, length: 0x7FFF },
    }
}
