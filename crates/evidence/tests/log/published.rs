//! A published log in which somebody changed something: each way is found and named.

use std::{cell::RefCell, collections::BTreeMap, io};

use evidence::{
    Sha256Hash,
    log::{
        Entry, FileTrouble, LogFiles, LogProblem, PublishedLog, SignedCheckpoint, What,
        tiles::{checkpoint_path, grow, split_bundle, write_bundle},
    },
    verify::Keyring,
};

use super::{
    built::{Files, TestLog, calls, entry, judge, sealed, started, tenant, time},
    keys::{Kind, TestLogKey, TestRsaKey},
};

/// 600 entries with checkpoints at 3, 300 and 600; the last bundle is partial.
fn whole(kind: Kind) -> TestLog {
    let mut entries = calls(200);
    let (last, middle) = (entries.split_off(300), entries.split_off(3));
    TestLog::of(kind, &[entries, middle, last])
}

/// Changes entries of bundle 1, which holds entries 256 to 511.
fn change_bundle(files: &mut Files, change: impl Fn(&mut Vec<Vec<u8>>)) {
    let bundle = files.get_mut("tile/entries/001").unwrap();
    let mut entries: Vec<Vec<u8>> = split_bundle(bundle).0.iter().map(|entry| entry.to_vec()).collect();
    change(&mut entries);
    *bundle = write_bundle(entries.iter().map(Vec::as_slice)).unwrap();
}

fn differs(first_changed: u64) -> LogProblem {
    let good_until = if first_changed < 300 { 3 } else { 300 };
    LogProblem::RootDiffers { size: 600, good_until, first_changed: Some(first_changed) }
}

#[test]
fn a_whole_log_has_no_problem_and_gives_every_entry_and_its_proof() {
    for kind in [Kind::Ed25519, Kind::P256] {
        let log = whole(kind);
        let trusted = log.trusted();
        let published = PublishedLog::open(&log.files, &trusted).unwrap();
        assert_eq!(published.problems(), []);
        assert_eq!(published.origin().tenant(), &tenant());
        let entries: Vec<(u64, Entry)> = published.entries().collect::<Result<_, _>>().unwrap();
        let bytes: Vec<Vec<u8>> = entries.iter().map(|(_, entry)| entry.to_bytes()).collect();
        assert_eq!(bytes, calls(200));
        assert!(entries.iter().map(|(index, _)| *index).eq(0..600));
        for index in [0, 1, 255, 256, 511, 512, 599] {
            let proof = published.proof(index).unwrap();
            let (entry, signed) = proof.verify(&log.key.public).unwrap();
            assert_eq!(entry.to_bytes(), bytes[index as usize]);
            assert_eq!(signed, log.newest());
        }
        assert!(published.proof(600).is_err());
    }
}

#[test]
fn every_way_to_tamper_with_a_log_is_found_and_named() {
    let log = whole(Kind::Ed25519);
    let expect = |what: &str, tamper: &dyn Fn(&mut Files), expected: &[LogProblem]| {
        let mut files = log.files.clone();
        tamper(&mut files);
        assert_eq!(log.judge(&files).0, expected, "{what}");
    };
    expect("nothing", &|_| {}, &[]);
    let path = || "tile/entries/001".to_owned();
    expect(
        "a byte of an entry",
        &|files| change_bundle(files, |entries| *entries[44].last_chunk_mut().unwrap() = *b"z\n"),
        // Its last line is none that an entry of its kind has.
        &[entry_unreadable(&log, 300), differs(300)],
    );
    expect(
        "an entry put in place of another",
        &|files| change_bundle(files, |entries| entries[44] = entry(100, started(9999)).to_bytes()),
        &[differs(300)],
    );
    expect(
        "two entries swapped",
        &|files| change_bundle(files, |entries| entries.swap(9, 12)),
        &[differs(265)],
    );
    expect(
        "an entry taken out",
        &|files| change_bundle(files, |entries| drop(entries.remove(100))),
        &[LogProblem::EntriesMissing { from: 511, to: 511, path: path() }, differs(356)],
    );
    let missing = [LogProblem::EntriesMissing { from: 256, to: 511, path: path() }];
    // The tile still has their hashes, so the other entries are proven.
    expect("a bundle removed", &|files| drop(files.remove("tile/entries/001")), &missing);
    expect("a bundle emptied", &|files| files.get_mut("tile/entries/001").unwrap().clear(), &missing);
    let tile = LogProblem::File { path: "tile/0/001".into(), trouble: FileTrouble::Missing };
    expect(
        "a bundle and its tile removed",
        &|files| {
            files.remove("tile/entries/001");
            files.remove("tile/0/001");
        },
        &[missing[0].clone(), tile.clone(), LogProblem::RootUnknown { size: 600 }],
    );
    expect("a tile removed", &|files| drop(files.remove("tile/0/001")), &[tile]);
    expect(
        "a byte of a tile",
        &|files| files.get_mut("tile/0/001").unwrap()[32 * 7] ^= 1,
        &[LogProblem::TilesDiffer { index: 263 }],
    );
    let unsigned = |path: &str| LogProblem::NotSigned { path: path.into() };
    let newest = checkpoint_path(600);
    expect(
        "the size in the newest checkpoint and its copy",
        &|files| {
            for path in ["checkpoint", &newest] {
                let text = String::from_utf8(files[path].clone()).unwrap().replace("\n600\n", "\n599\n");
                files.insert(path.into(), text.into_bytes());
            }
        },
        &[unsigned("checkpoint"), unsigned(&newest)],
    );
    expect(
        "the checkpoint put back to an older one",
        &|files| drop(files.insert("checkpoint".into(), files[&checkpoint_path(300)].clone())),
        &[LogProblem::RolledBack { had: 600, has: 300 }],
    );
    expect(
        "a fork: another signed checkpoint at an earlier size",
        &|files| {
            let forked = log.sign(300, Sha256Hash::of(b"other")).to_bytes();
            files.insert(checkpoint_path(300), forked);
        },
        &[LogProblem::Forked { size: 300 }],
    );
    expect(
        "no checkpoint, but copies",
        &|files| drop(files.remove("checkpoint")),
        &[LogProblem::NoCheckpoint],
    );
}

fn entry_unreadable(log: &TestLog, index: u64) -> LogProblem {
    let mut bytes = split_bundle(&log.files["tile/entries/001"]).0[index as usize - 256].to_vec();
    *bytes.last_chunk_mut().unwrap() = *b"z\n";
    LogProblem::EntryUnreadable { index, error: Entry::parse(&bytes).unwrap_err() }
}

#[test]
fn nobody_but_the_holder_of_a_trusted_certificate_can_name_the_key_of_a_log() {
    let log = whole(Kind::Ed25519);
    let statement = log.rsa.statement(&log.key.public);
    let unsigned = |count: usize| {
        let mut expected = vec![LogProblem::NotSigned { path: "checkpoint".into() }];
        let copies = [600, 300, 3].map(|size| LogProblem::NotSigned { path: checkpoint_path(size) });
        expected.extend(copies.into_iter().take(count));
        expected
    };
    let with = |first: LogProblem| [vec![first], unsigned(3)].concat();
    let untrusted = LogProblem::StatementNotTrusted { path: statement.path(), key: statement.signed_by };
    assert_eq!(judge(&log.files, &Keyring::new()).0, with(untrusted));
    let not_signed = LogProblem::StatementNotSigned { path: statement.path() };
    let mut files = log.files.clone();
    files.remove(&statement.signature_path());
    assert_eq!(log.judge(&files).0, with(not_signed.clone()));
    files
        .insert(statement.signature_path(), TestRsaKey::new().sign(statement.to_text().as_bytes()).to_file());
    assert_eq!(log.judge(&files).0, with(not_signed.clone()));
    let mut files = log.files.clone();
    let later = statement.to_text().replace("2026", "2025");
    files.insert(statement.path(), later.into_bytes());
    assert_eq!(log.judge(&files).0, with(not_signed));
    // A log signed by somebody else's key, with a statement that he signed himself.
    let mut forger = TestLog::of(Kind::Ed25519, &[calls(2)]);
    forger.rsa = TestRsaKey::new();
    let (problems, read) = judge(&forger.files, &log.trusted());
    assert!(matches!(problems[0], LogProblem::StatementNotTrusted { .. }), "{problems:?}");
    assert_eq!(read, 0);
}

#[test]
fn a_log_that_was_cut_back_everywhere_is_found_with_a_checkpoint_that_somebody_kept() {
    let mut log = whole(Kind::Ed25519);
    let (kept, trusted) = (log.newest(), log.trusted());
    let mut cut = TestLog::of(Kind::Ed25519, &[]);
    (cut.key, cut.rsa) = (log.key, log.rsa);
    cut.files.clear();
    cut.put_statement();
    cut.add(&calls(200)[..300]);
    assert_eq!(cut.judge(&cut.files).0, [], "alone, it looks whole");
    let published = PublishedLog::open(&cut.files, &trusted).unwrap();
    let rolled_back = LogProblem::RolledBack { had: 600, has: 300 };
    assert_eq!(published.is_consistent_with(&kept), Err(rolled_back));
    // Grown again with other calls, it is larger than the kept one and still not the same.
    cut.add(&calls(250)[303..]);
    let published = PublishedLog::open(&cut.files, &trusted).unwrap();
    assert_eq!(published.is_consistent_with(&kept), Err(LogProblem::Forked { size: 600 }));
    let before = SignedCheckpoint::parse(&log.files[&checkpoint_path(300)]).unwrap();
    assert_eq!(published.is_consistent_with(&before), Ok(()));
    // Without tiles the entries tell.
    let mut bare = cut.files.clone();
    bare.retain(|path, _| !path.starts_with("tile/1"));
    let published = PublishedLog::open(&bare, &trusted).unwrap();
    assert_eq!(published.is_consistent_with(&before), Ok(()));
    assert_eq!(published.is_consistent_with(&kept), Err(LogProblem::Forked { size: 600 }));
    log.files.clear();
}

#[test]
fn a_checkpoint_of_another_log_or_by_another_key_says_nothing_of_this_one() {
    let log = whole(Kind::Ed25519);
    let trusted = log.trusted();
    let published = PublishedLog::open(&log.files, &trusted).unwrap();
    let stranger = TestLog::of(Kind::Ed25519, &[calls(1)]);
    let unsigned = Err(LogProblem::NotSigned { path: String::new() });
    assert_eq!(published.is_consistent_with(&stranger.newest()), unsigned);
    let mut other = TestLog::new(Kind::Ed25519);
    other.key = TestLogKey::new(Kind::Ed25519, "callseal.io/test/acme/99999999");
    other.add(&calls(1));
    let origin = other.key.public.name.clone();
    let expected = Err(LogProblem::OtherLog { path: String::new(), origin });
    assert_eq!(published.is_consistent_with(&other.newest()), expected);
}

#[test]
fn an_entry_of_another_tenant_an_unknown_one_and_a_backdated_one_are_named_though_they_were_signed() {
    let foreign = Entry { tenant: "beta".parse().unwrap(), ..entry(2, started(2)) };
    let entries = vec![
        entry(100, sealed(1, 1)).to_bytes(),
        foreign.to_bytes(),
        b"Callseal-Log: 2\n".to_vec(),
        entry(99, started(3)).to_bytes(),
        entry(50, sealed(2, 2)).to_bytes(),
        entry(100, What::Heartbeat).to_bytes(),
    ];
    let log = TestLog::of(Kind::Ed25519, &[entries]);
    let (problems, read) = log.judge(&log.files);
    assert_eq!(read, 5);
    let error = Entry::parse(b"Callseal-Log: 2\n").unwrap_err();
    let expected = [
        LogProblem::OtherTenant { index: 1, tenant: "beta".parse().unwrap() },
        LogProblem::EntryUnreadable { index: 2, error },
        LogProblem::TimeGoesBack { index: 4, before: time(100), at: time(50) },
    ];
    assert_eq!(problems, expected);
}

#[test]
fn an_older_checkpoint_is_judged_with_the_files_of_a_log_that_has_grown() {
    let log = whole(Kind::Ed25519);
    let mut files = log.files.clone();
    let at_300 = files[&checkpoint_path(300)].clone();
    files.insert("checkpoint".into(), at_300);
    files.remove(&checkpoint_path(600));
    // The signer removes partial tiles when they are full.
    files.retain(|path, _| !path.contains("001.p/") && !path.contains("000.p/"));
    files.insert("tile/1/000.p/2".into(), log.files["tile/1/000.p/2"].clone());
    let (problems, read) = log.judge(&files);
    assert_eq!((problems.as_slice(), read), ([].as_slice(), 300));
}

#[test]
fn the_files_of_a_log_may_be_made_anew_in_any_pieces_and_are_the_same() {
    let entries = calls(200);
    let log = TestLog::of(Kind::Ed25519, std::slice::from_ref(&entries));
    for piece in [1, 7, 255, 256, 257] {
        let (mut files, mut size, mut root) = (Files::new(), 0, Sha256Hash::of(b""));
        for chunk in entries.chunks(piece) {
            let grown = grow(&files, size, root, chunk).unwrap();
            files.extend(grown.files);
            (size, root) = (grown.size, grown.root);
        }
        assert_eq!(root, log.frontier.root());
        for (path, bytes) in log.files.iter().filter(|(path, _)| path.starts_with("tile/")) {
            assert_eq!(files.get(path), Some(bytes), "{path} in pieces of {piece}");
        }
    }
}

#[test]
fn what_lies_published_and_is_not_what_was_signed_is_not_built_upon() {
    let log = whole(Kind::Ed25519);
    let (size, root) = (log.frontier.size(), log.frontier.root());
    let more = [entry(1, What::Heartbeat).to_bytes()];
    let refuses = |tamper: &dyn Fn(&mut Files)| {
        let mut files = log.files.clone();
        tamper(&mut files);
        grow(&files, size, root, &more).unwrap_err().to_string()
    };
    let said = refuses(&|files| files.get_mut("tile/0/002.p/88").unwrap()[3] ^= 1);
    assert_eq!(said, "the log's tiles do not fit to the root hash of the tree");
    let said = refuses(&|files| drop(files.remove("tile/0/002.p/88")));
    assert_eq!(said, "the log's file tile/0/002.p/88 is missing");
    let said = refuses(&|files| files.get_mut("tile/entries/002.p/88").unwrap()[30] ^= 1);
    assert_eq!(said, "the log's file tile/entries/002.p/88 is damaged");
    let wrong_root = grow(&log.files, size, Sha256Hash::of(b""), &more).unwrap_err();
    assert_eq!(wrong_root.to_string(), "the log's tiles do not fit to the root hash of the tree");
}

/// Counts what is read.
struct Counted<'a>(&'a Files, RefCell<BTreeMap<String, usize>>);

impl LogFiles for Counted<'_> {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        *self.1.borrow_mut().entry(path.to_owned()).or_default() += 1;
        self.0.read(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.0.list(folder)
    }
}

#[test]
fn reading_a_log_reads_each_file_once_and_only_when_its_entries_are_asked_for() {
    let log = whole(Kind::Ed25519);
    let trusted = log.trusted();
    let files = Counted(&log.files, RefCell::default());
    let published = PublishedLog::open(&files, &trusted).unwrap();
    let mut entries = published.entries();
    entries.nth(255).unwrap().unwrap();
    let read = |path: &str| files.1.borrow().get(path).copied().unwrap_or(0);
    assert_eq!((read("tile/entries/000"), read("tile/entries/001")), (1, 0));
    entries.by_ref().for_each(|entry| drop(entry.unwrap()));
    let often: Vec<String> =
        files.1.borrow().iter().filter(|(_, times)| **times > 1).map(|(path, _)| path.clone()).collect();
    assert_eq!(often, [] as [String; 0]);
    assert_eq!((read("tile/entries/002.p/88"), read(&checkpoint_path(300))), (1, 1));
}
