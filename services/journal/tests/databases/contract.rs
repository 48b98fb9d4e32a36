//! The same expectations of every kind of database.

use std::time::Duration;

use callseal_journal::database::{ErrorKind, JournalDb, JournalError, Place, Proven, Query};
use domain::{
    RecordingId,
    resources::{ExtraColumn, JournalTarget},
};
use futures::future::join_all;
use harness::{cable::Cable, wait};
use tokio::task::JoinHandle;
use wire::recording_v1::JournalRow;

use crate::{described::open, world::row};

/// Texts that databases have stumbled over.
const ODD: [&str; 7] = [
    "Jürgen Müßig-Öztürk",
    "📞 Анна 李雷",
    "O'Brien; \"DROP TABLE\" -- /*",
    "back\\slash %_ `tick` [bracket]",
    "two\nlines\tand a tab",
    " spaces at both ends ",
    "",
];

/// Rows, each of a recording of its own, a second apart.
pub fn rows(count: usize) -> Vec<JournalRow> {
    let moved = |number: usize| {
        let mut row = row(RecordingId::new());
        row.time_unix_ms += 1000 * number as i64;
        row
    };
    (0..count).map(moved).collect()
}

fn sorted(mut rows: Vec<JournalRow>) -> Vec<JournalRow> {
    rows.sort_by(|a, b| a.base_file_name.cmp(&b.base_file_name));
    rows
}

/// Makes the table, writes, writes again, reads.
pub async fn is_kept(journal: &dyn JournalDb) {
    assert_eq!(journal.check().await.unwrap_err().kind(), ErrorKind::NoTable);
    assert_eq!(journal.insert(&rows(1)).await.unwrap_err().kind(), ErrorKind::NoTable);
    assert_eq!(journal.probe().await.unwrap_err().kind(), ErrorKind::NoTable);
    journal.create_table().await.unwrap();
    journal.create_table().await.unwrap();
    journal.check().await.unwrap();
    assert_eq!(journal.probe().await.unwrap(), Proven::Writing);
    assert_eq!(journal.read(&Query::newest(9)).await.unwrap(), [], "what was tried is taken back");

    let mut rows = rows(ODD.len());
    for (row, odd) in rows.iter_mut().zip(ODD) {
        row.caller_name = odd.into();
        row.setting = format!("{odd}!");
    }
    assert_eq!(journal.insert(&rows[..1]).await.unwrap(), 1);
    assert_eq!(journal.insert(&rows).await.unwrap(), rows.len() as u64 - 1, "the first is there already");
    assert_eq!(journal.insert(&rows).await.unwrap(), 0);
    assert_eq!(sorted(journal.read(&Query::newest(100)).await.unwrap()), sorted(rows.clone()));
    assert_eq!(journal.insert(&[]).await.unwrap(), 0);

    let mut nul = row(RecordingId::new());
    nul.caller_name = "a\0b".into();
    assert_eq!(journal.insert(&[nul.clone(), nul.clone()]).await.unwrap(), 1, "twice in one breath");
    assert_eq!(journal.insert(&[nul.clone()]).await.unwrap(), 0);
    let of_rule = Query { rule: Some("desk".into()), ..Query::newest(10) };
    let read = journal.read(&of_rule).await.unwrap();
    assert_eq!(read, [JournalRow { caller_name: "a\u{FFFD}b".into(), ..nul }]);
}

/// A name in a column of a fixed width comes back with blanks behind it: it is the same all the same.
pub async fn a_padded_name_is_known_again(journal: &dyn JournalDb) {
    let rows = rows(5);
    assert_eq!(journal.insert(&rows).await.unwrap(), 5);
    assert_eq!(journal.insert(&rows).await.unwrap(), 0);
    let names =
        |rows: &[JournalRow]| -> Vec<String> { rows.iter().map(|row| row.base_file_name.clone()).collect() };
    let (mut read, mut query) = (Vec::new(), Query::newest(2));
    loop {
        let page = journal.read(&query).await.unwrap();
        let Some(last) = page.last() else { break };
        query.after = Some(Place::from(last));
        read.extend(page);
    }
    read.reverse();
    assert_eq!(names(&read), names(&rows), "page by page, each once");
}

/// Ten thousand rows, page by page, and what a reader may ask for.
pub async fn is_read_page_by_page(journal: &dyn JournalDb) {
    journal.create_table().await.unwrap();
    let mut rows = rows(10_000);
    for (number, row) in rows.iter_mut().enumerate() {
        // Some at the same time: the name tells which comes first.
        row.time_unix_ms -= row.time_unix_ms % 5000;
        row.direction = if number % 2 == 0 { "in" } else { "out" }.into();
        row.caller = format!("+49703{number:06}");
        row.callee = format!("+49221{number:06}");
        row.setting = format!("rule {}", number % 10);
    }
    for batch in rows.chunks(500) {
        assert_eq!(journal.insert(batch).await.unwrap(), batch.len() as u64);
    }
    let newest_first = |rows: &mut Vec<JournalRow>| {
        rows.sort_by(|a, b| (b.time_unix_ms, &b.base_file_name).cmp(&(a.time_unix_ms, &a.base_file_name)));
    };
    newest_first(&mut rows);

    let (mut read, mut query) = (Vec::new(), Query::newest(1_300));
    loop {
        let page = journal.read(&query).await.unwrap();
        let Some(last) = page.last() else { break };
        query.after = Some(Place::from(last));
        read.extend(page);
    }
    assert!(read == rows, "{} rows are read", read.len());

    let asked = |query: Query, wanted: &dyn Fn(&JournalRow) -> bool| {
        let wanted: Vec<_> = rows.iter().filter(|row| wanted(row)).cloned().collect();
        async move {
            assert!(!wanted.is_empty());
            assert!(journal.read(&query).await.unwrap() == wanted, "{query:?}");
        }
    };
    let all = Query::newest(20_000);
    let (from, before) = (rows[7_000].time_unix_ms, rows[2_000].time_unix_ms);
    asked(Query { from_unix_ms: Some(from), before_unix_ms: Some(before), ..all.clone() }, &|row| {
        (from..before).contains(&row.time_unix_ms)
    })
    .await;
    asked(Query { direction: Some("out".into()), ..all.clone() }, &|row| row.direction == "out").await;
    for party in ["+49703004711", "+49221000815"] {
        let query = Query { caller_or_callee: Some(party.to_owned()), ..all.clone() };
        asked(query, &|row| row.caller == party || row.callee == party).await;
    }
    asked(Query { rule: Some("rule 3".into()), direction: Some("out".into()), ..all }, &|row| {
        row.setting == "rule 3"
    })
    .await;
}

/// Several replicas, each with the same rows and a connection of its own; the table has no key.
pub async fn many_writers_write_each_row_once(open: impl Fn() -> Box<dyn JournalDb>) {
    open().create_table().await.unwrap();
    let rows = rows(30);
    let writers = (0..6).map(|_| {
        let (journal, rows) = (open(), rows.clone());
        async move {
            let mut written = 0;
            for batch in rows.chunks(3) {
                written += journal.insert(batch).await.unwrap();
            }
            written
        }
    });
    let written: u64 = join_all(writers).await.into_iter().sum();
    assert_eq!((written, open().read(&Query::newest(100)).await.unwrap().len()), (30, 30));
}

/// The connection is cut when it has carried so many bytes, from the login to behind the insert; what was
/// to be written is written again, as the journal does, and is there once.
pub async fn a_cut_insert_is_there_once(
    cable: &Cable,
    through: impl Fn() -> Box<dyn JournalDb>,
    beside: &dyn JournalDb,
) {
    a_cut_insert_of(LONGEST, cable, through, beside).await;
}

/// The same where login and insert take other than [`LONGEST`] bytes.
pub async fn a_cut_insert_of(
    longest: u64,
    cable: &Cable,
    through: impl Fn() -> Box<dyn JournalDb>,
    beside: &dyn JournalDb,
) {
    beside.create_table().await.unwrap();
    let step = if std::env::var_os("ALL_CUTS").is_some() {
        1
    } else {
        // Odd, whatever the length.
        (SOME_CUTS * (longest / LONGEST) as usize) | 1
    };
    let (mut all, mut cut) = (Vec::new(), 0);
    for bytes in (0..longest).step_by(step) {
        let (row, journal) = (row(RecordingId::new()), through());
        cable.cut_after(bytes, || true);
        if let Err(error) = journal.insert(std::slice::from_ref(&row)).await {
            // A network that broke is no reason to wait for a person.
            assert!(!error.is_permanent(), "after {bytes} bytes: {error}");
            cut += 1;
        }
        wait::until("the row to be written", Duration::from_secs(60), || async {
            journal.insert(std::slice::from_ref(&row)).await.ok()
        })
        .await
        .unwrap();
        all.push(row);
    }
    assert!(cut > 0 && (cut as usize) < all.len(), "{cut} of {} were cut: too short or too long", all.len());
    assert_eq!(sorted(beside.read(&Query::newest(10_000)).await.unwrap()), sorted(all));
}

/// A batch on its way over a line so slow that whatever happens within the next seconds happens in its middle.
pub async fn slow_batch(cable: &Cable, through: Box<dyn JournalDb>) -> (SlowBatch, Vec<JournalRow>) {
    through.create_table().await.unwrap();
    let rows = rows(500);
    let batch = rows.clone();
    cable.slow(Some(20_000));
    let writing = tokio::spawn(async move { through.insert(&batch).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!writing.is_finished(), "the batch is shorter than a second of the line");
    (writing, rows)
}

pub type SlowBatch = JoinHandle<Result<u64, JournalError>>;

/// Its server has died and is back: nothing of the batch is lost, and nothing is there twice.
pub async fn is_written_once(
    batch: (SlowBatch, Vec<JournalRow>),
    cable: &Cable,
    through: Box<dyn JournalDb>,
) {
    let (writing, rows) = batch;
    let error = writing.await.unwrap().unwrap_err();
    assert!(!error.is_permanent(), "{error}");
    cable.slow(None);
    wait::until("the batch to be written", Duration::from_secs(60), || async {
        through.insert(&rows).await.ok()
    })
    .await
    .unwrap();
    assert_eq!(sorted(through.read(&Query::newest(10_000)).await.unwrap()), sorted(rows));
}

/// A table with all further columns is made, written, and used without them as well.
pub async fn further_columns_are_written(target: &JournalTarget) {
    let wide = open(&JournalTarget { extra_columns: ExtraColumn::ALL.into(), ..target.clone() });
    wide.create_table().await.unwrap();
    wide.check().await.unwrap();
    let mut rows = rows(2);
    for row in &mut rows {
        row.recording_id = RecordingId::new().to_string();
        row.tenant = "acme".into();
        (row.duration_ms, row.sha256, row.interrupted) =
            (61_234, "ab".repeat(32), "the recorder stopped".into());
    }
    assert_eq!(wide.insert(&rows[..1]).await.unwrap(), 1);
    assert_eq!(wide.insert(&rows[..1]).await.unwrap(), 0);
    let usual = open(target);
    usual.check().await.unwrap();
    assert_eq!(usual.insert(&rows).await.unwrap(), 1);
    assert_eq!(usual.read(&Query::newest(9)).await.unwrap().len(), 2);
}

/// Bytes that login and insert of one row take together, at most.
pub const LONGEST: u64 = 3_000;

/// Every so many of them are tried, a prime number; with `ALL_CUTS=1` all are.
const SOME_CUTS: usize = 23;
