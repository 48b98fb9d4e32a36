//! Files on a share: stored, read back, replaced, listed.

use std::{fs, sync::Arc, time::Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::{cable::Cable, samba::SHARE};
use targets::{Content, ErrorKind, Kind, Outcome, Smb, Target};

use crate::{
    another_client,
    content::{bytes, content_of, read, unfinished},
    described, server, with,
};

#[tokio::test]
async fn a_file_is_stored_in_nested_folders_and_reads_back_also_by_another_client() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = with(described(&samba), |target| target.path = "archive/calls".into());
    let content = content_of(5_000_000);
    let put = target.put("2026/Gespräche 📞", "Zoë & Ünal.wav", &content).await.unwrap();
    assert_eq!(put.outcome, Outcome::Stored);
    let folder = samba.share().join("archive/calls/2026/Gespräche 📞");
    assert_eq!(fs::read(folder.join("Zoë & Ünal.wav")).unwrap(), bytes(5_000_000));
    target.verify("2026/Gespräche 📞", "Zoë & Ünal.wav", content.size(), content.sha256()).await.unwrap();
    let again = target.put("2026/Gespräche 📞", "Zoë & Ünal.wav", &content).await.unwrap();
    assert_eq!(again.outcome, Outcome::AlreadyThere);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);

    let copy = dir.path().join("copy");
    let get =
        format!("cd \"archive/calls/2026/Gespräche 📞\"; get \"Zoë & Ünal.wav\" \"{}\"", copy.display());
    samba.smbclient(&get).unwrap();
    assert_eq!(fs::read(copy).unwrap(), bytes(5_000_000));
}

#[tokio::test]
async fn a_file_that_was_changed_or_lost_on_the_server_does_not_verify() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let (target, content) = (Smb::new(described(&samba)), content_of(300_000));
    target.put("", "a.wav", &content).await.unwrap();
    let mut changed = bytes(300_000);
    changed[150_000] ^= 1;
    fs::write(samba.share().join("a.wav"), changed).unwrap();
    for name in ["a.wav", "b.wav"] {
        let error = target.verify("", name, content.size(), content.sha256()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
}

#[tokio::test]
async fn another_file_of_the_name_is_kept_also_when_only_capitals_tell_them_apart() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    fs::write(samba.share().join("A.wav"), "somebody else's").unwrap();
    let put = Smb::new(described(&samba)).put("", "a.wav", &content_of(10)).await.unwrap();
    assert_eq!((put.name.as_str(), put.outcome), ("a (2).wav", Outcome::StoredAside));
    assert_eq!(fs::read(samba.share().join("A.wav")).unwrap(), b"somebody else's");
    assert_eq!(fs::read_dir(samba.share()).unwrap().count(), 2);
}

#[tokio::test]
async fn files_of_every_length_around_the_limits_of_a_message_are_stored_byte_by_byte() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = Smb::new(described(&samba));
    for length in [0, 1, 65_535, 65_536, 524_288, 524_289, 1 << 20, (1 << 20) + 1, 9_000_001] {
        let content = content_of(length);
        target.put("", &format!("{length}.wav"), &content).await.unwrap();
        target.verify("", &format!("{length}.wav"), content.size(), content.sha256()).await.unwrap();
        assert_eq!(fs::read(samba.share().join(format!("{length}.wav"))).unwrap(), bytes(length));
    }
}

#[tokio::test]
async fn a_folder_that_is_taken_away_between_two_recordings_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = Smb::new(described(&samba));
    target.put("2026/11", "a.wav", &content_of(1000)).await.unwrap();
    fs::remove_dir_all(samba.share().join("2026")).unwrap();
    target.put("2026/11", "b.wav", &content_of(1000)).await.unwrap();
    fs::remove_dir_all(samba.share().join("2026")).unwrap();
    target.put("2026/11", "c.wav", &content_of(2_000_000)).await.unwrap();
    assert_eq!(fs::read_dir(samba.share().join("2026/11")).unwrap().count(), 1);
    // A file where a folder has to be is somebody's, and stays.
    fs::write(samba.share().join("2027"), "a file").unwrap();
    let error = target.put("2027/01", "a.wav", &content_of(1000)).await.unwrap_err();
    assert!(error.is_permanent() && error.to_string().contains("a file has the name of a folder"), "{error}");
}

#[tokio::test]
async fn a_thousand_small_files_are_brought_and_verified_many_at_a_time_over_one_login() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let cable = Cable::to(samba.port()).await.unwrap();
    let target = with(described(&samba), |target| target.port = cable.port());
    let content = content_of(5_000);
    let begun = Instant::now();
    stream::iter(0..1000)
        .map(|number| {
            let (target, content) = (&target, &content);
            async move {
                let (folder, name) = (format!("2026/{}", number % 30), format!("{number}.wav"));
                let put = target.put(&folder, &name, content).await?;
                assert_eq!(put.outcome, Outcome::Stored);
                target.verify(&folder, &name, content.size(), content.sha256()).await
            }
        })
        .buffer_unordered(16)
        .try_collect::<Vec<_>>()
        .await
        .unwrap();
    println!("1,000 files of 5 kB put and verified in {:?}", begun.elapsed());
    assert_eq!(cable.connections(), 1);
    let folders = fs::read_dir(samba.share().join("2026")).unwrap();
    let files = folders.map(|folder| fs::read_dir(folder.unwrap().path()).unwrap().count());
    assert_eq!(files.sum::<usize>(), 1000);
}

/// Replaces a file many times while it is read. Samba looks a name up twice to open it, and may find
/// none at the moment of the swap; what it opens is whole.
#[tokio::test]
async fn what_is_replaced_is_at_no_moment_half() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = Smb::new(described(&samba));
    let content = |number: u8| Content::from_bytes(vec![number; 100_000]);
    target.replace("log/acme", "checkpoint", &content(0)).await.unwrap();
    let replacing = async {
        for number in 1..=20 {
            target.replace("log/acme", "checkpoint", &content(number)).await.unwrap();
        }
    };
    let mut seen = 0;
    let reading = async {
        while seen < 20 {
            let Some(read) = read(&target, "log/acme", "checkpoint").await else { continue };
            assert!(read.len() == 100_000 && read.iter().all(|byte| *byte == read[0]) && read[0] >= seen);
            seen = read[0];
        }
    };
    tokio::join!(replacing, reading);
    let last = content(20);
    target.verify("log/acme", "checkpoint", last.size(), last.sha256()).await.unwrap();
    assert_eq!(fs::read_dir(samba.share().join("log/acme")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_file_that_somebody_reads_is_replaced_under_their_eyes() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = Smb::new(described(&samba));
    target.replace("log", "checkpoint", &content_of(1000)).await.unwrap();
    let mut other = another_client(&samba).await;
    let share = Arc::new(other.connect_share(SHARE).await.unwrap());
    let theirs = other.open_file_reader(&share, "log/checkpoint").await.unwrap();
    let ours = target.open("log", "checkpoint").await.unwrap().unwrap();
    target.replace("log", "checkpoint", &content_of(2000)).await.unwrap();
    assert_eq!(fs::read(samba.share().join("log/checkpoint")).unwrap(), bytes(2000));
    assert_eq!(theirs.read_at(0, 5000).await.unwrap(), bytes(1000));
    drop(ours);
}

#[tokio::test]
async fn a_folder_is_listed_with_sizes_and_without_what_is_unfinished() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = with(described(&samba), |target| target.path = "archive".into());
    target.put("calls", "a b+c.wav", &content_of(300)).await.unwrap();
    target.put("calls/2026", "b.wav", &content_of(10)).await.unwrap();
    fs::write(samba.share().join("archive/calls").join(unfinished("c.wav", &content_of(9))), "half").unwrap();
    let mut listed = target.list("calls").await.unwrap();
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<&str> = listed.iter().map(|listed| listed.name.as_str()).collect();
    assert_eq!(names, ["2026", "a b+c.wav"]);
    assert_eq!(listed[0].kind, Kind::Folder);
    assert!(matches!(listed[1].kind, Kind::File { size: 300, modified: Some(_) }), "{listed:?}");
    assert_eq!(target.list("").await.unwrap().len(), 1);
    assert!(target.list("not/there").await.unwrap().is_empty());
    assert_eq!(read(&target, "calls", "a b+c.wav").await.unwrap(), bytes(300));
    assert_eq!(read(&target, "not/there", "a.wav").await, None);
}
