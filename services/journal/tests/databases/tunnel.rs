//! Databases behind SSH servers (F-80).

use std::fs;

use callseal_journal::database::ErrorKind;
use domain::{
    RecordingId,
    resources::{DatabaseTls, JournalDatabase, SqlServerEncryption, SshServer, SshTunnel},
};
use harness::{
    derby::Derby,
    mariadb::MariaDb,
    postgres::Postgres,
    sql_server::{Offer, SqlServer},
    sshd::Sshd,
};

use crate::{
    described::{self, journal, open},
    world::row,
};

fn hop(sshd: &Sshd) -> SshServer {
    sshd.described().unwrap()
}

#[tokio::test]
async fn rows_go_through_ssh_servers_encrypted_twice_and_go_on_when_the_way_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let (mariadb, postgres) = (MariaDb::start().await.unwrap(), Postgres::start().await.unwrap());
    let derby = Derby::start_with_tls().await.unwrap();
    let sql_server = SqlServer::start(Offer::Supported).await.unwrap();
    let first = Sshd::start(&dir.path().join("first")).await.unwrap();
    let mut second = Sshd::start(&dir.path().join("second")).await.unwrap();
    let tunnel = SshTunnel { hops: vec![hop(&first), hop(&second)] };

    let mut mysql = described::mysql(mariadb.port());
    mysql.server.tunnel = Some(tunnel.clone());
    // The certificate is that of the server at the other end.
    mysql.tls = DatabaseTls::VerifyFull;
    mysql.server.ca_certificate = Some(mariadb.ca().to_owned());
    let mut pg = described::postgres(postgres.port());
    pg.server.tunnel = Some(tunnel.clone());
    let mut drda = described::derby(derby.port());
    drda.server.tunnel = Some(tunnel.clone());
    drda.tls = DatabaseTls::VerifyFull;
    drda.server.ca_certificate = Some(derby.ca().unwrap());
    let mut tds = described::sql_server(sql_server.port());
    tds.server.tunnel = Some(tunnel);
    tds.encrypt = SqlServerEncryption::Required;
    tds.server.ca_certificate = Some(sql_server.ca().unwrap());
    let databases = [
        JournalDatabase::MySql(mysql),
        JournalDatabase::Postgres(pg),
        JournalDatabase::Derby(drda),
        JournalDatabase::SqlServer(tds),
    ];
    for database in databases {
        let journal = open(&journal(database));
        journal.create_table().await.unwrap();
        assert_eq!(journal.insert(&[row(RecordingId::new())]).await.unwrap(), 1);
        second.stop().unwrap();
        let error = journal.insert(&[row(RecordingId::new())]).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Unreachable && !error.is_permanent(), "{error}");
        second.start_again().await.unwrap();
        assert_eq!(journal.insert(&[row(RecordingId::new())]).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn no_password_goes_through_a_tunnel_whose_host_key_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd")).await.unwrap();
    let other = Sshd::start(&dir.path().join("other")).await.unwrap();
    let wrong = SshServer { host_keys: vec![other.host_key("ed25519").unwrap()], ..hop(&sshd) };
    let mut postgres = described::postgres(5432);
    postgres.server.tunnel = Some(SshTunnel { hops: vec![wrong] });
    let error = open(&journal(JournalDatabase::Postgres(postgres))).check().await.unwrap_err();
    assert!(error.is_permanent() && error.to_string().contains("host key"), "{error}");
    assert!(
        fs::read_dir(std::env::temp_dir())
            .unwrap()
            .flatten()
            .all(|entry| { !entry.path().join(".s.PGSQL.5432").exists() })
    );
}
