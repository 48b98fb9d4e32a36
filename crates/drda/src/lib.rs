//! A client of Apache Derby's network server: DRDA, the Distributed Relational Database Architecture.
//!
//! Sources: DRDA V3 of The Open Group, volume 1 (what flows, called *DRDA* below), volume 2 (FD:OCA, how
//! data is described), volume 3 (*DDM*: every code point by its name), and what Derby's own client sends
//! and its server answers, where the books leave a choice. Only what a journal needs is here: no XA, no
//! scrolling cursors, no stored procedures, no result sets that are updated.
//!
//! | Layer | File | Of the books |
//! |---|---|---|
//! | commands and their answers | [`connection`](Connection), `login`, `statement`, `query` | DRDA ch. 4 |
//! | what a command and a reply consist of | `request`, `reply`, `card`, `described` | DDM, by name |
//! | values, described and encoded | `fdoca`, `parameters`, `row` | FD:OCA ch. 5, 6 |
//! | objects: length, code point, content | `ddm` | DDM `DDMOBJ`, `OBJLNGTH` |
//! | segments, chains, continuation | `dss` | DDM `DSS`, `DSSFMT` |
//!
//! All but the first layer are plain functions of bytes. What a server sends is never trusted: no length
//! makes memory be taken before its bytes have come, and a limit ends what never ends.
//!
//! **One transaction is open at all times**: it ends by [`commit`](Connection::commit) or
//! [`rollback`](Connection::rollback), and a connection that is dropped is rolled back by the server.

mod card;
mod charset;
mod code_point;
mod connection;
mod cursor;
mod ddm;
mod described;
mod dss;
mod error;
mod fdoca;
mod login;
mod message;
mod options;
mod parameters;
mod query;
mod reply;
mod request;
mod row;
mod statement;
mod tls;
mod transport;
mod value;

pub mod unconnected;

pub use connection::Connection;
pub use described::Column;
pub use error::{DrdaError, ProtocolFault};
pub use fdoca::SqlType;
pub use message::SqlFault;
pub use options::{Options, Password, Tls};
pub use statement::Statement;
pub use transport::{Route, Stream};
pub use value::{Row, Value};
