//! Turns over a byte stream: a chain goes out, a chain comes back, within a time.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};

use crate::{
    dss::{Assembler, Chain, Dss},
    error::{DrdaError, ProtocolFault},
};

/// A byte stream to a server: TCP, TLS, a channel of an SSH session.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Whether what is sent can be read on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Through a network.
    Network,
    /// Within this machine, or through an SSH tunnel.
    Protected,
}

/// A stream on which turns are taken.
pub struct Transport {
    stream: Box<dyn Stream>,
    assembler: Assembler,
    /// False while a turn is under way, and so for ever after one that broke off: by a fault, by a time
    /// limit, or because nobody waited for its end. What comes in then belongs to nobody.
    usable: bool,
    largest_answer: usize,
}

impl Transport {
    /// On this stream; an answer may have up to `largest_answer` bytes.
    pub fn new(stream: Box<dyn Stream>, largest_answer: usize) -> Self {
        Self { stream, assembler: Assembler::new(largest_answer), usable: true, largest_answer }
    }

    /// Whether turns can be taken.
    pub const fn is_usable(&self) -> bool {
        self.usable
    }

    /// No turn is taken any more: what was said makes no sense.
    pub const fn give_up(&mut self) {
        self.usable = false;
    }

    /// Sends a turn and returns the server's.
    ///
    /// # Errors
    /// The stream broke or is broken, the answer came too late or is no DRDA.
    pub async fn turn(&mut self, chain: Chain, patience: Duration) -> Result<Vec<Dss>, DrdaError> {
        if !self.usable {
            return Err(DrdaError::Broken);
        }
        self.usable = false;
        let turn = async {
            self.stream.write_all(&chain.into_bytes()).await.map_err(DrdaError::Lost)?;
            self.stream.flush().await.map_err(DrdaError::Lost)?;
            self.answer().await
        };
        let answer = timeout(patience, turn).await.map_err(|_| DrdaError::TimedOut(patience))??;
        self.usable = true;
        Ok(answer)
    }

    async fn answer(&mut self) -> Result<Vec<Dss>, DrdaError> {
        let (mut answer, mut size, mut block) = (Vec::new(), 0, vec![0; 32 * 1024]);
        loop {
            while let Some(dss) = self.assembler.next_dss()? {
                size += dss.body.len();
                let more = dss.chained;
                answer.push(dss);
                if size > self.largest_answer {
                    return Err(ProtocolFault::TooLarge.into());
                }
                if !more {
                    // What comes after the end of a turn was not asked for.
                    let clean = self.assembler.is_empty();
                    return if clean { Ok(answer) } else { Err(ProtocolFault::Unexpected.into()) };
                }
            }
            match self.stream.read(&mut block).await.map_err(DrdaError::Lost)? {
                0 => return Err(DrdaError::Lost(io::ErrorKind::UnexpectedEof.into())),
                read => self.assembler.feed(&block[..read]),
            }
        }
    }
}
