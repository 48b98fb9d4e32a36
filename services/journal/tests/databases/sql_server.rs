//! Rows in Microsoft SQL Server, as far as the tests' own server is one (`harness::sql_server`).

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use callseal_journal::database::{ErrorKind, JournalDb, Query};
use domain::{
    RecordingId,
    resources::{JournalDatabase, JournalTarget, SqlServerEncryption, SqlServerJournal},
};
use harness::{
    cable::Cable,
    sql_server::{Fault, Offer, SqlServer},
    wait,
};
use wire::recording_v1::JournalRow;

use crate::{
    contract,
    described::{self, journal, open},
    world::row,
};

pub fn target(server: &SqlServer, table: &str, change: impl FnOnce(&mut SqlServerJournal)) -> JournalTarget {
    let mut described = described::sql_server(server.port());
    change(&mut described);
    JournalTarget { table: table.into(), ..journal(JournalDatabase::SqlServer(described)) }
}

fn table(server: &SqlServer, table: &str) -> Box<dyn JournalDb> {
    open(&target(server, table, |_| {}))
}

#[tokio::test]
async fn a_sql_server_keeps_the_contract() {
    let server = SqlServer::start(Offer::Supported).await.unwrap();
    contract::is_kept(&*table(&server, "kept")).await;
    contract::is_kept(&*open(&target(&server, "kept", |journal| journal.schema = Some("other".into()))))
        .await;
    contract::is_read_page_by_page(&*table(&server, "pages")).await;
    contract::further_columns_are_written(&target(&server, "wide", |_| {})).await;
    // Its names are the same in capitals and small letters: so is its lock.
    let opened = AtomicUsize::new(0);
    let names = ["shared", "Shared", "SHARED"];
    contract::many_writers_write_each_row_once(|| {
        table(&server, names[opened.fetch_add(1, Ordering::Relaxed) % names.len()])
    })
    .await;
}

#[tokio::test]
async fn a_cut_connection_to_a_sql_server_costs_no_row_and_doubles_none() {
    let server = SqlServer::start(Offer::Nothing).await.unwrap();
    let cable = Cable::to(server.port()).await.unwrap();
    let through = || open(&target(&server, "cut", |journal| journal.server.port = cable.port()));
    // Two bytes for each letter.
    contract::a_cut_insert_of(2 * contract::LONGEST, &cable, through, &*table(&server, "cut")).await;
}

#[tokio::test]
async fn a_sql_server_that_dies_in_the_middle_of_a_batch_or_before_its_answer_gets_each_row_once() {
    let mut server = SqlServer::start(Offer::Supported).await.unwrap();
    let journal = table(&server, "recordings");
    journal.create_table().await.unwrap();
    let rows = contract::rows(500);

    // Two of five statements of the batch are carried out.
    server.meet("INSERT INTO", 2, Fault::Stall);
    let (writing, batch) = (table(&server, "recordings"), rows.clone());
    let writing = tokio::spawn(async move { writing.insert(&batch).await });
    wait::until("the batch to be half written", Duration::from_secs(60), || async {
        (server.faults_left() == 0).then_some(())
    })
    .await
    .unwrap();
    server.crash().await.unwrap();
    let error = writing.await.unwrap().unwrap_err();
    assert!(error.kind() == ErrorKind::Unreachable && !error.is_permanent(), "{error}");
    let error = journal.insert(&rows[..1]).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unreachable && !error.is_permanent(), "{error}");
    server.start_again().await.unwrap();
    assert_eq!(journal.read(&Query::newest(9)).await.unwrap(), [], "nothing of it is there");

    server.meet("COMMIT", 0, Fault::CutAfter);
    assert_eq!(journal.insert(&rows).await.unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(journal.insert(&rows).await.unwrap(), 0, "all of it was committed");
    assert_eq!(journal.read(&Query::newest(1000)).await.unwrap().len(), 500);
    server.meet("COMMIT", 0, Fault::CutBefore);
    let more = contract::rows(3);
    assert_eq!(journal.insert(&more).await.unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(journal.insert(&more).await.unwrap(), 3);
}

#[tokio::test]
async fn what_a_sql_server_refuses_is_said_in_words_and_the_next_row_is_written() {
    let server = SqlServer::start(Offer::Supported).await.unwrap();
    let journal = table(&server, "recordings");
    journal.create_table().await.unwrap();
    let refused = [
        ("INSERT", 1205, ErrorKind::Busy, "in the way"),
        ("SELECT j.", 1205, ErrorKind::Busy, "in the way"),
        ("COMMIT", 1222, ErrorKind::Busy, "in the way"),
        ("INSERT", 2627, ErrorKind::Row, "constraints"),
        ("INSERT", 8152, ErrorKind::Row, "lengths"),
        ("INSERT", 1105, ErrorKind::Full, "make space"),
        ("COMMIT", 9002, ErrorKind::Full, "back up the log"),
        ("INSERT", 3906, ErrorKind::Denied, "Name the primary"),
        ("INSERT", 229, ErrorKind::Denied, "grant SELECT and INSERT"),
        ("BEGIN", 40_613, ErrorKind::Unreachable, "not ready"),
        ("INSERT", 50_000, ErrorKind::Other, "50000"),
    ]
    .map(|(statement, number, kind, words)| (statement, Fault::Error(number), kind, words));
    // What the procedure returns: timed out, victim of a deadlock, called wrongly.
    let unlocked = [
        (-1, ErrorKind::Busy, "another writer"),
        (-3, ErrorKind::Busy, "another writer"),
        (-999, ErrorKind::Other, "gives no lock by sp_getapplock, which returns -999"),
    ]
    .map(|(number, kind, words)| (" sp_getapplock ", Fault::Number(number), kind, words));
    for (statement, fault, kind, words) in refused.into_iter().chain(unlocked) {
        let row = row(RecordingId::new());
        server.meet(statement, 0, fault);
        let error = journal.insert(std::slice::from_ref(&row)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{fault:?}: {error}");
        assert!(error.to_string().contains(words), "{fault:?}: {error}");
        assert_eq!(journal.insert(&[row]).await.unwrap(), 1, "{fault:?}");
    }
    // Somebody else makes the table between the look and the making.
    for word in ["CREATE TABLE", "CREATE INDEX"] {
        server.meet(word, 0, Fault::Error(if word == "CREATE TABLE" { 2714 } else { 1913 }));
    }
    let made = table(&server, "elsewhere");
    assert_eq!(made.create_table().await.unwrap_err().kind(), ErrorKind::NoTable, "nobody did, after all");
    made.create_table().await.unwrap();
    let nowhere = open(&target(&server, "recordings", |journal| journal.schema = Some("nowhere".into())));
    let error = nowhere.create_table().await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::Description && error.to_string().contains("no such schema"),
        "{error}"
    );
}

#[tokio::test]
async fn tables_that_old_systems_made_are_used_in_a_sql_server_or_it_is_said_why_not() {
    let server = SqlServer::start(Offer::Supported).await.unwrap();
    let rest = "direction varchar(9), \"time\" bigint, callid varchar(99), callername nvarchar(9), caller varchar(40), \
                callee ntext, setting nchar(20), signature text";
    server
        .sql(&format!(
            "CREATE TABLE old (basefilename nchar(200), {rest}, number int, place varchar(9) not null default 'x');
             CREATE TABLE older (basefilename ntext, {rest});
             CREATE TABLE western (basefilename varchar(200), {rest});
             CREATE TABLE narrow (basefilename nvarchar(20), {rest});
             CREATE TABLE one (basefilename nvarchar(200) UNIQUE, {rest}, CHECK (direction <> 'out'));
             CREATE TABLE demanding (basefilename nvarchar(200), {rest}, place varchar(9) not null);
             CREATE TABLE lacking (basefilename nvarchar(200));"
        ))
        .await
        .unwrap();
    for name in ["old", "older", "western", "one"] {
        let journal = table(&server, name);
        journal.check().await.unwrap();
        journal.create_table().await.unwrap();
        let mut written = row(RecordingId::new());
        (written.caller_name, written.callee) = ("Öl 📞".into(), "Анна".into());
        assert_eq!(journal.insert(std::slice::from_ref(&written)).await.unwrap(), 1, "{name}");
        assert_eq!(journal.insert(std::slice::from_ref(&written)).await.unwrap(), 0, "{name}");
        let [read] = &mut journal.read(&Query::newest(9)).await.unwrap()[..] else {
            panic!("{name}: one row")
        };
        // Filled up with blanks.
        read.setting.truncate(read.setting.trim_end().len());
        let texts = |row: &JournalRow| {
            [&row.base_file_name, &row.caller_name, &row.callee, &row.setting, &row.signature]
                .map(Clone::clone)
        };
        assert_eq!(texts(read), texts(&written), "{name}");
        assert_eq!(*read, written, "{name}");

        let mut long = row(RecordingId::new());
        long.caller_name = "longer than nine letters".into();
        let error = journal.insert(std::slice::from_ref(&long)).await.unwrap_err();
        assert!(error.concerns_row() && error.to_string().contains("2628"), "{error}");
        assert!(!format!("{error} {error:?}").contains("nine letters"), "{error:?}");
    }
    for (name, words) in
        [("demanding", "wants a value in the column place"), ("lacking", "lacks the columns direction")]
    {
        let error = table(&server, name).check().await.unwrap_err();
        assert!(error.kind() == ErrorKind::Columns && error.to_string().contains(words), "{error}");
    }
    let mut out = row(RecordingId::new());
    (out.direction, out.caller_name) = ("out".into(), "Öl".into());
    let error = table(&server, "one").insert(&[out]).await.unwrap_err();
    assert!(error.concerns_row() && error.to_string().contains("547"), "{error}");
    let error = table(&server, "narrow").insert(&[row(RecordingId::new())]).await.unwrap_err();
    assert!(error.concerns_row() && error.to_string().contains("2628"), "{error}");

    // A code page of western Europe has no Cyrillic letters: the row could not be found again.
    let western = table(&server, "western");
    let mut cyrillic = row(RecordingId::new());
    cyrillic.caller_name = "Анна".into();
    cyrillic.base_file_name = format!("Анна {}", cyrillic.base_file_name);
    let error = western.insert(std::slice::from_ref(&cyrillic)).await.unwrap_err();
    assert!(error.concerns_row() && error.to_string().contains("changes the base file name"), "{error}");
    assert_eq!(western.read(&Query::newest(9)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_said_to_a_sql_server_is_what_is_written_down_here() {
    let server = SqlServer::start(Offer::Supported).await.unwrap();
    let journal = table(&server, "recordings");
    journal.create_table().await.unwrap();
    let (told, row) = (server.statements().len(), row(RecordingId::new()));
    assert_eq!(journal.insert(std::slice::from_ref(&row)).await.unwrap(), 1);
    journal.read(&Query { rule: Some(row.setting.clone()), ..Query::newest(7) }).await.unwrap();
    let said = server.statements();
    insta::assert_snapshot!("sql_server_made", said[..told].join("\n"));
    insta::assert_snapshot!("sql_server_written", said[told..].join("\n"));
    for value in [&row.base_file_name, &row.caller, &row.setting] {
        assert!(!said.iter().any(|statement| statement.contains(value)), "values go apart");
    }
}

#[tokio::test]
async fn a_cut_connection_with_tls_costs_no_row_and_doubles_none() {
    let server = SqlServer::start(Offer::Required).await.unwrap();
    let cable = Cable::to(server.port()).await.unwrap();
    let ca = server.ca().unwrap();
    let beside = table(&server, "cut");
    beside.create_table().await.unwrap();
    let (mut written, mut cut) = (0, 0);
    // Closely through the handshake.
    for bytes in (0..900).step_by(23).chain((900..12_000).step_by(397)) {
        let row = row(RecordingId::new());
        let journal = open(&target(&server, "cut", |journal| {
            journal.server.port = cable.port();
            journal.server.ca_certificate = Some(ca.clone());
            journal.encrypt = SqlServerEncryption::Required;
        }));
        cable.cut_after(bytes, || true);
        if let Err(error) = journal.insert(std::slice::from_ref(&row)).await {
            assert!(!error.is_permanent(), "a cut connection is not for ever: {error}");
            cut += 1;
            wait::until("the row to be written", Duration::from_secs(60), || async {
                journal.insert(std::slice::from_ref(&row)).await.ok()
            })
            .await
            .unwrap();
        }
        written += 1;
    }
    assert!(cut > 0 && cut < written, "{cut} of {written} were cut: too short or too long");
    assert_eq!(beside.read(&Query::newest(1000)).await.unwrap().len(), written);
}
