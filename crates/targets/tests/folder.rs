//! The folder target against a real file system.

mod content;

use std::{
    fs,
    time::{Duration, Instant},
};

use content::{Breaking, bytes, content_of, listed, replaced_while_read, unfinished};
use harness::{small_disk::SmallDisk, wait};
use nix::{sys::stat::Mode, unistd::mkfifo};
use targets::{Content, ErrorKind, Folder, Outcome, Target};

#[tokio::test]
async fn a_file_is_stored_in_nested_folders_and_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let target = Folder::new(dir.path().join("not/yet/there"));
    let content = content_of(700_000);
    let put = target.put("2026/Gespräche", "a.wav", &content).await.unwrap();
    assert_eq!((put.name.as_str(), put.outcome), ("a.wav", Outcome::Stored));
    assert_eq!(fs::read(dir.path().join("not/yet/there/2026/Gespräche/a.wav")).unwrap(), bytes(700_000));
    let verified = target.verify("2026/Gespräche", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(verified.method.as_str(), "read-back");
}

#[tokio::test]
async fn the_same_file_again_counts_as_done() {
    let dir = tempfile::tempdir().unwrap();
    let target = Folder::new(dir.path().into());
    target.put("", "a.wav", &content_of(10)).await.unwrap();
    let again = target.put("", "a.wav", &content_of(10)).await.unwrap();
    assert_eq!(again.outcome, Outcome::AlreadyThere);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn the_same_content_under_many_names_at_once_does_not_get_in_its_own_way() {
    let dir = tempfile::tempdir().unwrap();
    let puts = (0..32).map(|n| {
        let target = Folder::new(dir.path().into());
        tokio::spawn(async move { target.put("", &format!("{n}.wav"), &content_of(200_000)).await })
    });
    for put in puts.collect::<Vec<_>>() {
        assert_eq!(put.await.unwrap().unwrap().outcome, Outcome::Stored);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 32);
}

#[tokio::test]
async fn another_file_of_the_name_is_kept_and_the_new_one_stands_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a_info.txt"), "somebody else's").unwrap();
    let target = Folder::new(dir.path().into());
    let put = target.put("", "a_info.txt", &content_of(10)).await.unwrap();
    assert_eq!((put.name.as_str(), put.outcome), ("a_info (2).txt", Outcome::StoredAside));
    assert_eq!(fs::read(dir.path().join("a_info.txt")).unwrap(), b"somebody else's");
    assert_eq!(target.put("", "a_info.txt", &content_of(10)).await.unwrap().outcome, Outcome::AlreadyThere);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_files_of_one_name_at_one_time_none_takes_the_place_of_the_other() {
    for _ in 0..50 {
        let dir = tempfile::tempdir().unwrap();
        let put = |length| {
            let target = Folder::new(dir.path().into());
            tokio::spawn(async move { target.put("", "a.wav", &content_of(length)).await })
        };
        let (one, other) = (put(1_000), put(2_000));
        let mut names = [one.await.unwrap().unwrap().name, other.await.unwrap().unwrap().name];
        names.sort();
        assert_eq!(names, ["a (2).wav", "a.wav"]);
        let mut lengths = names.map(|name| fs::metadata(dir.path().join(name)).unwrap().len());
        lengths.sort_unstable();
        assert_eq!(lengths, [1_000, 2_000]);
    }
}

#[tokio::test]
async fn a_changed_or_missing_file_does_not_verify() {
    let dir = tempfile::tempdir().unwrap();
    let (target, content) = (Folder::new(dir.path().into()), content_of(1000));
    target.put("", "a.wav", &content).await.unwrap();
    let mut changed = bytes(1000);
    changed[500] ^= 1;
    fs::write(dir.path().join("a.wav"), changed).unwrap();
    for name in ["a.wav", "b.wav"] {
        let error = target.verify("", name, content.size(), content.sha256()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(!error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn an_interrupted_put_is_gone_on_with_and_nothing_half_done_is_ever_seen_under_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let target = Folder::new(dir.path().into());
    let (source, opened) = Breaking::after(3_000_000, 1_200_000);
    let broken = Content::new(3_000_000, *content_of(3_000_000).sha256(), source);
    // A source that breaks is a fault of the record: what was written is not kept.
    assert_eq!(target.put("", "a.wav", &broken).await.unwrap_err().kind(), ErrorKind::Source);
    assert!(!dir.path().join("a.wav").exists());

    // What a killed process left is: here, a third of the file under the hidden name.
    let whole = content_of(3_000_000);
    let hidden = unfinished("a.wav", &whole);
    fs::write(dir.path().join(&hidden), &bytes(3_000_000)[..1_000_000]).unwrap();
    target.put("", "a.wav", &broken).await.unwrap();
    assert_eq!(*opened.lock().unwrap(), [0, 1_000_000]);
    assert_eq!(fs::read(dir.path().join("a.wav")).unwrap(), bytes(3_000_000));
    assert!(!dir.path().join(hidden).exists());
}

#[tokio::test]
async fn what_was_left_is_not_trusted_but_read_back_and_written_anew_when_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let (target, whole) = (Folder::new(dir.path().into()), content_of(2_000_000));
    let hidden = unfinished("a.wav", &whole);
    fs::write(dir.path().join(hidden), vec![0; 1_000_000]).unwrap();
    target.put("", "a.wav", &whole).await.unwrap();
    assert_eq!(fs::read(dir.path().join("a.wav")).unwrap(), bytes(2_000_000));
}

#[tokio::test]
async fn a_source_that_is_not_what_was_sealed_gets_no_name() {
    let dir = tempfile::tempdir().unwrap();
    let target = Folder::new(dir.path().into());
    let (other, _) = Breaking::never(1000);
    for wrong in
        [Content::new(1000, [7; 32], other.clone()), Content::new(999, *content_of(1000).sha256(), other)]
    {
        let error = target.put("", "a.wav", &wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source);
        assert!(error.concerns_record());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_full_disk_is_called_full_and_takes_the_file_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(&dir.path().join("disk"), 1 << 20).unwrap();
    let (target, content) = (Folder::new(dir.path().join("disk")), content_of(3 << 20));
    let error = target.put("", "a.wav", &content).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert!(!error.is_permanent() && !error.concerns_record());
    assert_eq!(fs::read_dir(dir.path().join("disk")).unwrap().count(), 0);
    disk.resize(8 << 20).unwrap();
    target.put("", "a.wav", &content).await.unwrap();
    target.verify("", "a.wav", content.size(), content.sha256()).await.unwrap();
}

#[tokio::test]
async fn a_name_that_the_disk_cannot_take_is_a_fault_of_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let error = Folder::new(dir.path().into()).put("", &"a".repeat(300), &content_of(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Name);
}

#[tokio::test]
async fn the_test_leaves_nothing_behind_and_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    Folder::new(dir.path().join("new")).test().await.unwrap();
    assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 0);
    fs::write(dir.path().join("file"), "").unwrap();
    let error = Folder::new(dir.path().join("file/below")).test().await.unwrap_err();
    assert!(error.to_string().contains("is a file, not a folder"), "{error}");
}
#[tokio::test]
async fn what_is_replaced_is_at_no_moment_missing_or_half() {
    let dir = tempfile::tempdir().unwrap();
    let target = Folder::new(dir.path().into());
    replaced_while_read(&target).await;
    assert_eq!(fs::read_dir(dir.path().join("log/acme")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_folder_is_listed_with_sizes_and_without_what_is_unfinished() {
    let dir = tempfile::tempdir().unwrap();
    let target = Folder::new(dir.path().into());
    target.put("calls", "a b+c.wav", &content_of(300)).await.unwrap();
    target.put("calls/2026", "b.wav", &content_of(10)).await.unwrap();
    fs::write(dir.path().join("calls").join(unfinished("c.wav", &content_of(9))), "half").unwrap();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("calls/round")).unwrap();
    std::os::unix::fs::symlink("a b+c.wav", dir.path().join("calls/link.wav")).unwrap();
    listed(&target).await;
}

#[tokio::test]
async fn a_folder_that_hangs_is_unreachable_costs_a_few_threads_and_goes_on_when_it_answers() {
    const LIMIT: Duration = Duration::from_millis(300);
    let threads = || fs::read_dir("/proc/self/task").unwrap().count();
    let dir = tempfile::tempdir().unwrap();
    let target = Folder::answering_within(dir.path().into(), LIMIT);
    let (none, some) = (content_of(0), content_of(1000));
    target.put("", "first.wav", &some).await.unwrap();
    // Whoever opens a pipe into which nobody writes waits, as at a mount whose server is gone.
    let pipe = dir.path().join("a.wav");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let before = threads();
    let mut waited = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        let error = target.verify("", "a.wav", none.size(), none.sha256()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        assert!(error.to_string().contains("does not answer"), "{error}");
        waited.push(begun.elapsed() >= LIMIT);
    }
    assert!(waited[..4].iter().all(|waited| *waited), "{waited:?}");
    assert!(threads() <= before + 5, "{} threads, {before} before", threads());
    let refused = target.put("", "b.wav", &some).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unreachable);

    // All that wait find the end of it.
    drop(fs::OpenOptions::new().write(true).open(&pipe).unwrap());
    wait::until("the folder to be used again", LIMIT * 100, async || {
        target.put("", "b.wav", &some).await.ok().filter(|put| put.outcome == Outcome::Stored)
    })
    .await
    .unwrap();
    target.verify("", "b.wav", some.size(), some.sha256()).await.unwrap();
}
