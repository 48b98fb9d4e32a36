//! What breaks in the middle.

use std::{fs, sync::Arc, time::Duration};

use domain::resources::SmbEncryption;
use harness::{cable::Cable, samba::SHARE, small_disk::SmallDisk, wait};
use targets::{Content, ErrorKind, Outcome, Smb, Target};

use crate::{
    another_client,
    content::{Breaking, bytes, content_of, unfinished},
    described, server,
    tap::Tap,
    with,
};

#[tokio::test]
async fn a_file_that_somebody_else_has_open_is_said_to_be_open_and_taken_when_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = Smb::new(described(&samba));
    let content = content_of(2_000_000);
    let hidden = unfinished("a.wav", &content);
    fs::write(samba.share().join(&hidden), &bytes(2_000_000)[..700_000]).unwrap();
    // Another machine holds it, and shares it with nobody.
    let mut other = another_client(&samba).await;
    let share = other.connect_share(SHARE).await.unwrap();
    let held = other.create_file_writer_at(&share, &hidden, 700_000).await.unwrap();
    let error = target.put("", "a.wav", &content).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(
        !error.is_permanent() && error.to_string().contains("another program has the file open"),
        "{error}"
    );
    held.abort().await.unwrap();
    target.put("", "a.wav", &content).await.unwrap();
    assert_eq!(fs::read(samba.share().join("a.wav")).unwrap(), bytes(2_000_000));
}

#[tokio::test]
async fn a_full_disk_on_the_server_is_called_full_and_takes_the_file_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let disk = SmallDisk::mount(&samba.share().join("disk"), 1 << 20).unwrap();
    let target = with(described(&samba), |target| target.path = "disk".into());
    for length in [3 << 20, (1 << 20) - 1000] {
        let blocking = samba.share().join("disk/blocking");
        fs::write(&blocking, vec![0; 300_000]).unwrap();
        let error = target.put("", "a.wav", &content_of(length)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full, "{length}: {error}");
        fs::remove_file(blocking).unwrap();
        assert_eq!(fs::read_dir(samba.share().join("disk")).unwrap().count(), 0, "{length}");
    }
    disk.resize(8 << 20).unwrap();
    let content = content_of(3 << 20);
    target.put("", "a.wav", &content).await.unwrap();
    target.verify("", "a.wav", content.size(), content.sha256()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_goes_away_in_the_middle_is_gone_on_with_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut samba = server(dir.path()).await;
    let cable = Cable::to(samba.port()).await.unwrap();
    let target = Arc::new(with(described(&samba), |target| target.port = cable.port()));
    const SIZE: usize = 12 << 20;
    let (source, opened) = Breaking::never(SIZE);
    let content = Content::new(SIZE as u64, *content_of(SIZE).sha256(), source);
    let hidden = samba.share().join("2026").join(unfinished("a.wav", &content));
    for round in 1..=3_u64 {
        cable.slow(Some(8 << 20));
        let (putting, content) = (Arc::clone(&target), content.clone());
        let put = tokio::spawn(async move { putting.put("2026", "a.wav", &content).await });
        wait::until("some MiB more to arrive", Duration::from_secs(60), || async {
            fs::metadata(&hidden).is_ok_and(|file| file.len() > round * (2 << 20)).then_some(())
        })
        .await
        .unwrap();
        samba.stop().unwrap();
        let error = put.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!(!error.is_permanent() && !error.to_string().contains("a.wav"), "{error}");
        assert!(!samba.share().join("2026/a.wav").exists());
        samba.start_again().await.unwrap();
    }
    cable.slow(None);
    target.put("2026", "a.wav", &content).await.unwrap();
    target.verify("2026", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(fs::read_dir(samba.share().join("2026")).unwrap().count(), 1);
    let opened = opened.lock().unwrap().clone();
    assert!(opened.len() == 4 && opened[0] == 0 && opened.is_sorted() && opened[3] > 6 << 20, "{opened:?}");
}

#[tokio::test]
async fn a_connection_that_is_cut_in_the_middle_of_a_file_is_made_anew_and_the_file_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let cable = Cable::to(samba.port()).await.unwrap();
    let target = with(described(&samba), |target| target.port = cable.port());
    const SIZE: usize = 16 << 20;
    let (source, opened) = Breaking::never(SIZE);
    let content = Content::new(SIZE as u64, *content_of(SIZE).sha256(), source);
    let hidden = samba.share().join("2026").join(unfinished("a.wav", &content));
    for after in [6 << 20, 4 << 20] {
        let (hidden, opened) = (hidden.clone(), opened.clone());
        // More than a MiB beyond where this put has begun.
        cable.cut_after(after, move || {
            let begun = opened.lock().unwrap().last().copied().unwrap_or(0);
            fs::metadata(&hidden).is_ok_and(|file| file.len() > begun + (1 << 20))
        });
        let error = target.put("2026", "a.wav", &content).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!(!samba.share().join("2026/a.wav").exists());
    }
    let put = target.put("2026", "a.wav", &content).await.unwrap();
    assert_eq!(put.outcome, Outcome::Stored);
    target.verify("2026", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(fs::read_dir(samba.share().join("2026")).unwrap().count(), 1);
    let opened = opened.lock().unwrap().clone();
    assert!(
        opened.len() == 3 && opened[0] == 0 && opened[1] > 1 << 20 && opened[2] > opened[1],
        "{opened:?}"
    );
    assert_eq!(cable.connections(), 3);
}

#[tokio::test]
async fn half_a_small_file_that_was_left_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let target = Smb::new(described(&samba));
    let content = content_of(200_000);
    let (right, wrong) = (bytes(200_000)[..70_000].to_vec(), vec![7; 70_000]);
    for (name, left) in [("right.wav", right), ("wrong.wav", wrong), ("empty.wav", vec![])] {
        fs::write(samba.share().join(unfinished(name, &content)), left).unwrap();
        target.put("", name, &content).await.unwrap();
        assert_eq!(fs::read(samba.share().join(name)).unwrap(), bytes(200_000), "{name}");
    }
    assert_eq!(fs::read_dir(samba.share()).unwrap().count(), 3);
}

#[tokio::test]
async fn a_source_that_breaks_leaves_no_file_and_no_broken_connection() {
    let dir = tempfile::tempdir().unwrap();
    let samba = server(dir.path()).await;
    let cable = Cable::to(samba.port()).await.unwrap();
    let target = with(described(&samba), |target| target.port = cable.port());
    for length in [200_000, 2_000_000] {
        let (source, _) = Breaking::after(length, 90_000);
        let content = Content::new(length as u64, *content_of(length).sha256(), source);
        assert_eq!(target.put("", "a.wav", &content).await.unwrap_err().kind(), ErrorKind::Source);
        assert_eq!(fs::read_dir(samba.share()).unwrap().count(), 0);
        target.put("", "a.wav", &content).await.unwrap();
        fs::remove_file(samba.share().join("a.wav")).unwrap();
    }
    assert_eq!(cable.connections(), 1);
}

#[tokio::test]
async fn answers_that_come_twice_confuse_nobody_and_each_file_is_there_once_and_whole() {
    for encryption in [SmbEncryption::Off, SmbEncryption::Required] {
        let dir = tempfile::tempdir().unwrap();
        let samba = server(dir.path()).await;
        let tap = Tap::to(samba.port()).await;
        let target = with(described(&samba), |target| {
            target.port = tap.port();
            target.encryption = encryption;
        });
        target.test().await.unwrap();
        tap.repeat_answers(true);
        for (name, length) in [("small.wav", 200_000), ("long.wav", 6_000_000)] {
            let content = content_of(length);
            let put = target.put("2026", name, &content).await.unwrap();
            assert_eq!(put.outcome, Outcome::Stored, "{encryption:?} {name}");
            target.verify("2026", name, content.size(), content.sha256()).await.unwrap();
            assert_eq!(fs::read(samba.share().join("2026").join(name)).unwrap(), bytes(length));
        }
        assert!(tap.repeated() > 10, "{}", tap.repeated());
        assert_eq!(fs::read_dir(samba.share().join("2026")).unwrap().count(), 2);
    }
}
