use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex},
    time::Duration,
};

use tempfile::TempDir;

use super::*;

type Durable = Arc<Mutex<Vec<u64>>>;

fn open(dir: &TempDir) -> (Spool, Durable) {
    let durable = Durable::default();
    let sink = durable.clone();
    let on_durable = Box::new(move |tickets: &[u64]| sink.lock().unwrap().extend(tickets));
    (reopen(dir, on_durable), durable)
}

/// The former owner's thread lets go of the lock a moment after its last handle is dropped.
fn reopen(dir: &TempDir, on_durable: OnDurable) -> Spool {
    let mut on_durable = Some(on_durable);
    for _ in 0..6_000 {
        let probe = File::options().create(true).append(true).open(dir.path().join(LOCK_FILE)).unwrap();
        if probe.try_lock().is_ok() {
            drop(probe);
            return Spool::open(dir.path(), Metrics::new("test"), on_durable.take().unwrap()).unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the lock is still held");
}

fn record(n: u64) -> Record {
    Record { subject: format!("calls.00.a.{n}"), id: n.to_string(), payload: vec![n as u8; 1_000].into() }
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn append(spool: &Spool, durable: &Durable, range: std::ops::Range<u64>) {
    let want = durable.lock().unwrap().len() + (range.end - range.start) as usize;
    range.for_each(|n| spool.append(record(n), n).unwrap());
    until("all durable", || durable.lock().unwrap().len() == want).await;
}

async fn read_all(reader: &mut SpoolReader) -> Vec<(u64, Record)> {
    let mut all = Vec::new();
    loop {
        let (segment, records) = reader.read().await.unwrap();
        if records.is_empty() {
            return all;
        }
        all.extend(records.into_iter().map(|record| (segment, record)));
    }
}

fn files(dir: &TempDir) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap() != LOCK_FILE);
    files.sort();
    files
}

#[tokio::test]
async fn what_is_durable_is_read_in_order_by_the_next_run_and_deleted_when_acknowledged() {
    let dir = TempDir::new().unwrap();
    let (spool, durable) = open(&dir);
    append(&spool, &durable, 0..300).await;
    assert_eq!(fs::metadata(&files(&dir)[0]).unwrap().permissions().mode() & 0o777, 0o600);
    drop(spool);
    let (spool, durable) = open(&dir);
    append(&spool, &durable, 300..310).await;
    assert!(spool.size_bytes() > 310_000);
    let mut reader = spool.reader();
    let all = read_all(&mut reader).await;
    assert_eq!(
        all.iter().map(|(_, r)| r.clone()).collect::<Vec<_>>(),
        (0..310).map(record).collect::<Vec<_>>()
    );
    assert_eq!(files(&dir).len(), 2);
    let old = tokio::spawn({
        let spool = spool.clone();
        async move { spool.old_delivered().await }
    });
    for (segment, _) in &all[..299] {
        reader.acknowledged(*segment);
    }
    // When this is written all that was said to the writer before has had its effect.
    append(&spool, &durable, 310..311).await;
    assert!(!old.is_finished(), "one of the old segment is not acknowledged");
    let further = read_all(&mut reader).await;
    further.iter().for_each(|(segment, _)| reader.acknowledged(*segment));
    all[299..].iter().for_each(|(segment, _)| reader.acknowledged(*segment));
    old.await.unwrap();
    until("all segments deleted", || files(&dir).is_empty()).await;
    until("an empty spool", || spool.size_bytes() == 0).await;
    append(&spool, &durable, 311..312).await;
    assert_eq!(read_all(&mut reader).await.len(), 1, "writing goes on after the active segment was deleted");
}

#[tokio::test]
async fn a_torn_end_is_cut_and_what_is_before_it_is_delivered() {
    let dir = TempDir::new().unwrap();
    let (spool, durable) = open(&dir);
    append(&spool, &durable, 0..10).await;
    drop(spool);
    let file = files(&dir).remove(0);
    let length = fs::metadata(&file).unwrap().len();
    File::options().write(true).open(&file).unwrap().set_len(length - 17).unwrap();
    // A segment that was made and not yet written.
    fs::write(dir.path().join("0000000000000007.spool"), b"").unwrap();
    fs::write(dir.path().join("0000000000000008.spool"), b"CSPO").unwrap();
    let (spool, _) = open(&dir);
    let mut reader = spool.reader();
    let all = read_all(&mut reader).await;
    assert_eq!(
        all.iter().map(|(_, r)| r.id.as_str()).collect::<Vec<_>>(),
        ["0", "1", "2", "3", "4", "5", "6", "7", "8"]
    );
    all.iter().for_each(|(segment, _)| reader.acknowledged(*segment));
    until("all segments deleted", || files(&dir).is_empty()).await;
    spool.old_delivered().await;
}

#[tokio::test]
async fn a_damaged_segment_is_delivered_as_far_as_possible_and_kept() {
    let dir = TempDir::new().unwrap();
    let (spool, durable) = open(&dir);
    append(&spool, &durable, 0..10).await;
    drop(spool);
    let file = files(&dir).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    bytes[16 + record(0).size() as usize + 100] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (spool, _) = open(&dir);
    let mut reader = spool.reader();
    let all = read_all(&mut reader).await;
    assert_eq!(all.len(), 9);
    all.iter().for_each(|(segment, _)| reader.acknowledged(*segment));
    until("kept under another name", || files(&dir).iter().all(|f| f.extension().unwrap() == "damaged"))
        .await;
    assert_eq!(spool.shared.metrics.spool_damaged.get(), 1);
}

#[tokio::test]
async fn a_second_process_cannot_use_the_same_spool() {
    let dir = TempDir::new().unwrap();
    let (_spool, _) = open(&dir);
    let second = Spool::open(dir.path(), Metrics::new("second"), Box::new(|_| {}));
    assert!(matches!(second, Err(BusError::SpoolInUse { .. })));
}

#[tokio::test]
async fn many_segments_are_written_and_read_while_writing() {
    let dir = TempDir::new().unwrap();
    let (spool, durable) = open(&dir);
    let mut reader = spool.reader();
    let mut seen = Vec::new();
    for round in 0..40_u64 {
        // 40 × 1 MiB: over two segments.
        (0..16).for_each(|n| {
            let payload = vec![7_u8; 1 << 16].into();
            let n = round * 16 + n;
            spool.append(Record { subject: "s".into(), id: n.to_string(), payload }, n).unwrap();
        });
        for (segment, record) in read_all(&mut reader).await {
            seen.push(record.id.parse::<u64>().unwrap());
            reader.acknowledged(segment);
        }
    }
    until("all durable", || durable.lock().unwrap().len() == 640).await;
    for (segment, record) in read_all(&mut reader).await {
        seen.push(record.id.parse::<u64>().unwrap());
        reader.acknowledged(segment);
    }
    assert_eq!(seen, (0..640).collect::<Vec<_>>());
    until("all segments deleted", || files(&dir).is_empty()).await;
}

#[tokio::test]
async fn delivered_segments_are_deleted_while_the_disk_takes_nothing() {
    let dir = TempDir::new().unwrap();
    let (spool, durable) = open(&dir);
    append(&spool, &durable, 0..3).await;
    drop(spool);
    let (spool, durable) = open(&dir);
    let old = files(&dir).remove(0);
    // Stands for a full disk: no segment can be made.
    let in_the_way: Vec<_> = (2..500).map(|n| dir.path().join(format!("{n:016}.spool"))).collect();
    in_the_way.iter().for_each(|path| fs::write(path, b"").unwrap());
    spool.append(record(3), 3).unwrap();
    until("the disk fails", || spool.is_failing()).await;
    let mut reader = spool.reader();
    for (segment, _) in read_all(&mut reader).await {
        reader.acknowledged(segment);
    }
    until("room was made", || !old.exists()).await;
    spool.append(record(4), 4).unwrap();
    in_the_way.iter().for_each(|path| fs::remove_file(path).unwrap());
    until("what waited is written", || *durable.lock().unwrap() == [3, 4]).await;
    let ids: Vec<String> = read_all(&mut reader).await.into_iter().map(|(_, record)| record.id).collect();
    assert_eq!(ids, ["3", "4"]);
}

#[tokio::test]
async fn a_segment_that_cannot_be_read_holds_up_no_other_and_is_tried_again() {
    let dir = TempDir::new().unwrap();
    let (spool, durable) = open(&dir);
    append(&spool, &durable, 0..3).await;
    drop(spool);
    let (spool, durable) = open(&dir);
    let first = files(&dir).remove(0);
    append(&spool, &durable, 3..6).await;
    let away = dir.path().join("away");
    fs::rename(&first, &away).unwrap();
    let mut reader = spool.reader();
    let (_, records) = reader.read().await.unwrap();
    assert_eq!(records, (3..6).map(record).collect::<Vec<_>>());
    assert!(reader.read().await.is_err());
    fs::rename(&away, &first).unwrap();
    let (_, records) = reader.read().await.unwrap();
    assert_eq!(records, (0..3).map(record).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_written_to_a_deleted_segment_is_not_called_safe_and_is_written_again() {
    let dir = TempDir::new().unwrap();
    let (spool, durable) = open(&dir);
    append(&spool, &durable, 0..1).await;
    fs::remove_file(&files(&dir)[0]).unwrap();
    append(&spool, &durable, 1..2).await;
    let written = files(&dir);
    assert_eq!(written.len(), 1);
    assert!(fs::metadata(&written[0]).unwrap().len() > record(1).size());
    let mut reader = spool.reader();
    let mut read = reader.read().await;
    while read.is_err() {
        read = reader.read().await;
    }
    assert_eq!(read.unwrap().1, [record(1)]);
}
