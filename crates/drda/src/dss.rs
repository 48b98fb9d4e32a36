//! Data stream structures: what requests, replies and data travel in (DDM `DSS`, `DSSFMT`, `RQSDSS`,
//! `RPYDSS`, `OBJDSS`).
//!
//! Header of six bytes: length with itself, X'D0', format, correlation. Length bit 15 says that another
//! segment follows, which has a header of two bytes, its length with itself and the same bit.
//! Structures are *chained*: those of one command share its correlation, those of the next have another,
//! and the last one is not chained, which ends a turn.

use crate::{cursor::Cursor, error::ProtocolFault};

/// The longest segment.
const SEGMENT: usize = 0x7FFF;
const HEADER: usize = 6;
const CONTINUATION: usize = 2;
const CONTINUES: u16 = 0x8000;
/// Third byte of each header.
const MAGIC: u8 = 0xD0;
/// Format: another structure follows in this turn.
const CHAINED: u8 = 0x40;
/// Format: it has the same correlation.
const SAME_CORRELATION: u8 = 0x10;

/// What a structure carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RQSDSS, a command.
    Request = 1,
    /// RPYDSS, a reply message. Derby puts reply data here, too.
    Reply = 2,
    /// OBJDSS, data.
    Object = 3,
}

/// A turn of the client: commands with their data, in one write.
#[derive(Debug, Default)]
pub struct Chain {
    bytes: Vec<u8>,
    /// Where the last structure begins: what comes after it decides its format.
    last: Option<usize>,
    commands: u16,
}

impl Chain {
    /// Adds a command; returns its correlation, which its replies will have.
    pub fn command(&mut self, object: &[u8]) -> u16 {
        self.mark_last(CHAINED);
        self.commands += 1;
        self.push(Kind::Request, object);
        self.commands
    }

    /// Adds data of the last command.
    pub fn data(&mut self, object: &[u8]) {
        self.mark_last(CHAINED | SAME_CORRELATION);
        self.push(Kind::Object, object);
    }

    /// How many bytes there are.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of the turn.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn mark_last(&mut self, format: u8) {
        if let Some(last) = self.last {
            self.bytes[last + 3] |= format;
        }
    }

    fn push(&mut self, kind: Kind, object: &[u8]) {
        self.last = Some(self.bytes.len());
        let (first, mut rest) = object.split_at(object.len().min(SEGMENT - HEADER));
        self.length(first.len() + HEADER, !rest.is_empty());
        self.bytes.extend([MAGIC, kind as u8]);
        self.bytes.extend(self.commands.to_be_bytes());
        self.bytes.extend(first);
        while !rest.is_empty() {
            let segment;
            (segment, rest) = rest.split_at(rest.len().min(SEGMENT - CONTINUATION));
            self.length(segment.len() + CONTINUATION, !rest.is_empty());
            self.bytes.extend(segment);
        }
    }

    fn length(&mut self, length: usize, continues: bool) {
        let length = u16::try_from(length).expect("a segment is shorter than 32 KB");
        self.bytes.extend((if continues { length | CONTINUES } else { length }).to_be_bytes());
    }
}

/// A structure that has come in whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dss {
    /// Whether another follows in this turn.
    pub chained: bool,
    /// Which command of the turn it answers.
    pub correlation: u16,
    /// Its objects.
    pub body: Vec<u8>,
}

/// Puts structures together from bytes as they come.
#[derive(Debug)]
pub struct Assembler {
    bytes: Vec<u8>,
    /// How far `bytes` are used up.
    at: usize,
    open: Option<Open>,
    limit: usize,
}

/// A structure that is coming in.
#[derive(Debug)]
struct Open {
    dss: Dss,
    /// Of the present segment.
    missing: usize,
    continues: bool,
}

impl Assembler {
    /// Takes structures of up to `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), at: 0, open: None, limit }
    }

    /// Takes in what has come.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend(bytes);
    }

    /// True between two turns: nothing is left over.
    pub fn is_empty(&self) -> bool {
        self.open.is_none() && self.at == self.bytes.len()
    }

    /// The next structure; `None` if more bytes are needed.
    ///
    /// # Errors
    /// The bytes are no structures, or one grows beyond the limit.
    pub fn next_dss(&mut self) -> Result<Option<Dss>, ProtocolFault> {
        loop {
            let Some(mut open) = self.open.take().map_or_else(|| self.begin(), |open| Ok(Some(open)))? else {
                return Ok(None);
            };
            let coming = (self.bytes.len() - self.at).min(open.missing);
            if open.dss.body.len() + coming > self.limit {
                return Err(ProtocolFault::TooLarge);
            }
            open.dss.body.extend(&self.bytes[self.at..self.at + coming]);
            self.at += coming;
            open.missing -= coming;
            if open.missing == 0 && !open.continues {
                return Ok(Some(open.dss));
            }
            let more = open.missing == 0 && self.continue_in(&mut open)?;
            self.open = Some(open);
            if !more {
                return Ok(None);
            }
        }
    }

    /// Reads a header.
    fn begin(&mut self) -> Result<Option<Open>, ProtocolFault> {
        let Some(header) = self.bytes.get(self.at..self.at + HEADER) else { return Ok(None) };
        let mut cursor = Cursor::new(header);
        let (length, magic, format) = (cursor.u16()?, cursor.u8()?, cursor.u8()?);
        let correlation = cursor.u16()?;
        if magic != MAGIC {
            return Err(ProtocolFault::NotDrda);
        }
        if ![Kind::Reply as u8, Kind::Object as u8].contains(&(format & 0x0F)) {
            return Err(ProtocolFault::Format);
        }
        let missing = usize::from(length & !CONTINUES).checked_sub(HEADER).ok_or(ProtocolFault::Length)?;
        self.at += HEADER;
        let dss = Dss { chained: format & CHAINED != 0, correlation, body: Vec::new() };
        Ok(Some(Open { dss, missing, continues: length & CONTINUES != 0 }))
    }

    /// Reads the header of a further segment; false if it has not come.
    fn continue_in(&mut self, open: &mut Open) -> Result<bool, ProtocolFault> {
        let Some(header) = self.bytes.get(self.at..self.at + CONTINUATION) else { return Ok(false) };
        let length = Cursor::new(header).u16()?;
        open.continues = length & CONTINUES != 0;
        // A segment without content would let a server keep us for ever.
        open.missing = usize::from(length & !CONTINUES)
            .checked_sub(CONTINUATION)
            .filter(|missing| *missing > 0)
            .ok_or(ProtocolFault::Length)?;
        self.at += CONTINUATION;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A turn as the other side would answer it: replies in place of requests.
    fn answered(objects: &[Vec<u8>]) -> Vec<u8> {
        let mut chain = Chain::default();
        for object in objects {
            chain.command(object);
            let last = chain.last.unwrap();
            chain.bytes[last + 3] = Kind::Reply as u8;
        }
        chain.into_bytes()
    }

    proptest! {
        #[test]
        fn structures_of_any_size_come_out_as_they_went_in_however_they_are_cut_up(
            sizes in prop::collection::vec(0_usize..100_000, 1..4), cut in 1_usize..40_000
        ) {
            let objects: Vec<Vec<u8>> = sizes.iter().map(|size| (0..*size).map(|at| at as u8).collect()).collect();
            let bytes = answered(&objects);
            let mut assembler = Assembler::new(100_000);
            let mut come = Vec::new();
            for piece in bytes.chunks(cut) {
                assembler.feed(piece);
                while let Some(dss) = assembler.next_dss().unwrap() {
                    come.push(dss.body);
                }
            }
            prop_assert!(assembler.is_empty());
            prop_assert_eq!(come, objects);
        }

        #[test]
        fn any_bytes_are_structures_or_a_fault_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut assembler = Assembler::new(1000);
            assembler.feed(&bytes);
            while let Ok(Some(_)) = assembler.next_dss() {}
        }
    }

    #[test]
    fn chained_structures_say_whether_the_next_one_belongs_to_the_same_command() {
        let mut chain = Chain::default();
        assert_eq!(chain.command(&[0, 4, 0x20, 0x0B]), 1);
        chain.data(&[0, 4, 0x24, 0x12]);
        assert_eq!(chain.command(&[0, 4, 0x20, 0x0E]), 2);
        let expected = "000ad051000100042 00b 000ad043000100042412 000ad00100020004200e".replace(' ', "");
        let hex: String = chain.into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn what_grows_beyond_the_limit_ends() {
        let mut assembler = Assembler::new(50_000);
        assembler.feed(&answered(&[vec![0; 60_000]]));
        assert_eq!(assembler.next_dss(), Err(ProtocolFault::TooLarge));
    }

    #[test]
    fn a_web_server_is_no_database() {
        let mut assembler = Assembler::new(1000);
        assembler.feed(b"HTTP/1.1 400 Bad Request\r\n");
        assert_eq!(assembler.next_dss(), Err(ProtocolFault::NotDrda));
    }
}
