//! A real Apache Derby server.

use std::{fs, process::Command};

use callseal_journal::database::{ErrorKind, JournalDb, Query};
use domain::{
    RecordingId,
    resources::{DatabaseTls, DerbyJournal, JournalDatabase, JournalTarget},
};
use harness::{cable::Cable, derby::Derby, small_disk::SmallDisk, wait};

use crate::{
    contract,
    described::{self, journal, open},
    world::{PATIENCE, row},
};

/// Bytes that login and insert take together with TLS, at most.
const TLS_LONGEST: u64 = 9_000;

fn target(server: &Derby, table: &str, change: impl FnOnce(&mut DerbyJournal)) -> JournalTarget {
    let mut derby = described::derby(server.port());
    change(&mut derby);
    JournalTarget { table: table.into(), ..journal(JournalDatabase::Derby(derby)) }
}

fn table(server: &Derby, table: &str) -> Box<dyn JournalDb> {
    open(&target(server, table, |_| {}))
}

#[tokio::test]
async fn a_derby_server_keeps_the_contract_and_ij_reads_what_was_written() {
    let server = Derby::start().await.unwrap();
    contract::is_kept(&*table(&server, "kept")).await;
    contract::is_kept(&*open(&target(&server, "kept", |derby| derby.schema = Some("other".into())))).await;
    contract::is_read_page_by_page(&*table(&server, "pages")).await;
    contract::many_writers_write_each_row_once(|| table(&server, "shared")).await;
    contract::further_columns_are_written(&target(&server, "wide", |_| {})).await;
    let said = server.ij("SELECT callername FROM kept; SELECT COUNT(*) FROM pages;").unwrap();
    for text in ["Jürgen Müßig-Öztürk", "📞 Анна 李雷", "O'Brien; \"DROP TABLE\" -- /*", "10000"]
    {
        assert!(said.contains(text), "{text} in {said}");
    }
}

#[tokio::test]
async fn tables_that_old_systems_made_are_used_in_derby_or_it_is_said_why_not() {
    let server = Derby::start().await.unwrap();
    let rest = "direction varchar(9), \"TIME\" bigint, callid varchar(99), callername varchar(9), caller varchar(40), \
                callee varchar(40), setting varchar(99), signature";
    let said = server
        .ij(&format!(
            "CREATE TABLE old (basefilename varchar(250), {rest} clob, id bigint not null generated always as identity, \
             note varchar(9) not null default 'x'); \
             CREATE TABLE demanding (basefilename varchar(250), {rest} clob, place varchar(9) not null); \
             CREATE TABLE large (basefilename clob, {rest} clob); CREATE TABLE lacking (basefilename varchar(250));"
        ))
        .unwrap();
    assert!(!said.contains("ERROR"), "{said}");
    let old = table(&server, "old");
    old.check().await.unwrap();
    old.create_table().await.unwrap();
    let mut written = row(RecordingId::new());
    written.caller_name = "Öl".into();
    assert_eq!(old.insert(std::slice::from_ref(&written)).await.unwrap(), 1);
    assert_eq!(old.insert(std::slice::from_ref(&written)).await.unwrap(), 0);
    assert_eq!(old.read(&Query::newest(9)).await.unwrap(), [written]);
    for (name, words) in [
        ("demanding", "wants a value in the column PLACE"),
        ("large", "a column of another type"),
        ("lacking", "lacks the columns direction"),
    ] {
        let error = table(&server, name).check().await.unwrap_err();
        assert!(error.kind() == ErrorKind::Columns && error.to_string().contains(words), "{error}");
    }
    let mut long = row(RecordingId::new());
    long.caller_name = "longer than nine letters".into();
    let error = old.insert(std::slice::from_ref(&long)).await.unwrap_err();
    assert!(error.concerns_row() && error.to_string().contains("22001"), "{error}");
    assert!(!format!("{error} {error:?}").contains("nine letters"), "{error:?}");
    assert_eq!(old.read(&Query::newest(9)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_cut_connection_to_a_derby_server_costs_no_row_and_doubles_none() {
    let server = Derby::start().await.unwrap();
    let cable = Cable::to(server.port()).await.unwrap();
    let through = || {
        open(&target(&server, "cut", |derby| {
            derby.server.port = cable.port();
            derby.tls = DatabaseTls::Disable;
        }))
    };
    contract::a_cut_insert_is_there_once(&cable, through, &*table(&server, "cut")).await;
}

#[tokio::test]
async fn a_cut_connection_with_tls_to_a_derby_server_costs_no_row_and_doubles_none() {
    let server = Derby::start_with_tls().await.unwrap();
    let cable = Cable::to(server.port()).await.unwrap();
    let with = |port: u16| {
        open(&target(&server, "cut", |derby| {
            derby.server.port = port;
            derby.tls = DatabaseTls::Require;
        }))
    };
    contract::a_cut_insert_of(TLS_LONGEST, &cable, || with(cable.port()), &*with(server.port())).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_derby_journal_is_said_in_words_and_without_secrets() {
    let mut server = Derby::start().await.unwrap();
    let with = |change: &dyn Fn(&mut DerbyJournal)| open(&target(&server, "recordings", change));
    with(&|_| {}).create_table().await.unwrap();
    for (journal, kind, words) in [
        (
            with(&|derby| derby.server.password = Some("hunter2".into())),
            ErrorKind::LoginRefused,
            "refuses the login",
        ),
        (
            with(&|derby| derby.server.database = "nowhere".into()),
            ErrorKind::NoDatabase,
            "no database of this name",
        ),
        (with(&|derby| derby.tls = DatabaseTls::Require), ErrorKind::Denied, "-ssl basic"),
        (with(&|derby| derby.schema = Some("nowhere".into())), ErrorKind::NoTable, "journal-init"),
    ] {
        let error = journal.insert(&[row(RecordingId::new())]).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words) && error.is_permanent(), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let journal = with(&|_| {});
    assert_eq!(journal.insert(&[row(RecordingId::new())]).await.unwrap(), 1);
    server.crash().unwrap();
    let error = journal.insert(&[row(RecordingId::new())]).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unreachable && !error.is_permanent(), "{error}");
    server.start_again().await.unwrap();
    assert_eq!(journal.insert(&[row(RecordingId::new())]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_derby_journal_with_tls_is_written_if_its_certificate_is_of_the_authority() {
    let server = Derby::start_with_tls().await.unwrap();
    let ca = server.ca().unwrap();
    let with = |tls: DatabaseTls, ca: Option<&String>| {
        open(&target(&server, "recordings", |derby| {
            derby.tls = tls;
            derby.server.ca_certificate = ca.cloned();
        }))
    };
    contract::is_kept(&*with(DatabaseTls::VerifyFull, Some(&ca))).await;
    for tls in [DatabaseTls::Prefer, DatabaseTls::Require] {
        assert_eq!(with(tls, None).insert(&[row(RecordingId::new())]).await.unwrap(), 1);
    }
    let error = with(DatabaseTls::VerifyFull, None).insert(&[row(RecordingId::new())]).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Denied && error.to_string().contains("certificate"), "{error}");
}

/// Moves the database to a disk of so many bytes.
async fn move_to_small_disk(server: &mut Derby, bytes: u64) -> SmallDisk {
    server.stop().unwrap();
    let (database, aside) = (server.database(), server.database().with_extension("aside"));
    fs::rename(&database, &aside).unwrap();
    let disk = SmallDisk::mount(&database, bytes).unwrap();
    let copied = Command::new("cp").arg("-a").arg(aside.join(".")).arg(&database).status().unwrap();
    assert!(copied.success(), "the database does not fit");
    server.start_again().await.unwrap();
    disk
}

#[tokio::test]
async fn a_full_disk_of_derby_is_named_and_the_rows_follow_when_there_is_space() {
    let mut server = Derby::start().await.unwrap();
    let journal = table(&server, "small");
    journal.create_table().await.unwrap();
    let disk = move_to_small_disk(&mut server, 8 << 20).await;
    let mut written = Vec::new();
    let (error, refused) = loop {
        let batch: Vec<_> = (0..500).map(|_| row(RecordingId::new())).collect();
        match journal.insert(&batch).await {
            Ok(rows) => {
                assert_eq!(rows, 500);
                written.extend(batch);
            }
            Err(error) => break (error, batch),
        }
    };
    assert!(!written.is_empty(), "{error}");
    assert!(error.kind() == ErrorKind::Full && error.to_string().contains("make space"), "{error}");
    disk.resize(256 << 20).unwrap();
    let count = wait::until("Derby to take rows again", PATIENCE, || async {
        let rows = journal.insert(&refused).await.inspect_err(|error| eprintln!("still: {error}")).ok()?;
        Some(rows)
    });
    count.await.unwrap();
    written.extend(refused);
    let mut names: Vec<_> = written.into_iter().map(|row| row.base_file_name).collect();
    names.sort();
    let mut kept: Vec<_> = journal
        .read(&Query::newest(100_000))
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.base_file_name)
        .collect();
    kept.sort();
    assert!(kept == names, "{} rows, {} written", kept.len(), names.len());
}

#[tokio::test]
async fn who_may_only_read_in_derby_is_told_so() {
    let reader = "derby.user.reader=reader\nderby.database.readOnlyAccessUsers=reader";
    let server = Derby::start_with(reader).await.unwrap();
    table(&server, "calls").create_table().await.unwrap();
    let journal = open(&target(&server, "calls", |derby| {
        (derby.server.user, derby.server.password) = ("reader".into(), Some("reader".into()));
        derby.schema = Some(Derby::USER.into());
    }));
    journal.check().await.unwrap();
    for error in
        [journal.probe().await.unwrap_err(), journal.insert(&[row(RecordingId::new())]).await.unwrap_err()]
    {
        assert!(error.kind() == ErrorKind::Denied && error.is_permanent(), "{error}");
        assert!(error.to_string().contains("read"), "{error}");
    }
}

#[tokio::test]
async fn a_derby_server_killed_in_mid_batch_has_each_row_once_when_it_is_back() {
    let mut server = Derby::start().await.unwrap();
    let cable = Cable::to(server.port()).await.unwrap();
    let through = target(&server, "killed", |derby| derby.server.port = cable.port());
    let batch = contract::slow_batch(&cable, open(&through)).await;
    server.crash().unwrap();
    server.start_again().await.unwrap();
    contract::is_written_once(batch, &cable, open(&through)).await;
}
