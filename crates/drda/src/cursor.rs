//! Reading numbers and texts off bytes that somebody else sent.

use crate::error::ProtocolFault;

/// A place in bytes. Nothing is read beyond their end.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// At the beginning of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// There are less.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], ProtocolFault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ProtocolFault::TooShort)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtocolFault> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(ProtocolFault::TooShort)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A byte.
    ///
    /// # Errors
    /// There is none.
    pub fn u8(&mut self) -> Result<u8, ProtocolFault> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes, as all numbers with the highest first.
    ///
    /// # Errors
    /// There are less.
    pub fn u16(&mut self) -> Result<u16, ProtocolFault> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes with a sign.
    ///
    /// # Errors
    /// There are less.
    pub fn i32(&mut self) -> Result<i32, ProtocolFault> {
        self.array().map(i32::from_be_bytes)
    }

    /// Eight bytes with a sign.
    ///
    /// # Errors
    /// There are less.
    pub fn i64(&mut self) -> Result<i64, ProtocolFault> {
        self.array().map(i64::from_be_bytes)
    }

    /// A number of up to eight bytes, without a sign.
    ///
    /// # Errors
    /// There are less bytes, or more than eight are wanted.
    pub fn unsigned(&mut self, count: usize) -> Result<u64, ProtocolFault> {
        if count > 8 {
            return Err(ProtocolFault::Length);
        }
        Ok(self.take(count)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Bytes after their count of two bytes (FD:OCA variable-length, DRDA `VCM`, `VCS`).
    ///
    /// # Errors
    /// There are less.
    pub fn counted(&mut self) -> Result<&'a [u8], ProtocolFault> {
        let count = self.u16()?;
        self.take(count.into())
    }

    /// A name of a description: the mixed-byte form, or if that is empty, the single-byte one (DRDA `VCM`
    /// followed by `VCS`).
    ///
    /// # Errors
    /// It is cut off.
    pub fn name(&mut self) -> Result<String, ProtocolFault> {
        let (mixed, single) = (self.counted()?, self.counted()?);
        Ok(String::from_utf8_lossy(if mixed.is_empty() { single } else { mixed }).into_owned())
    }

    /// Whether the group that follows is there: X'00', or X'FF' for a null one (FD:OCA null indicator; a
    /// negative byte means null).
    ///
    /// # Errors
    /// There is no byte.
    pub fn is_there(&mut self) -> Result<bool, ProtocolFault> {
        Ok(self.u8()? < 0x80)
    }
}
