//! What a client sends: PRELOGIN, LOGIN7, batches, calls of `sp_executesql`, and its transactions.

use std::io;

use super::line::broken;

/// PRELOGIN's option ENCRYPTION, and the end of the options (2.2.6.5).
const ENCRYPTION: u8 = 1;
const TERMINATOR: u8 = 0xFF;

/// `sp_executesql` by its number (2.2.6.6).
const EXECUTE_SQL: u16 = 10;

/// A value as it is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Number(i64),
    Text(String),
}

/// Reads what is laid out with little ends first.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn bytes(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| broken("a request that is cut"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    pub fn u8(&mut self) -> io::Result<u8> {
        Ok(self.bytes(1)?[0])
    }

    pub fn u16(&mut self) -> io::Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> io::Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> io::Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// The rest, or so many bytes, as UTF-16.
    pub fn text(&mut self, bytes: usize) -> io::Result<String> {
        utf16(self.bytes(bytes)?)
    }
}

fn utf16(bytes: &[u8]) -> io::Result<String> {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    String::from_utf16(&units).map_err(|_| broken("a text that is no UTF-16"))
}

/// The level of encryption that a PRELOGIN asks for.
pub fn asked_for(prelogin: &[u8]) -> io::Result<u8> {
    let mut options = Reader(prelogin);
    loop {
        let option = options.u8()?;
        if option == TERMINATOR {
            return Err(broken("PRELOGIN without a level of encryption"));
        }
        let place = options.bytes(4)?;
        if option == ENCRYPTION {
            let at = usize::from(u16::from_be_bytes([place[0], place[1]]));
            return prelogin.get(at).copied().ok_or_else(|| broken("PRELOGIN that is cut"));
        }
    }
}

/// An answer to PRELOGIN: version 15.0.2000, and a level of encryption.
pub fn prelogin(level: u8) -> Vec<u8> {
    let mut options = vec![0, 0, 11, 0, 6, ENCRYPTION, 0, 17, 0, 1, TERMINATOR];
    options.extend([15, 0, 7, 208, 0, 0, level]);
    options
}

/// What LOGIN7 says of the client (2.2.6.4).
pub struct Login {
    pub user: String,
    pub password: String,
    pub program: String,
    pub database: String,
    /// The first message of a login of Windows.
    pub negotiate: Option<Vec<u8>>,
}

/// The places of LOGIN7's fields.
mod login7 {
    pub const FLAGS_2: usize = 25;
    pub const USER: usize = 40;
    pub const PASSWORD: usize = 44;
    pub const PROGRAM: usize = 48;
    pub const DATABASE: usize = 68;
    pub const SSPI: usize = 78;
    pub const INTEGRATED: u8 = 0x80;
}

impl Login {
    pub fn read(login: &[u8]) -> io::Result<Self> {
        if Reader(login).u32()? as usize != login.len() {
            return Err(broken("LOGIN7 of another length than it says"));
        }
        let field = |at: usize, unit: usize| -> io::Result<&[u8]> {
            let mut place = Reader(login.get(at..).unwrap_or_default());
            let (from, length) = (usize::from(place.u16()?), usize::from(place.u16()?) * unit);
            login.get(from..from + length).ok_or_else(|| broken("LOGIN7 that is cut"))
        };
        // Each byte has its halves changed over, and then every other bit.
        let password: Vec<u8> =
            field(login7::PASSWORD, 2)?.iter().map(|byte| (byte ^ 0xA5).rotate_left(4)).collect();
        let integrated = login.get(login7::FLAGS_2).is_some_and(|flags| flags & login7::INTEGRATED != 0);
        Ok(Self {
            user: utf16(field(login7::USER, 2)?)?,
            password: utf16(&password)?,
            program: utf16(field(login7::PROGRAM, 2)?)?,
            database: utf16(field(login7::DATABASE, 2)?)?,
            negotiate: integrated.then(|| field(login7::SSPI, 1).map(<[u8]>::to_vec)).transpose()?,
        })
    }
}

/// ALL_HEADERS (2.2.5.3): the transaction that a request says to be of; 0: none.
pub fn transaction_of(request: &mut Reader<'_>) -> io::Result<u64> {
    let total = request.u32()? as usize;
    let mut headers =
        Reader(request.bytes(total.checked_sub(4).ok_or_else(|| broken("headers without length"))?)?);
    while !headers.0.is_empty() {
        let length = headers.u32()? as usize;
        let mut header =
            Reader(headers.bytes(length.checked_sub(4).ok_or_else(|| broken("a header without length"))?)?);
        if header.u16()? == 2 {
            return header.u64();
        }
    }
    Err(broken("a request that names no transaction"))
}

/// A call of `sp_executesql` (2.2.6.6): the statement and its values.
pub fn call(mut request: Reader<'_>) -> io::Result<(String, Vec<Value>)> {
    if (request.u16()?, request.u16()?) != (0xFFFF, EXECUTE_SQL) {
        return Err(broken("a call of something else than sp_executesql"));
    }
    request.u16()?;
    let mut values = Vec::new();
    while !request.0.is_empty() {
        let name = usize::from(request.u8()?);
        let name = request.text(2 * name)?;
        request.u8()?;
        let value = value(&mut request)?;
        // The first two are the statement, and the declaration of the others.
        if values.len() >= 2 && name != format!("@P{}", values.len() - 1) {
            return Err(broken("parameters out of order"));
        }
        values.push(value);
    }
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        (Some(Value::Text(statement)), Some(Value::Text(declared))) => {
            let values: Vec<Value> = values.collect();
            if declared.matches('@').count() != values.len() {
                return Err(broken("more or less values than were declared"));
            }
            Ok((statement, values))
        }
        _ => Err(broken("sp_executesql without a statement")),
    }
}

/// TYPE_INFO and a value: `INTN`, and `NVARCHARTYPE` with a length or in parts (2.2.5.4, 2.2.5.5).
fn value(request: &mut Reader<'_>) -> io::Result<Value> {
    match request.u8()? {
        0x26 => {
            request.u8()?;
            Ok(match request.u8()? {
                0 => Value::Null,
                4 => Value::Number(i64::from(request.u32()?.cast_signed())),
                8 => Value::Number(request.u64()?.cast_signed()),
                _ => return Err(broken("a number of another length")),
            })
        }
        0xE7 => {
            let length = request.u16()?;
            let _collation = request.bytes(5)?;
            if length != 0xFFFF {
                return Ok(match request.u16()? {
                    0xFFFF => Value::Null,
                    length => Value::Text(request.text(length.into())?),
                });
            }
            if request.u64()? == u64::MAX {
                return Ok(Value::Null);
            }
            let mut text = Vec::new();
            loop {
                match request.u32()? as usize {
                    0 => return utf16(&text).map(Value::Text),
                    part => text.extend(request.bytes(part)?),
                }
            }
        }
        _ => Err(broken("a value of another type")),
    }
}
