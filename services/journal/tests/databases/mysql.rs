//! A real MariaDB server.

use std::os::unix::fs::PermissionsExt as _;

use callseal_journal::database::{ErrorKind, JournalDb, JournalError, Proven, Query};
use domain::{
    RecordingId,
    resources::{DatabaseTls, JournalDatabase, JournalTarget, MySqlJournal},
};
use harness::{cable::Cable, mariadb::MariaDb, small_disk::SmallDisk, wait};
use sqlx::{Connection as _, Executor as _};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use wire::recording_v1::JournalRow;

use crate::{
    contract,
    described::{self, journal, open},
    world::{PATIENCE, row},
};

fn target(server: &MariaDb, table: &str, change: impl FnOnce(&mut MySqlJournal)) -> JournalTarget {
    let mut mysql = described::mysql(server.port());
    change(&mut mysql);
    JournalTarget { table: table.into(), ..journal(JournalDatabase::MySql(mysql)) }
}

fn table(server: &MariaDb, table: &str) -> Box<dyn JournalDb> {
    open(&target(server, table, |_| {}))
}

#[tokio::test]
async fn a_mariadb_server_keeps_the_contract_whatever_its_own_settings() {
    let mut server = MariaDb::start().await.unwrap();
    contract::is_kept(&*table(&server, "kept")).await;
    contract::is_read_page_by_page(&*table(&server, "pages")).await;
    contract::many_writers_write_each_row_once(|| table(&server, "shared")).await;
    contract::further_columns_are_written(&target(&server, "wide", |_| {})).await;

    // As old servers come: not strict, and a set of characters of its own.
    server.stop().unwrap();
    server.settings = vec!["sql-mode=".into(), "character-set-server=latin1".into()];
    server.start_again().await.unwrap();
    contract::is_kept(&*table(&server, "old")).await;
    let columns = "direction text, time bigint, callid text, callername text, caller text, callee text, setting text, \
                   signature text";
    server
        .sql(&format!(
            "USE {}; CREATE TABLE narrow (basefilename varchar(30), {columns}); \
             CREATE TABLE latin (basefilename text, {columns})",
            MariaDb::DATABASE
        ))
        .unwrap();
    let error = table(&server, "narrow").insert(&[row(RecordingId::new())]).await.unwrap_err();
    assert!(error.concerns_row(), "{error}");
    let mut emoji = row(RecordingId::new());
    emoji.caller_name = "📞".into();
    let latin = table(&server, "latin");
    let error = latin.insert(std::slice::from_ref(&emoji)).await.unwrap_err();
    assert!(error.concerns_row() && error.to_string().contains("utf8mb4"), "{error}");
    assert_eq!(latin.insert(&[row(RecordingId::new())]).await.unwrap(), 1);
    assert_eq!(latin.read(&Query::newest(9)).await.unwrap().len(), 1);

    server
        .sql(&format!(
            "USE {}; CREATE TABLE padded (basefilename char(120), {columns}); \
             CREATE TABLE lasting (basefilename text, {columns}) ENGINE = MyISAM",
            MariaDb::DATABASE
        ))
        .unwrap();
    contract::a_padded_name_is_known_again(&*table(&server, "padded")).await;
    let lasting = table(&server, "lasting");
    assert_eq!(lasting.probe().await.unwrap(), Proven::Columns, "MyISAM takes nothing back");
    assert_eq!(lasting.read(&Query::newest(9)).await.unwrap(), []);

    server.sql("SET GLOBAL max_statement_time = 0.3").unwrap();
    let mut holder = sqlx::MySqlConnection::connect(&server.url()).await.unwrap();
    holder.execute("LOCK TABLES padded WRITE").await.unwrap();
    let (journal, row) = (table(&server, "padded"), [row(RecordingId::new())]);
    let error = journal.insert(&row).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Busy && error.to_string().contains("lasted too long"), "{error}");
    holder.execute("UNLOCK TABLES").await.unwrap();
    assert_eq!(journal.insert(&row).await.unwrap(), 1);
}

#[tokio::test]
async fn a_cut_connection_to_a_mariadb_server_costs_no_row_and_doubles_none() {
    let server = MariaDb::start().await.unwrap();
    let cable = Cable::to(server.port()).await.unwrap();
    let through = || open(&target(&server, "cut", |mysql| mysql.server.port = cable.port()));
    contract::a_cut_insert_is_there_once(&cable, through, &*table(&server, "cut")).await;
}

#[tokio::test]
async fn tables_that_old_systems_made_are_used_in_mariadb_or_it_is_said_why_not() {
    let server = MariaDb::start().await.unwrap();
    let columns = "basefilename varchar(200), direction text, time bigint, callid text, callername text, caller text, \
                   callee text, setting text, signature text";
    server
        .sql(&format!(
            "USE {}; CREATE TABLE old ({columns}, id int AUTO_INCREMENT PRIMARY KEY, note varchar(9) NOT NULL DEFAULT 'x', \
             day date); CREATE TABLE demanding ({columns}, clerk varchar(9) NOT NULL); \
             CREATE TABLE lacking (basefilename varchar(200), direction text)",
            MariaDb::DATABASE
        ))
        .unwrap();
    let old = table(&server, "old");
    old.check().await.unwrap();
    assert_eq!(old.insert(&[row(RecordingId::new())]).await.unwrap(), 1);
    for (name, words) in
        [("demanding", "wants a value in the column clerk"), ("lacking", "lacks the columns time, callid")]
    {
        let error = table(&server, name).check().await.unwrap_err();
        assert!(error.kind() == ErrorKind::Columns && error.to_string().contains(words), "{error}");
    }
}

/// InnoDB sees a deadlock at once, and takes back whoever has changed less.
#[tokio::test]
async fn a_deadlock_in_mariadb_is_named_and_the_rows_are_written_once_afterwards() {
    let server = MariaDb::start().await.unwrap();
    let table_of_old = "CREATE TABLE keyed (basefilename varchar(200) PRIMARY KEY, direction text, time bigint, callid text, \
                        callername text, caller text, callee text, setting text, signature text)";
    server.sql(&format!("USE {}; {table_of_old}", MariaDb::DATABASE)).unwrap();
    let rows: Vec<_> = (0..20).map(|_| row(RecordingId::new())).collect();
    let name = |number: usize| rows[number].base_file_name.clone();
    let mut other = sqlx::MySqlConnection::connect(&server.url()).await.unwrap();
    other.execute("BEGIN").await.unwrap();
    let insert = "INSERT INTO keyed (basefilename) VALUES (?)";
    for number in 0..1_000 {
        sqlx::query(insert).bind(format!("other {number}")).execute(&mut other).await.unwrap();
    }
    sqlx::query(insert).bind(name(19)).execute(&mut other).await.unwrap();
    let (journal, batch) = (table(&server, "keyed"), rows.clone());
    let waiting = tokio::spawn(async move { (journal.insert(&batch).await, journal) });
    wait::until("the journal to wait", PATIENCE, || {
        let waits = server.sql("SELECT count(*) FROM information_schema.innodb_lock_waits");
        std::future::ready(waits.ok().filter(|count| count.trim() != "0").map(drop))
    })
    .await
    .unwrap();
    sqlx::query(insert).bind(name(0)).execute(&mut other).await.unwrap();
    let (outcome, journal) = waiting.await.unwrap();
    let error = outcome.unwrap_err();
    assert!(error.kind() == ErrorKind::Busy && !error.is_permanent(), "{error}");
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(journal.insert(&rows).await.unwrap(), 20);
}

#[tokio::test]
async fn what_is_wrong_with_a_mariadb_journal_is_said_in_words_and_without_secrets() {
    let mut server = MariaDb::start().await.unwrap();
    let with = |change: &dyn Fn(&mut MySqlJournal)| open(&target(&server, "recordings", change));
    let ca = server.ca().to_owned();
    with(&|mysql| {
        mysql.tls = DatabaseTls::VerifyFull;
        mysql.server.ca_certificate = Some(ca.clone());
    })
    .create_table()
    .await
    .unwrap();
    server
        .sql(&format!(
            "CREATE USER reader@'%' IDENTIFIED BY 'reader'; GRANT SELECT ON {0}.* TO reader@'%'; \
             CREATE USER late@'%' IDENTIFIED BY 'late' PASSWORD EXPIRE; GRANT ALL ON {0}.* TO late@'%'; \
             SET GLOBAL disconnect_on_expired_password = ON",
            MariaDb::DATABASE
        ))
        .unwrap();
    for (journal, kind, words) in [
        (
            with(&|mysql| mysql.server.password = Some("hunter2".into())),
            ErrorKind::LoginRefused,
            "refuses the login",
        ),
        (
            with(&|mysql| mysql.server.database = "nowhere".into()),
            ErrorKind::LoginRefused,
            "refuses the login",
        ),
        (with(&|mysql| mysql.tls = DatabaseTls::VerifyFull), ErrorKind::Denied, "certificate"),
        (
            with(&|mysql| (mysql.server.user, mysql.server.password) = ("late".into(), Some("late".into()))),
            ErrorKind::LoginRefused,
            "has expired",
        ),
        (
            with(&|mysql| {
                (mysql.server.user, mysql.server.password) = ("reader".into(), Some("reader".into()))
            }),
            ErrorKind::Denied,
            "grant SELECT and INSERT",
        ),
    ] {
        let found_before = journal.probe().await.unwrap_err();
        assert_eq!(found_before.kind(), kind, "{found_before}");
        let error = journal.insert(&[row(RecordingId::new())]).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words) && error.is_permanent(), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    server.sql("SET GLOBAL read_only = ON").unwrap();
    let journal = with(&|_| {});
    let error = journal.insert(&[row(RecordingId::new())]).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Denied && error.to_string().contains("read-only"), "{error}");
    server.sql("SET GLOBAL read_only = OFF").unwrap();
    assert_eq!(journal.insert(&[row(RecordingId::new())]).await.unwrap(), 1);

    server.crash().unwrap();
    let error = journal.insert(&[row(RecordingId::new())]).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unreachable && !error.is_permanent(), "{error}");
    server.start_again().await.unwrap();
    assert_eq!(journal.insert(&[row(RecordingId::new())]).await.unwrap(), 1);
}

/// A table on a disk of its own, and that disk.
fn table_on_small_disk(server: &MariaDb, dir: &TempDir) -> (Box<dyn JournalDb>, SmallDisk) {
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let place = dir.path().join("disk");
    let disk = SmallDisk::mount(&place, 2 << 20).unwrap();
    let columns = "basefilename varchar(200) PRIMARY KEY, direction text, time bigint, callid text, callername text, \
                   caller text, callee text, setting text, signature text";
    let make = format!("CREATE TABLE small ({columns}) DATA DIRECTORY = '{}'", place.display());
    server.sql(&format!("USE {}; {make}", MariaDb::DATABASE)).unwrap();
    (table(server, "small"), disk)
}

/// Writes so many rows at a time until it fails: how many were written, why not more, and which were not.
async fn fill(journal: &dyn JournalDb, at_once: usize) -> (u64, JournalError, Vec<JournalRow>) {
    let mut written = 0;
    loop {
        let batch: Vec<_> = (0..at_once).map(|_| row(RecordingId::new())).collect();
        match journal.insert(&batch).await {
            Ok(rows) => written += rows,
            Err(error) => return (written, error, batch),
        }
    }
}

fn rows_of_small(server: &MariaDb) -> u64 {
    let rows = server.sql(&format!("SELECT count(*) FROM {}.small", MariaDb::DATABASE)).unwrap();
    rows.trim().parse().unwrap()
}

#[tokio::test]
async fn a_full_disk_of_mariadb_is_named_and_the_rows_follow_when_there_is_space() {
    let server = MariaDb::start().await.unwrap();
    let dir = tempfile::Builder::new().prefix("callseal-full-").tempdir().unwrap();
    let (journal, disk) = table_on_small_disk(&server, &dir);
    let (written, error, refused) = fill(&*journal, 5).await;
    assert!(written > 0 && error.kind() == ErrorKind::Full, "after {written} rows: {error}");
    assert!(error.to_string().contains("make space"), "{error}");
    disk.resize(64 << 20).unwrap();
    assert_eq!(journal.insert(&refused).await.unwrap(), 5);
    assert_eq!(rows_of_small(&server), written + 5);
}

/// InnoDB needs space to take many rows back as well, and ends the server when it finds none.
#[tokio::test]
async fn a_mariadb_that_ends_itself_for_want_of_space_has_each_row_once_when_it_is_back() {
    let mut server = MariaDb::start().await.unwrap();
    let dir = tempfile::Builder::new().prefix("callseal-full-").tempdir().unwrap();
    let (journal, disk) = table_on_small_disk(&server, &dir);
    let (written, error, refused) = fill(&*journal, 500).await;
    assert!(matches!(error.kind(), ErrorKind::Full | ErrorKind::Unreachable), "{error}");
    disk.resize(64 << 20).unwrap();
    // It may end itself a moment after it has answered.
    wait::until("the rows to be written", PATIENCE, async || {
        if server.sql("SELECT 1").is_err() {
            server.start_again().await.unwrap();
        }
        journal.insert(&refused).await.ok()
    })
    .await
    .unwrap();
    assert_eq!(rows_of_small(&server), written + 500);
}

#[tokio::test]
async fn a_mariadb_server_killed_in_mid_batch_has_each_row_once_when_it_is_back() {
    let mut server = MariaDb::start().await.unwrap();
    let cable = Cable::to(server.port()).await.unwrap();
    let through = target(&server, "killed", |mysql| mysql.server.port = cable.port());
    let batch = contract::slow_batch(&cable, open(&through)).await;
    server.crash().unwrap();
    server.start_again().await.unwrap();
    contract::is_written_once(batch, &cable, open(&through)).await;
}

/// Begins a connection as a MySQL 8 that has no TLS and whose user has `caching_sha2_password`, and asks for the
/// password itself, as a server does that does not remember it
/// (<https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>).
async fn asks_for_the_password(mut client: TcpStream) -> std::io::Result<Vec<u8>> {
    const PLUGIN: &[u8] = b"caching_sha2_password\0";
    // CLIENT_LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH,
    // PLUGIN_AUTH_LENENC_CLIENT_DATA, DEPRECATE_EOF; without CLIENT_SSL.
    let [a, b, c, d] = (0x0128_a209_u32).to_le_bytes();
    let hello = [
        &b"\x0a8.4.0\0\x01\0\0\0nonce678\0"[..],
        &[a, b, 0xff, 2, 0, c, d, 21],
        &[0; 10],
        b"nonce6789012\0",
        PLUGIN,
    ];
    send(&mut client, 0, &hello.concat()).await?;
    hear(&mut client).await?;
    send(&mut client, 2, &[1, 4]).await?;
    assert_eq!(hear(&mut client).await?, [2], "it asks for the key of the server");
    send(&mut client, 4, b"\x01-----BEGIN PUBLIC KEY-----").await?;
    let mut further = Vec::new();
    client.read_to_end(&mut further).await?;
    Ok(further)
}

async fn send(client: &mut TcpStream, number: u8, payload: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).unwrap() | u32::from(number) << 24;
    client.write_all(&[&length.to_le_bytes(), payload].concat()).await
}

async fn hear(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = client.read_u32_le().await? & 0xff_ffff;
    let mut payload = vec![0; length as usize];
    client.read_exact(&mut payload).await?;
    Ok(payload)
}

#[tokio::test]
async fn a_password_that_mysql_wants_itself_is_not_sent_without_tls_and_that_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move { asks_for_the_password(listener.accept().await.unwrap().0).await });
    let journal = open(&JournalTarget {
        table: "recordings".into(),
        ..journal(JournalDatabase::MySql(described::mysql(port)))
    });
    let error = journal.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginRefused);
    assert!(error.to_string().contains("over TLS alone; set tls to require"), "{error}");
    let sent = server.await.unwrap().unwrap();
    assert!(sent.is_empty() || sent == [1, 0, 0, 0, 1], "nothing but a farewell: {sent:?}");
}
