//! An HTTP server whose every answer a test decides: authorities and witnesses, good ones and bad ones.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::Context;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::loopback_tls;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST`.
    pub method: String,
    /// `/add-checkpoint`.
    pub path: String,
    /// The value of `Content-Type`; empty: none.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Lines of the header, each without its end.
    pub header: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// 200 with this body.
    pub fn ok(body: Vec<u8>) -> Self {
        Self::status(200, body)
    }

    /// Any status.
    pub fn status(status: u16, body: Vec<u8>) -> Self {
        Self { status, header: Vec::new(), body }
    }
}

/// A server on a free port of loopback; it ends with this value.
pub struct HttpAnswers {
    address: SocketAddr,
    scheme: &'static str,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl HttpAnswers {
    /// Starts one; `answer` is called for one request after the other.
    ///
    /// # Errors
    /// There is no free port.
    pub fn start(answer: impl Fn(Asked) -> Answer + Send + 'static) -> anyhow::Result<Self> {
        Self::listen(None, answer)
    }

    /// The same over TLS, with a CA of its own that is written to `folder` as `ca.pem`.
    ///
    /// # Errors
    /// There is no free port, or no `openssl`.
    pub fn start_tls(
        folder: &Path,
        answer: impl Fn(Asked) -> Answer + Send + 'static,
    ) -> anyhow::Result<Self> {
        Self::listen(Some(loopback_tls::server_config(folder)?), answer)
    }

    fn listen(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(Asked) -> Answer + Send + 'static,
    ) -> anyhow::Result<Self> {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
        let address = listener.local_addr()?;
        let ended = Arc::new(AtomicBool::new(false));
        let seen = ended.clone();
        let thread = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if seen.load(Ordering::SeqCst) {
                    return;
                }
                // A client that goes away in the middle is not the server's fault.
                let _ = connection.and_then(|connection| accept(connection, tls.clone(), &answer));
            }
        });
        Ok(Self { address, scheme, ended, thread: Some(thread) })
    }

    /// `http://127.0.0.1:…` or with `https`, without a slash at its end.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }
}

impl Drop for HttpAnswers {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread from waiting for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(
    connection: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    answer: &impl Fn(Asked) -> Answer,
) -> io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    let Some(tls) = tls else { return converse(connection, answer) };
    let session = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, connection);
    converse(&mut stream, answer)?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn converse(connection: impl Read + Write, answer: &impl Fn(Asked) -> Answer) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_ascii_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let (mut length, mut content_type) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "content-type" => content_type = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let Answer { status, header, body } = answer(Asked { method, path, content_type, body });
    let mut head = format!("HTTP/1.1 {status} -\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    for line in header {
        head.push_str(&line);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    let connection = reader.get_mut();
    connection.write_all(head.as_bytes())?;
    connection.write_all(&body)
}
