//! Staging fills up.

use std::{fs, io::Write as _, time::Duration};

use harness::{
    mail_sink::{MailSink, Tls},
    small_disk::SmallDisk,
};
use wire::event_v1::event::What;

use crate::{scene::operator, world::World};

#[tokio::test]
async fn f83_a_disk_of_staging_that_fills_up_is_told_level_by_level_and_when_there_is_room_again() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(dir.path(), Tls::Off, false).await.unwrap();
    let mut world = World::new("").await;
    let staging = world.path("staging");
    let _disk = SmallDisk::mount(&staging, 40 << 20).unwrap();
    fs::create_dir_all(staging.join("sealed")).unwrap();
    let server = format!("127.0.0.1:{}", sink.port());
    let flags = [operator(&server), vec!["--staging-quota", "90%"]].concat();
    let _shipper = world.shipper(&flags);
    // Of 36 MB: 78 %, then 97 %, then nothing.
    let filler = staging.join("sealed/filler");
    // Only ever more: a file that is written anew is empty for a moment.
    let mut file = fs::File::options().create(true).append(true).open(&filler).unwrap();
    file.write_all(&vec![1; 28 << 20]).unwrap();
    sink.until("staging has reached 70 % of its quota").await.unwrap();
    file.write_all(&vec![1; 7 << 20]).unwrap();
    sink.until("staging has reached 95 % of its quota").await.unwrap();
    drop(file);
    fs::remove_file(&filler).unwrap();
    let mails = sink.until("over: staging has reached").await.unwrap();
    assert_eq!(mails.len(), 3, "{mails:?}");
    assert!(mails[1].field("text").contains("36.7 MB / 37.7 MB (97 %)"), "{mails:?}");
    let mut events = Vec::new();
    for _ in 0..3 {
        let fault = |what| match what {
            What::Fault(fault) => (fault.r#where == "staging quota").then_some(fault.problem),
            _ => None,
        };
        events.push(world.event("how full staging is", fault).await);
    }
    assert!(events[0].starts_with("70 % of its quota are reached"), "{events:?}");
    assert!(events[1].starts_with("95 % of its quota are reached"), "{events:?}");
    assert!(events[2].starts_with("less than 95 % of its quota are taken again"), "{events:?}");
}

#[tokio::test]
async fn f83_staging_that_fills_up_steadily_is_told_ahead_and_when_it_has_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(dir.path(), Tls::Off, false).await.unwrap();
    let mut world = World::new("").await;
    let staging = world.path("staging");
    fs::create_dir_all(staging.join("sealed")).unwrap();
    let server = format!("127.0.0.1:{}", sink.port());
    // The rate is that of the last six seconds here, and not of the last hour.
    let flags = [operator(&server), vec!["--staging-quota", "864MB", "--forecast-window", "6"]].concat();
    let _shipper = world.shipper(&flags);
    // 40 kB a second: 864 MB are full in six hours.
    let filler = staging.join("sealed/filler");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let filling = std::thread::spawn(move || {
        let mut file = fs::File::options().create(true).append(true).open(filler).unwrap();
        while stopped.recv_timeout(Duration::from_millis(100)).is_err() {
            file.write_all(&[1; 4096]).unwrap();
            file.sync_all().unwrap();
        }
    });
    let told = |what| match what {
        What::Fault(fault) => (fault.r#where == "staging quota").then_some(fault.problem),
        _ => None,
    };
    let problem = world.event("when it will be full", told).await;
    assert!(problem.starts_with("full in ") && problem.contains(" h at this rate: "), "{problem}");
    // A busy machine writes more slowly, never faster.
    let hours: u32 = problem.split(' ').nth(2).unwrap().parse().unwrap();
    assert!((5..24).contains(&hours), "{problem}");
    let mail_at_start = sink.about("at this rate").await.unwrap();
    assert!(mail_at_start.field("subject").contains("staging is full in "), "{mail_at_start:?}");
    stop.send(()).unwrap();
    filling.join().unwrap();
    let problem = world.event("that it does not fill up any more", told).await;
    assert!(problem.starts_with("is not full within a day any more"), "{problem}");
    sink.about("over: staging is full in").await.unwrap();
}
