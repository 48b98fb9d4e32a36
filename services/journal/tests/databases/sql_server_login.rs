//! How a journal gets to a SQL Server: encryption, logins, named instances, and a server by others.

use callseal_journal::database::{ErrorKind, JournalDb};
use domain::{
    RecordingId,
    resources::{
        SqlServerEncryption::{self, Off, Required, Strict},
        SqlServerJournal,
    },
};
use harness::{
    mock_tds::MockTds,
    sql_server::{Offer, SqlServer},
};

use crate::{
    described::{self, journal, open},
    sql_server::target,
    world::row,
};

fn with(server: &SqlServer, change: impl FnOnce(&mut SqlServerJournal)) -> Box<dyn JournalDb> {
    open(&target(server, "recordings", change))
}

fn encrypted(server: &SqlServer, encrypt: SqlServerEncryption, ca: Option<String>) -> Box<dyn JournalDb> {
    with(server, |journal| {
        journal.encrypt = encrypt;
        journal.server.ca_certificate = ca;
    })
}

#[tokio::test]
async fn a_connection_is_as_encrypted_as_it_is_to_be_or_there_is_none() {
    for (offer, encrypt, seen) in [
        (Offer::Nothing, Off, Some((false, false))),
        (Offer::Nothing, Required, None),
        (Offer::Nothing, Strict, None),
        (Offer::Supported, Off, Some((true, false))),
        (Offer::Supported, Required, Some((true, true))),
        (Offer::Supported, Strict, None),
        (Offer::Required, Off, Some((true, true))),
        (Offer::Required, Required, Some((true, true))),
        (Offer::Strict, Strict, Some((true, true))),
        (Offer::Strict, Required, None),
    ] {
        let server = SqlServer::start(offer).await.unwrap();
        let journal = encrypted(&server, encrypt, Some(server.ca().unwrap()));
        let made = journal.create_table().await;
        let Some((login, after)) = seen else {
            let error = made.unwrap_err();
            assert!(server.logins().is_empty(), "{offer:?} {encrypt:?}: no password is sent");
            // A server that hangs up may come back.
            let kind = if encrypt == Strict || offer == Offer::Strict {
                ErrorKind::Unreachable
            } else {
                ErrorKind::Denied
            };
            assert_eq!(error.kind(), kind, "{offer:?} {encrypt:?}: {error}");
            assert_eq!(error.to_string().contains("SQL Server 2022"), encrypt == Strict, "{error}");
            continue;
        };
        made.unwrap();
        assert_eq!(journal.insert(&[row(RecordingId::new())]).await.unwrap(), 1);
        let [seen] = &server.logins()[..] else { panic!("one connection is used again and again") };
        assert_eq!((seen.encrypted, seen.encrypted_after), (login, after), "{offer:?} {encrypt:?}");
        assert_eq!(seen.program, "callseal");
    }
}

#[tokio::test]
async fn no_password_goes_to_a_sql_server_whose_certificate_is_of_somebody_else() {
    for (offer, encrypt) in [(Offer::Supported, Required), (Offer::Strict, Strict), (Offer::Supported, Off)] {
        let (server, other) =
            (SqlServer::start(offer).await.unwrap(), SqlServer::start(offer).await.unwrap());
        let error = encrypted(&server, encrypt, Some(other.ca().unwrap())).check().await.unwrap_err();
        assert!(error.kind() == ErrorKind::Denied && error.to_string().contains("certificate"), "{error}");
        assert!(server.logins().is_empty());
    }
}

#[tokio::test]
async fn a_refused_login_to_a_sql_server_is_explained_without_secrets() {
    let server = SqlServer::start(Offer::Supported).await.unwrap();
    with(&server, |_| {}).create_table().await.unwrap();
    let wrong = with(&server, |journal| journal.server.password = Some("hunter2".into()));
    let nowhere = with(&server, |journal| journal.server.database = "nowhere".into());
    for (journal, kind, words) in [
        (wrong, ErrorKind::LoginRefused, "refuses the login"),
        (nowhere, ErrorKind::NoDatabase, "no database of this name"),
    ] {
        let error = journal.check().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.is_permanent() && error.to_string().contains(words), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    for (number, words) in [
        (18_487, "has expired"),
        (18_488, "must be changed"),
        (18_486, "locked"),
        (18_452, "does not take this kind of login"),
    ] {
        server.refuse_logins(Some(number));
        let error = with(&server, |_| {}).check().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LoginRefused, "{error}");
        assert!(error.to_string().contains(words) && error.is_permanent(), "{error}");
    }
    server.refuse_logins(None);
    with(&server, |_| {}).check().await.unwrap();
}

#[tokio::test]
async fn a_login_of_windows_is_one_that_samba_takes_for_right() {
    for (offer, encrypt) in [
        (Offer::Nothing, Off),
        (Offer::Supported, Off),
        (Offer::Supported, Required),
        (Offer::Strict, Strict),
    ] {
        let server = SqlServer::start(offer).await.unwrap();
        let as_windows = |user: &str, password: &str| {
            with(&server, |journal| {
                journal.encrypt = encrypt;
                journal.server.ca_certificate = Some(server.ca().unwrap());
                journal.server.user = user.into();
                journal.server.password = Some(password.into());
            })
        };
        let journal = as_windows(SqlServer::WINDOWS_USER, SqlServer::PASSWORD);
        journal.create_table().await.unwrap();
        assert_eq!(journal.insert(&[row(RecordingId::new())]).await.unwrap(), 1, "{offer:?} {encrypt:?}");
        for (user, password) in
            [(SqlServer::WINDOWS_USER, "hunter2"), ("EXAMPLE\\mallory", SqlServer::PASSWORD)]
        {
            let error = as_windows(user, password).check().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LoginRefused, "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn the_port_of_a_named_instance_is_asked_of_sql_server_browser() {
    let server = SqlServer::start_instance("CALLS").await.unwrap();
    let instance = |name: &str| {
        with(&server, |journal| {
            journal.server.host = server.address().to_string();
            // It is not asked for: the instance says its own.
            journal.server.port = 1433;
            journal.instance = Some(name.into());
        })
    };
    let journal = instance("calls");
    journal.create_table().await.unwrap();
    assert_eq!(journal.insert(&[row(RecordingId::new())]).await.unwrap(), 1);
    let error = instance("OTHER").check().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unreachable && error.to_string().contains("UDP 1434"), "{error}");
}

/// The mock takes every login and answers every statement with nothing: so there is no table.
#[tokio::test]
async fn a_server_by_microsoft_made_for_tests_understands_login_encryption_and_statements() {
    for (tls, encrypt) in [("none", Off), ("optional", Off), ("optional", Required), ("strict", Strict)] {
        let server = MockTds::start(tls).await.unwrap();
        let to = |encrypt, ca: Option<String>| {
            let mut described = described::sql_server(server.port());
            (described.encrypt, described.server.ca_certificate) = (encrypt, ca);
            open(&journal(domain::resources::JournalDatabase::SqlServer(described)))
        };
        let error = to(encrypt, Some(server.ca().unwrap_or_default()).filter(|_| tls != "none"))
            .check()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoTable, "{tls} {encrypt:?}: {error}\n{}", server.output());
        let said = server.output();
        assert!(said.contains("SET ANSI_NULLS, ANSI_PADDING"), "{tls} {encrypt:?}: {said}");
        assert!(!said.contains(SqlServer::PASSWORD), "{said}");
        if tls == "none" {
            let error = to(Required, None).check().await.unwrap_err();
            assert!(error.to_string().contains("does not offer the TLS"), "{error}");
        }
        if encrypt != Off {
            let error = to(encrypt, None).check().await.unwrap_err();
            assert!(error.to_string().contains("certificate"), "{error}");
        }
    }
}
