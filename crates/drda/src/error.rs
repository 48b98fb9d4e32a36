//! What can go wrong, told apart as an administrator has to.

use std::{io, time::Duration};

use crate::message::SqlFault;

/// Why a database could not be used. No text holds a value, a statement, a user or a password.
#[derive(Debug, thiserror::Error)]
pub enum DrdaError {
    /// Nobody listens there, or no name leads there.
    #[error("the Derby server cannot be reached; check that it runs, and host, port and firewall")]
    Unreachable(#[source] io::Error),
    /// The connection ended in the middle of something. Whether a commit that was under way has been
    /// carried out is not known: look before writing again.
    #[error("the connection to the Derby server broke")]
    Lost(#[source] io::Error),
    /// An answer did not come in time. As with [`Lost`](Self::Lost), a commit may have been carried out.
    #[error("the Derby server did not answer within {0:?}")]
    TimedOut(Duration),
    /// The server offers no TLS, or a certificate that is not trusted.
    #[error(
        "TLS with the Derby server failed; check that it was started with -ssl basic, and its certificate"
    )]
    Tls(#[source] io::Error),
    /// The password would have crossed a network readably.
    #[error(
        "without TLS the password would cross the network readably: start Derby with -ssl basic and set TLS, \
         use an SSH tunnel, or allow it expressly"
    )]
    PasswordInClear,
    /// SECCHKCD X'13', X'0F', X'14' or X'12': user or password are wrong; Derby does not say which.
    #[error("the Derby server refuses the login; check user and password (SECCHKCD X'{code:02X}')")]
    LoginRefused {
        /// The security check code (DDM `SECCHKCD`).
        code: u8,
    },
    /// SECCHKCD X'10'.
    #[error("the Derby server asks for a password")]
    PasswordMissing,
    /// SECCHKCD X'0E'. Derby itself answers X'13' when a password has expired, and lets the owner of the
    /// database in all the same.
    #[error("the password has expired; set a new one in the database")]
    PasswordExpired,
    /// The server does not take a user and a password as they are (SECMEC 3).
    #[error(
        "the Derby server asks for another kind of login (SECMEC {offered:?}); set derby.drda.securityMechanism to \
         CLEAR_TEXT_PASSWORD_SECURITY and use TLS"
    )]
    LoginKind {
        /// What the server offers (DDM `SECMEC`).
        offered: Vec<u16>,
    },
    /// RDBNFNRM, XJ004.
    #[error("the Derby server has no database of this name")]
    NoDatabase,
    /// RDBATHRM: the login is right, but not for this database.
    #[error("the Derby server does not let this user into the database")]
    NotAuthorised,
    /// The database said no to a statement.
    #[error("{0}")]
    Sql(SqlFault),
    /// A statement of a batch failed: nothing of the transaction may be kept.
    #[error("row {row} of the batch: {fault}")]
    Batch {
        /// Which one, from 0.
        row: usize,
        /// What the database said of it.
        fault: SqlFault,
    },
    /// The transaction holds half of something, or the database has ended it: only
    /// [`rollback`](crate::Connection::rollback) is possible.
    #[error("the transaction has failed before; roll it back")]
    MustRollBack,
    /// An earlier exchange broke off in the middle: this connection is of no use any more.
    #[error("the connection is not usable any more; make a new one")]
    Broken,
    /// The other side does not speak DRDA as Derby does.
    #[error("the server does not answer as Derby does: {0}")]
    Protocol(#[from] ProtocolFault),
    /// Another number of values than the statement has question marks.
    #[error("the statement takes {expected} values, not {given}")]
    Parameters {
        /// As many as the statement has question marks.
        expected: usize,
        /// As many as came.
        given: usize,
    },
    /// The statement was prepared on another connection, or has been closed.
    #[error("the statement does not belong to this connection")]
    Foreign,
    /// What the options say cannot be used.
    #[error("{0}")]
    Options(&'static str),
}

impl DrdaError {
    /// What the database said, if it said something.
    pub const fn sql(&self) -> Option<&SqlFault> {
        match self {
            Self::Sql(fault) | Self::Batch { fault, .. } => Some(fault),
            _ => None,
        }
    }

    /// True if the connection is gone and what was under way may or may not have been done.
    pub const fn is_lost(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::Lost(_) | Self::TimedOut(_) | Self::Broken | Self::Protocol(_)
        )
    }
}

/// What is wrong with bytes that should have been DRDA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolFault {
    /// Bytes end before what they announce.
    #[error("something is cut off")]
    TooShort,
    /// A length that cannot be.
    #[error("a length is wrong")]
    Length,
    /// No X'D0' where each structure has one.
    #[error("it speaks another protocol; is this the port of Derby, and is TLS set as at the server?")]
    NotDrda,
    /// A structure of a kind that a server does not send.
    #[error("a structure has an unknown format")]
    Format,
    /// More than the limit of [`Options`](crate::Options).
    #[error("an answer is larger than allowed")]
    TooLarge,
    /// A reply that does not belong to what was asked.
    #[error("an answer is missing or unexpected")]
    Unexpected,
    /// A column or parameter of a type that a journal does not have; FD:OCA's number.
    #[error("a column has the unsupported type X'{0:02X}'")]
    ColumnType(u8),
    /// A text that is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// The server says that this client made a mistake; by its DDM name.
    #[error("it reports {0}")]
    Reported(&'static str),
}
