//! A way to a server that is cut after a number of bytes, in one direction or the other, exactly.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::AbortHandle,
};

/// How many bytes may still pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// All.
    Never,
    /// So many of the client's.
    There(usize),
    /// So many of the server's.
    Back(usize),
}

/// Forwards connections of a port of its own; each new one passes whole until it is cut.
pub struct Scissors {
    port: u16,
    cut: Arc<watch::Sender<Cut>>,
    listening: AbortHandle,
}

impl Scissors {
    /// To this port of 127.0.0.1.
    pub async fn to(to: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let cut = Arc::new(watch::Sender::new(Cut::Never));
        let cuts = Arc::clone(&cut);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let (there, back) = (Arc::clone(&cuts), Arc::clone(&cuts));
                tokio::spawn(async move {
                    // Whichever direction ends first ends both.
                    tokio::select! {
                        () = carry(from_client, to_server, there, true) => {}
                        () = carry(from_server, to_client, back, false) => {}
                    }
                });
            }
        });
        Ok(Self { port, cut, listening: listening.abort_handle() })
    }

    /// Where to connect.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on only so many bytes pass; then the connection ends on both sides.
    pub fn cut(&self, cut: Cut) {
        self.cut.send_replace(cut);
    }
}

impl Drop for Scissors {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: Arc<watch::Sender<Cut>>, there: bool) {
    let mut block = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut block).await {
        let mut passes = read;
        let mut last = false;
        cut.send_modify(|cut| {
            let left = match cut {
                Cut::There(left) if there => left,
                Cut::Back(left) if !there => left,
                _ => return,
            };
            passes = read.min(*left);
            *left -= passes;
            last = *left == 0;
        });
        if to.write_all(&block[..passes]).await.is_err() || last {
            return;
        }
    }
}
