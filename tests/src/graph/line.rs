//! A proxy that leads to every host of Microsoft's in this one process, and TLS by its names.

use std::{
    fs, io,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use anyhow::ensure;
use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// What a client may ask for.
const HOSTS: &[&str] = &[
    "graph.microsoft.com",
    "login.microsoftonline.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "login.microsoftonline.us",
    "microsoftgraph.chinacloudapi.cn",
    "login.chinacloudapi.cn",
    "contoso.sharepoint.com",
    "contoso-my.sharepoint.com",
];

/// Makes a CA (`ca.pem`) and a certificate for all the names.
pub(super) fn server_config(dir: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let script = format!(
        "ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        openssl req -x509 $ec -keyout ca.key -out ca.pem -days 2 -subj '/CN=CA of a test' \
          -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
        openssl req $ec -keyout server.key -out server.csr -subj /CN=Microsoft
        echo subjectAltName=DNS:{} > server.ext
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
          -extfile server.ext -out server.pem",
        HOSTS.join(",DNS:")
    );
    let made = Command::new("sh").args(["-ec", &script]).current_dir(dir).output()?;
    ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    let certificate = CertificateDer::from_pem_slice(&fs::read(dir.join("server.pem"))?)?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(dir.join("server.key"))?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key)?))
}

/// Closes the connection of a request in place of its answer.
#[derive(Debug, Clone)]
pub(super) struct Cut(Arc<AtomicBool>);

impl Cut {
    pub(super) fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Lines>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.remote_addr().clone()
    }
}

/// Connections through the proxy, their TLS agreed upon.
pub(super) struct Lines {
    address: SocketAddr,
    agreed: mpsc::Receiver<Line>,
}

impl Lines {
    pub(super) fn listen(listener: TcpListener, tls: Arc<ServerConfig>) -> Self {
        let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 0)));
        let (sender, agreed) = mpsc::channel(64);
        let acceptor = TlsAcceptor::from(tls);
        tokio::spawn(async move {
            while !sender.is_closed() {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = sender.closed() => return,
                };
                let Ok((stream, _)) = accepted else { continue };
                let (sender, acceptor) = (sender.clone(), acceptor.clone());
                tokio::spawn(async move {
                    // A client that does not trust the certificate goes away again.
                    if let Ok(Ok(line)) = timeout(Duration::from_secs(20), agree(stream, acceptor)).await {
                        let _stopped = sender.send(line).await;
                    }
                });
            }
        });
        Self { address, agreed }
    }
}

async fn agree(stream: TcpStream, acceptor: TlsAcceptor) -> io::Result<Line> {
    let mut stream = BufReader::with_capacity(1, stream);
    let mut first = String::new();
    stream.read_line(&mut first).await?;
    let host = first.strip_prefix("CONNECT ").and_then(|rest| rest.split(':').next()).unwrap_or_default();
    let known = HOSTS.contains(&host);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 2 {
        line.clear();
    }
    let mut stream = stream.into_inner();
    if !known {
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await?;
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    Ok(Line { stream: acceptor.accept(stream).await?, cut: Cut(Arc::default()) })
}

/// A connection that can be cut.
pub(super) struct Line {
    stream: TlsStream<TcpStream>,
    cut: Cut,
}

impl Line {
    fn check(&self) -> io::Result<()> {
        let cut = self.cut.0.load(Ordering::Relaxed);
        if cut { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Listener for Lines {
    type Io = Line;
    type Addr = Cut;

    async fn accept(&mut self) -> (Line, Cut) {
        match self.agreed.recv().await {
            Some(line) => {
                let cut = line.cut.clone();
                (line, cut)
            }
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Cut> {
        let _ = self.address;
        Ok(Cut(Arc::default()))
    }
}
