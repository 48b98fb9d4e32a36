//! Commands as bytes, by their DDM names.

use crate::{
    charset::{Charset, UTF_8, UTF_16},
    code_point::*,
    ddm::{object, put, put_bytes, put_u16},
    error::DrdaError,
};

/// As whom this client introduces itself: Derby's server tells by the product id `DNC…` that its own
/// client's extensions are understood (message tokens, names in UTF-8), and of which release.
const PRODUCT: &str = "DNC10140";
const RELEASE: &str = "DNC10140/10.14.2.0 - (1)";
const NAME: &str = "callseal";
/// Which conversation of which client: Derby wants the name of a network and of a node, and six bytes of
/// time. It shows them in its log alone, where the number of the connection stands anyway.
const CONVERSATION: &str = "CALLSEAL.0001";
/// Names in fixed places are filled up to this length with spaces.
const NAME_LENGTH: usize = 18;
/// The collection and the package of Derby's dynamic statements, and their consistency token.
const COLLECTION: &str = "NULLID";
const PACKAGE: &str = "SYSLN000";
const TOKEN: &str = "SYSLVL01";
/// Rows come in blocks of this size, the largest there is.
const BLOCK: u32 = 0x7FFF;
/// A null group of texts.
const NULL: u8 = 0xFF;

/// EXCSAT: who we are and what we speak.
pub fn exchange_attributes() -> Vec<u8> {
    let ebcdic = |text: &str| Charset::Ebcdic.encode(text).expect("our own names are ASCII");
    object(EXCSAT, |out| {
        put_bytes(out, EXTNAM, &ebcdic(NAME));
        put_bytes(out, SRVNAM, &ebcdic(NAME));
        put_bytes(out, SRVRLSLV, &ebcdic(RELEASE));
        put(out, MGRLVLLS, |out| {
            for (manager, level) in [(AGENT, 7), (SQLAM, 7), (RDB, 7), (SECMGR, 7), (UNICODEMGR, UTF_8)] {
                out.extend(manager.to_be_bytes());
                out.extend(level.to_be_bytes());
            }
        });
        put_bytes(out, SRVCLSNM, &ebcdic("QDERBY/JVM"));
    })
}

/// ACCSEC: user and password as they are. The name of the database, which is optional here, could not be
/// said: names are still EBCDIC.
pub fn access_security() -> Vec<u8> {
    object(ACCSEC, |out| put_u16(out, SECMEC, USRIDPWD))
}

/// Commands of a conversation with a database.
#[derive(Debug, Clone)]
pub struct Requests {
    charset: Charset,
    /// Filled up with spaces.
    database: Vec<u8>,
}

impl Requests {
    /// With this database.
    ///
    /// # Errors
    /// Its name cannot be written, or holds attributes.
    pub fn new(charset: Charset, database: &str, create: bool) -> Result<Self, DrdaError> {
        // What follows a semicolon are attributes: create, shutdown, the password that encrypts it.
        if database.is_empty() || database.contains(';') || database.chars().any(char::is_control) {
            return Err(DrdaError::Options("the database has a name without semicolons"));
        }
        let name = if create { format!("{database};create=true") } else { database.to_owned() };
        let database = padded(charset, &name)?;
        if database.len() > 255 {
            return Err(DrdaError::Options("the name of the database is too long"));
        }
        Ok(Self { charset, database })
    }

    /// SECCHK: the login.
    ///
    /// # Errors
    /// User or password cannot be written in the characters of this server.
    pub fn security_check(&self, user: &str, password: &str) -> Result<Vec<u8>, DrdaError> {
        const NOT_WRITABLE: DrdaError =
            DrdaError::Options("this old Derby server takes only ASCII in user and password");
        let user = self.charset.encode(user).ok_or(NOT_WRITABLE)?;
        let password = zeroize::Zeroizing::new(self.charset.encode(password).ok_or(NOT_WRITABLE)?);
        Ok(object(SECCHK, |out| {
            put_u16(out, SECMEC, USRIDPWD);
            put_bytes(out, RDBNAM, &self.database);
            put_bytes(out, USRID, &user);
            put_bytes(out, PASSWORD, &password);
        }))
    }

    /// ACCRDB: data as on an ASCII machine, numbers with the highest byte first, texts in UTF-8.
    pub fn access_database(&self) -> Vec<u8> {
        let written = |text: &str| self.charset.encode(text).expect("our own names are ASCII");
        object(ACCRDB, |out| {
            put_bytes(out, RDBNAM, &self.database);
            put_u16(out, RDBACCCL, SQLAM);
            put_bytes(out, PRDID, &written(PRODUCT));
            put(out, CRRTKN, |out| {
                out.extend(written(CONVERSATION));
                out.extend([0; 6]);
            });
            put_bytes(out, TYPDEFNAM, &written("QTDSQLASC"));
            put(out, TYPDEFOVR, |out| {
                put_u16(out, CCSIDSBC, UTF_8);
                put_u16(out, CCSIDDBC, UTF_16);
                put_u16(out, CCSIDMBC, UTF_8);
            });
        })
    }

    /// EXCSQLIMM, whose SQLSTT follows.
    pub fn execute_immediate(&self, section: u16) -> Vec<u8> {
        object(EXCSQLIMM, |out| {
            self.put_section(out, section);
            put_bytes(out, RDBCMTOK, &[TRUE]);
        })
    }

    /// PRPSQLSTT with a description of what comes out; its SQLSTT follows.
    pub fn prepare(&self, section: u16) -> Vec<u8> {
        object(PRPSQLSTT, |out| {
            self.put_section(out, section);
            put_bytes(out, RTNSQLDA, &[TRUE]);
            put_bytes(out, TYPSQLDA, &[EXTENDED_OUTPUT]);
        })
    }

    /// DSCSQLSTT: the parameters.
    pub fn describe_parameters(&self, section: u16) -> Vec<u8> {
        object(DSCSQLSTT, |out| {
            self.put_section(out, section);
            put_bytes(out, TYPSQLDA, &[EXTENDED_INPUT]);
        })
    }

    /// EXCSQLSTT; a SQLDTA follows if there are parameters.
    pub fn execute(&self, section: u16) -> Vec<u8> {
        object(EXCSQLSTT, |out| {
            self.put_section(out, section);
            put_bytes(out, RDBCMTOK, &[TRUE]);
        })
    }

    /// OPNQRY; a SQLDTA follows if there are parameters.
    pub fn open_query(&self, section: u16) -> Vec<u8> {
        object(OPNQRY, |out| {
            self.put_section(out, section);
            put_bytes(out, QRYBLKSZ, &BLOCK.to_be_bytes());
            put_bytes(out, QRYCLSIMP, &[1]);
        })
    }

    /// CNTQRY: the next block.
    pub fn continue_query(&self, section: u16, instance: [u8; 8]) -> Vec<u8> {
        object(CNTQRY, |out| {
            self.put_section(out, section);
            put_bytes(out, QRYBLKSZ, &BLOCK.to_be_bytes());
            put_bytes(out, QRYINSID, &instance);
        })
    }

    /// CLSQRY.
    pub fn close_query(&self, section: u16, instance: [u8; 8]) -> Vec<u8> {
        object(CLSQRY, |out| {
            self.put_section(out, section);
            put_bytes(out, QRYINSID, &instance);
        })
    }

    /// PKGNAMCSN: which of our statements. Names of more than 18 bytes need the form in which each name
    /// has its length before it (DDM `SCLDTALEN`).
    fn put_section(&self, out: &mut Vec<u8>, section: u16) {
        let own = |name: &str| padded(self.charset, name).expect("our own names are ASCII");
        let names = [&self.database, &own(COLLECTION), &own(PACKAGE)];
        let with_lengths = names.iter().any(|name| name.len() > NAME_LENGTH);
        put(out, PKGNAMCSN, |out| {
            for name in names {
                if with_lengths {
                    out.extend((name.len() as u16).to_be_bytes());
                }
                out.extend(name);
            }
            out.extend(self.charset.encode(TOKEN).expect("our own names are ASCII"));
            out.extend(section.to_be_bytes());
        });
    }
}

fn padded(charset: Charset, name: &str) -> Result<Vec<u8>, DrdaError> {
    const NOT_WRITABLE: DrdaError =
        DrdaError::Options("this old Derby server takes only ASCII in the name of a database");
    let mut bytes = charset.encode(name).ok_or(NOT_WRITABLE)?;
    let space = charset.encode(" ").ok_or(NOT_WRITABLE)?[0];
    bytes.resize(bytes.len().max(NAME_LENGTH), space);
    Ok(bytes)
}

/// SQLSTT: the text of a statement as mixed bytes, with a length of four bytes; none of single bytes.
pub fn statement_text(sql: &str) -> Vec<u8> {
    object(SQLSTT, |out| {
        out.push(0);
        out.extend((sql.len() as u32).to_be_bytes());
        out.extend(sql.as_bytes());
        out.push(NULL);
    })
}

/// RDBCMM.
pub fn commit() -> Vec<u8> {
    object(RDBCMM, |_| {})
}

/// RDBRLLBCK.
pub fn roll_back() -> Vec<u8> {
    object(RDBRLLBCK, |_| {})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_a_database_cannot_be_slipped_in_by_its_name() {
        for name in ["", "calls;create=true", "calls;shutdown=true", "a\nb"] {
            assert!(
                matches!(Requests::new(Charset::Utf8, name, false), Err(DrdaError::Options(_))),
                "{name}"
            );
        }
    }

    #[test]
    fn short_names_stand_in_fixed_places_and_long_ones_have_lengths() {
        let short = Requests::new(Charset::Utf8, "calls", false).unwrap();
        let mut out = Vec::new();
        short.put_section(&mut out, 3);
        assert_eq!(out.len(), 4 + 3 * 18 + 8 + 2);
        let long = Requests::new(Charset::Utf8, "recordings-of-the-north", false).unwrap();
        let mut out = Vec::new();
        long.put_section(&mut out, 3);
        assert_eq!(out.len(), 4 + 2 + 23 + 2 * (2 + 18) + 8 + 2);
        assert_eq!(out[4..8], [0, 23, b'r', b'e']);
    }
}
