//! Replies, by their DDM names.

use crate::{
    card::Card,
    charset::UTF_8,
    code_point::*,
    cursor::Cursor,
    ddm,
    described::Described,
    dss::Dss,
    error::ProtocolFault,
    fdoca::{self, Format},
};

/// An object of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// EXCSATRD.
    Attributes {
        /// Whether names are UTF-8 from now on.
        utf8: bool,
    },
    /// ACCSECRD: the ways to log in that the server takes.
    Mechanisms(Vec<u16>),
    /// SECCHKRM: SECCHKCD.
    Checked(u8),
    /// ACCRDBRM.
    Accessed,
    /// RDBNFNRM.
    NoDatabase,
    /// RDBATHRM.
    NotAuthorised,
    /// RDBAFLRM; a SQLCARD says why.
    AccessFailed,
    /// SQLCARD.
    Card(Card),
    /// SQLDARD.
    Described(Described),
    /// OPNQRYRM: QRYINSID.
    QueryOpen([u8; 8]),
    /// OPNQFLRM; a SQLCARD says why.
    QueryFailed,
    /// QRYDSC.
    QueryDescribed(Vec<Format>),
    /// QRYDTA.
    Block(Vec<u8>),
    /// EXTDTA.
    External(Vec<u8>),
    /// ENDQRYRM or QRYNOPRM: the query is closed.
    QueryEnded,
    /// ENDUOWRM.
    UnitEnded {
        /// Else rolled back.
        committed: bool,
    },
    /// ABNUOWRM: the transaction was rolled back; a SQLCARD says why.
    UnitLost,
    /// CMDCHKRM: the command failed, and the session with it; a SQLCARD says why, unless this client made a mistake.
    Refused,
    /// What changes nothing for us: RDBUPDRM, SQLERRRM, PBSD, types of what follows.
    Notice,
}

impl Reply {
    /// Reads all objects of an answer, each with the number of the command that it answers.
    ///
    /// # Errors
    /// One is damaged or unknown, or reports that this client made a mistake.
    pub fn read_answer(answer: &[Dss]) -> Result<Vec<(u16, Self)>, ProtocolFault> {
        let mut replies = Vec::new();
        let mut refused = false;
        for dss in answer {
            for reply in Self::read_all(dss)? {
                match reply {
                    Self::Refused => refused = true,
                    reply => replies.push((dss.correlation, reply)),
                }
            }
        }
        let says_why = |(_, reply): &(u16, Self)| matches!(reply, Self::Card(Card::Fault(_)));
        if refused && !replies.iter().any(says_why) {
            return Err(ProtocolFault::Reported("CMDCHKRM"));
        }
        Ok(replies)
    }

    /// Reads all objects of a structure.
    ///
    /// # Errors
    /// One is damaged or unknown, or reports that this client made a mistake.
    pub fn read_all(dss: &Dss) -> Result<Vec<Self>, ProtocolFault> {
        let mut cursor = Cursor::new(&dss.body);
        let mut replies = Vec::new();
        while let Some((code_point, content)) = ddm::next(&mut cursor)? {
            replies.push(Self::read(code_point, content)?);
        }
        Ok(replies)
    }

    fn read(code_point: u16, content: &[u8]) -> Result<Self, ProtocolFault> {
        Ok(match code_point {
            EXCSATRD => Self::Attributes { utf8: speaks_utf8(content)? },
            ACCSECRD => Self::Mechanisms(mechanisms(content)?),
            SECCHKRM => Self::Checked(byte(content, SECCHKCD)?),
            ACCRDBRM => Self::Accessed,
            RDBNFNRM => Self::NoDatabase,
            RDBATHRM => Self::NotAuthorised,
            RDBAFLRM => Self::AccessFailed,
            SQLCARD => Self::Card(Card::read(&mut Cursor::new(content))?),
            SQLDARD => Self::Described(Described::read(content)?),
            OPNQRYRM => {
                let instance = ddm::find(content, QRYINSID)?.ok_or(ProtocolFault::Unexpected)?;
                Self::QueryOpen(instance.try_into().map_err(|_| ProtocolFault::Length)?)
            }
            OPNQFLRM => Self::QueryFailed,
            QRYDSC => Self::QueryDescribed(fdoca::read_description(content)?),
            QRYDTA => Self::Block(content.to_vec()),
            EXTDTA => Self::External(content.to_vec()),
            ENDQRYRM | QRYNOPRM => Self::QueryEnded,
            // UOWDSP: 1 committed, 2 rolled back.
            ENDUOWRM => Self::UnitEnded { committed: byte(content, UOWDSP)? == 1 },
            ABNUOWRM => Self::UnitLost,
            CMDCHKRM => Self::Refused,
            RDBUPDRM | SQLERRRM | PBSD | TYPDEFNAM | TYPDEFOVR => Self::Notice,
            other => {
                let reported = CONVERSATION_FAULTS.iter().find(|(known, _)| *known == other);
                return Err(
                    reported.map_or(ProtocolFault::Unexpected, |(_, name)| ProtocolFault::Reported(name))
                );
            }
        })
    }
}

fn byte(content: &[u8], code_point: u16) -> Result<u8, ProtocolFault> {
    Cursor::new(ddm::find(content, code_point)?.ok_or(ProtocolFault::Unexpected)?).u8()
}

/// Whether the server's Unicode manager has the level that we asked for; an older server says 0.
fn speaks_utf8(content: &[u8]) -> Result<bool, ProtocolFault> {
    let Some(levels) = ddm::find(content, MGRLVLLS)? else { return Ok(false) };
    let mut cursor = Cursor::new(levels);
    while !cursor.rest().is_empty() {
        if (cursor.u16()?, cursor.u16()?) == (UNICODEMGR, UTF_8) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// All SECMECs: Derby repeats the object, and DDM allows a list within one.
fn mechanisms(content: &[u8]) -> Result<Vec<u16>, ProtocolFault> {
    let (mut cursor, mut mechanisms) = (Cursor::new(content), Vec::new());
    while let Some((code_point, content)) = ddm::next(&mut cursor)? {
        let mut list = Cursor::new(content);
        while code_point == SECMEC && !list.rest().is_empty() {
            mechanisms.push(list.u16()?);
        }
    }
    Ok(mechanisms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer to the first command: objects of a code point and a content.
    fn answer(objects: &[(u16, &[u8])]) -> Vec<Dss> {
        let object = |(code_point, content): &(u16, &[u8])| {
            let length = u16::try_from(content.len() + 4).unwrap();
            [&length.to_be_bytes(), &code_point.to_be_bytes(), *content].concat()
        };
        vec![Dss { chained: false, correlation: 1, body: objects.iter().flat_map(object).collect() }]
    }

    #[test]
    fn a_command_that_failed_is_a_fault_of_the_database_if_that_says_why_and_else_of_this_client() {
        let severe: (u16, &[u8]) = (CMDCHKRM, &[0, 6, 0x11, 0x49, 0, 16]);
        let error = Reply::read_answer(&answer(&[severe])).unwrap_err();
        assert_eq!(error, ProtocolFault::Reported("CMDCHKRM"));
        let done: (u16, &[u8]) = (SQLCARD, &[0xFF]);
        assert_eq!(Reply::read_answer(&answer(&[severe, done])).unwrap_err(), error);
        assert_eq!(Reply::read_answer(&answer(&[done])).unwrap().len(), 1);
    }
}
