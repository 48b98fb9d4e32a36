//! A conversation with a database.

use std::{
    mem,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{net::TcpStream, time::timeout};

use crate::{
    card::Card,
    dss::Chain,
    error::{DrdaError, ProtocolFault},
    login,
    message::SqlFault,
    options::{Options, Tls},
    reply::Reply,
    request::{self, Requests},
    tls,
    transport::{Route, Stream, Transport},
};

/// Warnings are kept until somebody looks, but not without end.
const WARNINGS: usize = 16;

/// Tells statements of different connections apart.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

/// A connection to a database, with a transaction open at all times. When it is dropped, the server rolls
/// back. An exchange that is broken off, be it because nobody waits for its end, makes the connection
/// [unusable](Self::is_usable).
pub struct Connection {
    pub(crate) transport: Transport,
    pub(crate) requests: Requests,
    pub(crate) id: u64,
    /// Numbers of statements that are closed.
    pub(crate) free_sections: Vec<u16>,
    pub(crate) sections: u16,
    /// Whether something of the transaction is missing: nothing but a rollback will do.
    pub(crate) must_roll_back: bool,
    pub(crate) answer_timeout: Duration,
    pub(crate) largest_answer: usize,
    warnings: Vec<SqlFault>,
}

impl Connection {
    /// Connects, logs in and opens the database.
    ///
    /// # Errors
    /// What stands in the way, told apart by [`DrdaError`].
    pub async fn connect(options: &Options) -> Result<Self, DrdaError> {
        let connecting = TcpStream::connect((options.host.as_str(), options.port));
        let stream = timeout(options.connect_timeout, connecting)
            .await
            .map_err(|_| DrdaError::TimedOut(options.connect_timeout))?
            .map_err(DrdaError::Unreachable)?;
        stream.set_nodelay(true).map_err(DrdaError::Unreachable)?;
        let peer = stream.peer_addr().map_err(DrdaError::Unreachable)?;
        let route = if peer.ip().is_loopback() { Route::Protected } else { Route::Network };
        Self::over(Box::new(stream), route, options).await
    }

    /// Logs in over a stream that is there already, for example one through an SSH tunnel. `options.host`
    /// is the name in the server's certificate.
    ///
    /// # Errors
    /// What stands in the way, told apart by [`DrdaError`].
    pub async fn over(stream: Box<dyn Stream>, route: Route, options: &Options) -> Result<Self, DrdaError> {
        let stream: Box<dyn Stream> = match &options.tls {
            Tls::Off if route == Route::Network && !options.allow_plain_password => {
                return Err(DrdaError::PasswordInClear);
            }
            Tls::Off => stream,
            with_tls => {
                let wrapping = tls::wrap(stream, &options.host, with_tls);
                let late = |_| DrdaError::TimedOut(options.connect_timeout);
                Box::new(timeout(options.connect_timeout, wrapping).await.map_err(late)??)
            }
        };
        let mut transport = Transport::new(stream, options.largest_answer);
        let (requests, warnings) = login::log_in(&mut transport, options).await?;
        Ok(Self {
            transport,
            requests,
            id: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            free_sections: Vec::new(),
            sections: 0,
            must_roll_back: false,
            answer_timeout: options.answer_timeout,
            largest_answer: options.largest_answer,
            warnings,
        })
    }

    /// Whether it can be used further. After a fault of the database it can, after one of the connection it
    /// cannot.
    pub const fn is_usable(&self) -> bool {
        self.transport.is_usable()
    }

    /// What the database warned of since the last call, at most 16: for example `01004`, that a text was
    /// cut off. That a password expires soon Derby does not say over the network.
    pub fn take_warnings(&mut self) -> Vec<SqlFault> {
        mem::take(&mut self.warnings)
    }

    /// Makes lasting what the transaction has done, and begins the next one.
    ///
    /// # Errors
    /// It is not lasting; after a [lost](DrdaError::is_lost) connection it may be, or not.
    pub async fn commit(&mut self) -> Result<(), DrdaError> {
        if self.must_roll_back {
            return Err(DrdaError::MustRollBack);
        }
        // Whoever does not wait for the end finds an unusable connection.
        let committed = self.end_unit(request::commit()).await?;
        if committed { Ok(()) } else { Err(ProtocolFault::Unexpected.into()) }
    }

    /// Undoes what the transaction has done, and begins the next one.
    ///
    /// # Errors
    /// The connection broke: then it is undone by the server.
    pub async fn rollback(&mut self) -> Result<(), DrdaError> {
        self.end_unit(request::roll_back()).await?;
        self.must_roll_back = false;
        Ok(())
    }

    async fn end_unit(&mut self, command: Vec<u8>) -> Result<bool, DrdaError> {
        let mut chain = Chain::default();
        chain.command(&command);
        let replies = self.exchange(chain).await?;
        let mut committed = None;
        for (_, reply) in replies {
            match reply {
                Reply::UnitEnded { committed: answer } => committed = Some(answer),
                Reply::Card(card) => {
                    self.judge(card).inspect_err(|_| self.must_roll_back = true)?;
                }
                Reply::Notice => {}
                _ => return Err(self.nonsense()),
            }
        }
        committed.ok_or_else(|| self.nonsense())
    }

    /// Takes a turn; each reply with the number of the command that it answers.
    pub(crate) async fn exchange(&mut self, chain: Chain) -> Result<Vec<(u16, Reply)>, DrdaError> {
        let answer = self.transport.turn(chain, self.answer_timeout).await?;
        Ok(Reply::read_answer(&answer).inspect_err(|_| self.transport.give_up())?)
    }

    /// How many rows were touched; keeps warnings, and remembers that a transaction has ended.
    pub(crate) fn judge(&mut self, card: Card) -> Result<u32, DrdaError> {
        match card {
            Card::Done { rows } => Ok(rows),
            Card::Warning { rows, warning } => {
                self.keep_warning(warning);
                Ok(rows)
            }
            Card::NoMoreRows => Ok(0),
            Card::Fault(fault) => {
                self.must_roll_back |= fault.ends_transaction();
                if fault.ends_session() {
                    self.transport.give_up();
                }
                Err(DrdaError::Sql(fault))
            }
        }
    }

    fn keep_warning(&mut self, warning: SqlFault) {
        if self.warnings.len() < WARNINGS {
            self.warnings.push(warning);
        }
    }

    /// The server says what makes no sense: it is not listened to any further.
    pub(crate) fn nonsense(&mut self) -> DrdaError {
        self.transport.give_up();
        ProtocolFault::Unexpected.into()
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("usable", &self.is_usable()).finish_non_exhaustive()
    }
}
