//! What breaks, and how it goes on.

use std::{fs, time::Duration};

use harness::{cable::Cable, small_disk::SmallDisk, wait};
use targets::{Content, ErrorKind, Outcome, Sftp, Target};

use crate::{
    content::{Breaking, bytes, content_of, unfinished},
    described, server, with,
};

#[tokio::test]
async fn a_server_that_goes_away_in_the_middle_is_gone_on_with_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut sshd = server(dir.path()).await;
    let target = Sftp::new(described(&sshd, ""));
    target.test().await.unwrap();
    sshd.stop().unwrap();
    let content = content_of(4_000_000);
    let error = target.put("", "a.wav", &content).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(!error.is_permanent());

    // What the server had received before it died is kept and not sent again.
    let hidden = unfinished("a.wav", &content);
    fs::write(sshd.home().join(hidden), &bytes(4_000_000)[..2_500_000]).unwrap();
    sshd.start_again().await.unwrap();
    let (source, opened) = Breaking::never(4_000_000);
    let content = Content::new(4_000_000, *content.sha256(), source);
    wait::until("the put to succeed again", Duration::from_secs(60), || async {
        target.put("", "a.wav", &content).await.ok()
    })
    .await
    .unwrap();
    assert_eq!(*opened.lock().unwrap(), [2_500_000]);
    target.verify("", "a.wav", content.size(), content.sha256()).await.unwrap();
}

#[tokio::test]
async fn a_source_that_breaks_leaves_no_file_and_no_broken_connection() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let target = Sftp::new(described(&sshd, ""));
    let (source, _) = Breaking::after(2_000_000, 900_000);
    let content = Content::new(2_000_000, *content_of(2_000_000).sha256(), source);
    assert_eq!(target.put("", "a.wav", &content).await.unwrap_err().kind(), ErrorKind::Source);
    assert_eq!(fs::read_dir(sshd.home()).unwrap().count(), 0);
    target.put("", "a.wav", &content).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_on_the_server_is_called_full_and_takes_the_file_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let disk = SmallDisk::mount(&sshd.home().join("disk"), 1 << 20).unwrap();
    let target = Sftp::new(described(&sshd, "disk"));
    let content = content_of(3 << 20);
    let error = target.put("", "a.wav", &content).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert_eq!(fs::read_dir(sshd.home().join("disk")).unwrap().count(), 0);
    disk.resize(8 << 20).unwrap();
    target.put("", "a.wav", &content).await.unwrap();
    target.verify("", "a.wav", content.size(), content.sha256()).await.unwrap();
}

#[tokio::test]
async fn a_server_without_sftp_and_one_that_is_none_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut sshd = server(dir.path()).await;
    sshd.stop().unwrap();
    let error = Sftp::new(described(&sshd, "")).test().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("check that it runs"), "{error}");
    sshd.settings.push("MaxSessions 0".into());
    sshd.start_again().await.unwrap();
    let error = Sftp::new(described(&sshd, "")).test().await.unwrap_err();
    assert!(error.to_string().contains("does not offer SFTP"), "{error}");
}

#[tokio::test]
async fn a_connection_that_is_cut_in_the_middle_of_a_file_is_made_anew_and_the_file_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = server(dir.path()).await;
    let cable = Cable::to(sshd.port()).await.unwrap();
    let target = with(described(&sshd, ""), |server| server.port = cable.port());
    const SIZE: usize = 8 << 20;
    let (source, opened) = Breaking::never(SIZE);
    let content = Content::new(SIZE as u64, *content_of(SIZE).sha256(), source);
    let hidden = sshd.home().join("2026").join(unfinished("a.wav", &content));
    for after in [3 << 20, 2 << 20] {
        let (hidden, opened) = (hidden.clone(), opened.clone());
        // More than a MiB beyond where this put has begun.
        cable.cut_after(after, move || {
            let begun = opened.lock().unwrap().last().copied().unwrap_or(0);
            fs::metadata(&hidden).is_ok_and(|file| file.len() > begun + (1 << 20))
        });
        let error = target.put("2026", "a.wav", &content).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!(!error.is_permanent() && !error.to_string().contains("a.wav"), "{error}");
        assert!(!sshd.home().join("2026/a.wav").exists());
    }
    let put = target.put("2026", "a.wav", &content).await.unwrap();
    assert_eq!(put.outcome, Outcome::Stored);
    target.verify("2026", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(fs::read_dir(sshd.home().join("2026")).unwrap().count(), 1);
    // From the beginning, then twice from where the last one came to.
    let opened = opened.lock().unwrap().clone();
    assert!(
        opened.len() == 3 && opened[0] == 0 && opened[1] > 1 << 20 && opened[2] > opened[1],
        "{opened:?}"
    );
    assert_eq!(cable.connections(), 3);
}
