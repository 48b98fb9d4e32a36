//! A server's side by hand: PRELOGIN, the handshake in its packets, and what is in the clear after it.

use std::process::Command;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

use super::{
    super::{framed::Framed, trust},
    *,
};

/// PRELOGIN with version and level.
fn prelogin(level: u8) -> Vec<u8> {
    let mut body = vec![0, 0, 11, 0, 6, ENCRYPTION, 0, 17, 0, 1, TERMINATOR];
    body.extend([1, 2, 3, 4, 5, 6, level]);
    framed(0x12, &body)
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![kind, 1, 0, (HEADER + body.len()) as u8, 0, 0, 1, 0];
    packet.extend(body);
    packet
}

/// A certificate for 127.0.0.1 that signs itself, as PEM, and what a server needs of it.
fn certificate() -> (String, TlsAcceptor) {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=sql", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let chain = vec![CertificateDer::from_pem_file(&cert).unwrap()];
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(&key).unwrap())
        .unwrap();
    config.alpn_protocols.push(b"tds/8.0".to_vec());
    (std::fs::read_to_string(cert).unwrap(), TlsAcceptor::from(Arc::new(config)))
}

/// The client's end of a connection at `wanted` to a new server, and the server's.
async fn connection(
    wanted: SqlServerEncryption,
    authority: Option<&str>,
) -> (DuplexStream, JoinHandle<Result<(), Broken>>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, accepted) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let encryption = Encryption {
        level: wanted,
        tls: Arc::new(trust::client(wanted, authority).unwrap()),
        server: ServerName::try_from("127.0.0.1").unwrap(),
        windows: None,
    };
    let (mut near, carried) = laid(client.unwrap(), encryption);
    near.write_all(&prelogin(level::NOT_SUPPORTED)).await.unwrap();
    (near, carried, accepted.unwrap().0)
}

/// Reads the client's PRELOGIN, which has to ask for `asked`, and answers with `answer`.
async fn agree(server: &mut (impl AsyncRead + AsyncWrite + Unpin), asked: u8, answer: u8) {
    assert_eq!(level_of(&packet(server).await.unwrap()), Some(asked));
    server.write_all(&prelogin(answer)).await.unwrap();
    server.flush().await.unwrap();
}

/// The client sends a login; `server` reads it, answers, and reads what comes after.
async fn talk(client: &mut DuplexStream, server: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    client.write_all(&framed(0x10, b"login")).await.unwrap();
    assert_eq!(packet(server).await.unwrap(), framed(0x10, b"login"));
    server.write_all(&framed(4, b"welcome")).await.unwrap();
    server.flush().await.unwrap();
    assert_eq!(packet(client).await.unwrap(), framed(4, b"welcome"));
}

#[tokio::test]
async fn what_is_required_is_encrypted_from_the_login_on() {
    let (pem, acceptor) = certificate();
    let (mut client, _carried, mut server) = connection(SqlServerEncryption::Required, Some(&pem)).await;
    agree(&mut server, level::ON, level::ON).await;
    let mut server = acceptor.accept(Framed::new(server)).await.unwrap();
    server.get_mut().0.finish();
    packet(&mut client).await.unwrap();
    talk(&mut client, &mut server).await;
}

#[tokio::test]
async fn strict_begins_with_tls() {
    let (pem, acceptor) = certificate();
    let (mut client, _carried, server) = connection(SqlServerEncryption::Strict, Some(&pem)).await;
    let mut server = acceptor.accept(server).await.unwrap();
    assert_eq!(server.get_ref().1.alpn_protocol(), Some(&b"tds/8.0"[..]));
    agree(&mut server, level::REQUIRED, level::ON).await;
    packet(&mut client).await.unwrap();
    talk(&mut client, &mut server).await;
}

#[tokio::test]
async fn without_encryption_the_login_is_encrypted_where_the_server_offers_it() {
    let (_, acceptor) = certificate();
    let (mut client, _carried, mut server) = connection(SqlServerEncryption::Off, None).await;
    agree(&mut server, level::LOGIN_ONLY, level::LOGIN_ONLY).await;
    let mut tls = acceptor.accept(Framed::new(server)).await.unwrap();
    tls.get_mut().0.finish();
    packet(&mut client).await.unwrap();
    client.write_all(&framed(0x10, b"login")).await.unwrap();
    assert_eq!(packet(&mut tls).await.unwrap(), framed(0x10, b"login"));
    let mut clear = tls.into_inner().0.into_inner();
    clear.write_all(&framed(4, b"welcome")).await.unwrap();
    assert_eq!(packet(&mut client).await.unwrap(), framed(4, b"welcome"));

    let (mut client, _carried, mut server) = connection(SqlServerEncryption::Off, None).await;
    agree(&mut server, level::LOGIN_ONLY, level::NOT_SUPPORTED).await;
    packet(&mut client).await.unwrap();
    talk(&mut client, &mut server).await;
}

#[tokio::test]
async fn no_login_is_sent_to_a_server_without_the_tls_that_is_required() {
    for level in [level::LOGIN_ONLY, level::NOT_SUPPORTED] {
        let (mut client, carried, mut server) = connection(SqlServerEncryption::Required, None).await;
        agree(&mut server, level::ON, level).await;
        assert!(matches!(carried.await.unwrap(), Err(Broken::NotOffered)));
        assert!(packet(&mut client).await.is_err(), "the client sees the end");
    }
}

#[tokio::test]
async fn no_login_is_sent_to_a_server_with_a_certificate_of_somebody_else() {
    let ((_, acceptor), (other, _)) = (certificate(), certificate());
    let (_client, carried, mut server) = connection(SqlServerEncryption::Required, Some(&other)).await;
    agree(&mut server, level::ON, level::ON).await;
    assert!(acceptor.accept(Framed::new(server)).await.is_err());
    let Err(Broken::Handshake(error)) = carried.await.unwrap() else { panic!("the handshake fails") };
    assert!(matches!(error, rustls::Error::InvalidCertificate(_)), "{error}");
}
