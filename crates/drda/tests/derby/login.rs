//! Getting in, and what stands in the way.

use std::time::Duration;

use drda::{Connection, DrdaError, Options, Route, Tls};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{connect, derby::Derby, options};

async fn refusal(options: &Options) -> DrdaError {
    let error = Connection::connect(options).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(!text.contains(Derby::PASSWORD) && !text.contains("wrong-one"), "{text}");
    error
}

#[tokio::test]
async fn each_way_not_to_get_in_is_told_apart() {
    let mut server = Derby::start().await.unwrap();
    let right = options(&server);
    let wrong = Options { password: "wrong-one".into(), ..right.clone() };
    assert!(matches!(refusal(&wrong).await, DrdaError::LoginRefused { code: 0x13 }));
    let stranger = Options { user: "stranger".to_owned(), ..right.clone() };
    assert!(matches!(refusal(&stranger).await, DrdaError::LoginRefused { .. }));
    let without = Options { password: "".into(), ..right.clone() };
    let refused = refusal(&without).await;
    assert!(matches!(refused, DrdaError::LoginRefused { .. } | DrdaError::PasswordMissing), "{refused:?}");
    for name in ["nowhere", "a-database-with-a-name-of-more-than-eighteen-letters", "Datenbank-für-Öl"] {
        let nowhere = Options { database: name.to_owned(), ..right.clone() };
        assert!(matches!(refusal(&nowhere).await, DrdaError::NoDatabase), "{name}");
    }
    let slipped = Options { database: "nowhere;create=true".to_owned(), ..right.clone() };
    assert!(matches!(refusal(&slipped).await, DrdaError::Options(_)));

    // Expressly it is made; with names that have their lengths before them, and of more than ASCII.
    for name in ["made", "Datenbank-für-Öl-und-mehr"] {
        let made = Options { database: name.to_owned(), create: true, ..right.clone() };
        let mut connection = Connection::connect(&made).await.unwrap();
        let rows = connection.query("VALUES CAST(? AS VARCHAR(9))", &["Öl".into()], 1).await.unwrap();
        assert_eq!(rows[0].text(0), Some("Öl"));
        connection.commit().await.unwrap();
        drop(connection);
        let again = Options { database: name.to_owned(), ..right.clone() };
        Connection::connect(&again).await.unwrap();
    }

    server.stop().unwrap();
    assert!(matches!(refusal(&right).await, DrdaError::Unreachable(_)));
}

#[tokio::test]
async fn a_password_crosses_no_network_without_tls_unless_that_is_allowed_expressly() {
    let server = Derby::start().await.unwrap();
    let stream = || async { Box::new(TcpStream::connect(("127.0.0.1", server.port())).await.unwrap()) };
    let elsewhere = Options { host: "derby.example".to_owned(), ..options(&server) };
    let refused = Connection::over(stream().await, Route::Network, &elsewhere).await.unwrap_err();
    assert!(matches!(refused, DrdaError::PasswordInClear));
    Connection::over(stream().await, Route::Protected, &elsewhere).await.unwrap();
    let allowed = Options { allow_plain_password: true, ..elsewhere };
    Connection::over(stream().await, Route::Network, &allowed).await.unwrap();
}

#[tokio::test]
async fn a_certificate_is_trusted_by_its_authority_or_by_its_fingerprint_and_not_otherwise() {
    let server = Derby::start_with_tls().await.unwrap();
    let ca = CertificateDer::from_pem_slice(server.ca().unwrap().as_bytes()).unwrap();
    let own = CertificateDer::from_pem_slice(server.certificate().unwrap().as_bytes()).unwrap();
    let fingerprint: [u8; 32] = Sha256::digest(&own).into();
    let with = |tls: Tls| Options { tls, ..options(&server) };

    let by_authority = with(Tls::Authorities(vec![ca.clone()]));
    let by_fingerprint = with(Tls::Pinned(vec![[0; 32], fingerprint]));
    let unverified = with(Tls::Unverified);
    for trusting in [&by_authority, &by_fingerprint, &unverified] {
        let mut connection = Connection::connect(trusting).await.unwrap();
        let long: String = "Ö".repeat(40_000);
        let rows = connection.query("VALUES CAST(? AS CLOB)", &[long.as_str().into()], 1).await.unwrap();
        assert_eq!(rows[0].text(0), Some(long.as_str()));
    }
    // The name is not in the certificate: an authority's does not do, a pinned one does.
    let stream = || async { Box::new(TcpStream::connect(("127.0.0.1", server.port())).await.unwrap()) };
    let renamed = |tls: Tls| Options { host: "derby.example".to_owned(), ..with(tls) };
    let error = Connection::over(stream().await, Route::Network, &renamed(Tls::Authorities(vec![ca]))).await;
    assert!(matches!(error, Err(DrdaError::Tls(_))), "{error:?}");
    let pinned = renamed(Tls::Pinned(vec![fingerprint]));
    Connection::over(stream().await, Route::Network, &pinned).await.unwrap();

    for distrusting in
        [with(Tls::Authorities(vec![own])), with(Tls::Pinned(vec![[0; 32]])), with(Tls::Pinned(vec![]))]
    {
        // The authority is the server's own certificate, which no authority's is.
        let error = Connection::connect(&distrusting).await;
        assert!(matches!(error, Err(DrdaError::Tls(_))), "{error:?}");
    }
    let plain = Connection::connect(&with(Tls::Off)).await.unwrap_err();
    assert!(matches!(plain, DrdaError::Protocol(_) | DrdaError::Lost(_)), "{plain:?}");
}

#[tokio::test]
async fn a_server_without_tls_is_not_talked_to_without_it() {
    let server = Derby::start().await.unwrap();
    let demanding = Options { tls: Tls::Pinned(vec![[0; 32]]), ..options(&server) };
    let error = Connection::connect(&demanding).await.unwrap_err();
    assert!(matches!(error, DrdaError::Tls(_)), "{error:?}");
    connect(&server).await;
}

#[tokio::test]
async fn a_server_that_asks_for_another_kind_of_login_is_named() {
    let server =
        Derby::start_with("derby.drda.securityMechanism=STRONG_PASSWORD_SUBSTITUTE_SECURITY").await.unwrap();
    let error = refusal(&options(&server)).await;
    assert!(matches!(&error, DrdaError::LoginKind { offered } if offered.contains(&8)), "{error:?}");
}

#[tokio::test]
async fn what_is_no_database_or_says_nothing_is_left_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let web = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        first.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        // The second one only listens, until the client hangs up.
        let (mut second, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        let _reset_at_worst = second.read_to_end(&mut heard).await;
        heard.len()
    });
    let mut options = Options::new("127.0.0.1", port, "calls", "user", "password");
    options.connect_timeout = Duration::from_secs(60);
    assert!(matches!(refusal(&options).await, DrdaError::Protocol(_)));
    options.connect_timeout = Duration::from_millis(300);
    assert!(matches!(refusal(&options).await, DrdaError::TimedOut(_)));
    assert!(web.await.unwrap() > 0);
}

#[tokio::test]
async fn derby_refuses_an_expired_password_as_a_wrong_one_and_select_and_insert_are_enough_to_write_once() {
    let properties =
        "derby.database.sqlAuthorization=true\nderby.authentication.native.passwordLifetimeMillis=86400000";
    let mut server = Derby::start_with(properties).await.unwrap();
    // From the first such user on the database has logins of its own.
    let said = server
        .ij(&format!(
            "CALL SYSCS_UTIL.SYSCS_CREATE_USER('{}','{}'); CALL SYSCS_UTIL.SYSCS_CREATE_USER('writer','short-lived'); \
             CREATE TABLE t (n BIGINT); GRANT SELECT, INSERT ON t TO writer;",
            Derby::USER,
            Derby::PASSWORD
        ))
        .unwrap();
    assert!(!said.contains("ERROR"), "{said}");
    server.stop().unwrap();
    server.start_again().await.unwrap();

    let writer = Options { user: "writer".to_owned(), password: "short-lived".into(), ..options(&server) };
    let mut connection = Connection::connect(&writer).await.unwrap();
    connection.execute_immediate("LOCK TABLE callseal.t IN EXCLUSIVE MODE").await.unwrap();
    assert_eq!(connection.execute_immediate("INSERT INTO callseal.t VALUES 1").await.unwrap(), 1);
    let rows = connection.query("SELECT n FROM callseal.t", &[], 9).await.unwrap();
    assert_eq!(rows.len(), 1);
    let refused = connection.execute_immediate("DELETE FROM callseal.t").await.unwrap_err();
    assert!(refused.to_string().contains("lacks the permission DELETE on the table T"), "{refused}");
    connection.commit().await.unwrap();
    drop(connection);

    let lifetime = "'derby.authentication.native.passwordLifetimeMillis','1'";
    let said = server.ij(&format!("CALL SYSCS_UTIL.SYSCS_SET_DATABASE_PROPERTY({lifetime});")).unwrap();
    assert!(!said.contains("ERROR"), "{said}");
    server.stop().unwrap();
    server.start_again().await.unwrap();
    assert!(matches!(refusal(&writer).await, DrdaError::LoginRefused { code: 0x13 }));
    // The owner of the database is let in, so that somebody can mend it.
    connect(&server).await;
}
