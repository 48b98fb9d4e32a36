//! A hold that comes while a file is looked at.

use std::{fs, io::Write as _};

use bus::subjects;
use harness::wait;
use nix::{sys::stat::Mode, unistd::mkfifo};
use wire::{
    archive_v1::place_hold::Over,
    delivery_v1::{ListDestinationsRequest, ListDestinationsResponse},
};

use crate::{
    desk::{ask_release, confirm_release, deletions, place},
    hung::sound,
    log::Log,
    scene::{UNWATCHED, announce, files_of, folder, hours, recording, rule, until_brought, until_done},
    world::{PATIENCE, World},
};

#[tokio::test]
async fn a_hold_that_comes_while_a_file_is_read_keeps_it() {
    let first = folder("first", "allowed");
    let world = World::new(&format!("{first}{}", rule("{days: 1}"))).await;
    let log = Log::start(&world.bus).await;
    log.sign(false);
    let _shipper = world.shipper(UNWATCHED);
    let due = recording(&world, &["first"], "regulated", hours(-1));
    announce(&world, &due).await;
    until_brought(&world, "data/first", &due).await;
    // Described otherwise, it is held against its hash: here its sound comes as slowly as the test wants.
    let path = sound(&world, "data/first", &due.recording_id);
    let (away, bytes) = (path.with_extension("aside"), fs::read(&path).unwrap());
    fs::rename(&path, &away).unwrap();
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    let otherwise = first.replace("{path: first}", "{path: ./first}");
    assert_ne!(first, otherwise);
    world.configure(&format!("{otherwise}{}{}", folder("news", "never"), rule("{days: 1}")));
    wait::until("the shipper to know that", PATIENCE, || async {
        let request = ListDestinationsRequest::default();
        let told: ListDestinationsResponse =
            world.bus.request(&subjects::destinations("shipper"), &request, PATIENCE).await.ok()?;
        told.destinations.iter().any(|it| it.name == "news").then_some(())
    })
    .await
    .unwrap();
    log.sign(true);
    let (pipe, half) = (path.clone(), bytes[..bytes.len() / 2].to_vec());
    let opening = tokio::task::spawn_blocking(move || {
        // Until the shipper reads.
        let mut pipe = fs::File::options().write(true).open(pipe).unwrap();
        pipe.write_all(&half).unwrap();
        pipe
    });
    let mut pipe = tokio::time::timeout(PATIENCE, opening).await.expect("the shipper reads it").unwrap();
    let placed = place(&world.bus, Over::RecordingId(due.recording_id.clone())).await;
    assert_eq!((placed.problem.as_str(), placed.begun.len()), ("", 1));
    // It is the file that was brought; whoever opens it anew finds it.
    fs::rename(&away, &path).unwrap();
    let rest = bytes[bytes.len() / 2..].to_vec();
    tokio::task::spawn_blocking(move || pipe.write_all(&rest).unwrap()).await.unwrap();
    let waits = wait::until("the deletion to wait for the hold", PATIENCE, || async {
        let found = deletions(&world.bus, &due).await;
        found.into_iter().find(|it| it.problem.contains("legal hold 1 is over it"))
    });
    assert_eq!(waits.await.unwrap().state, "logged");
    assert_eq!(files_of(&world, "data/first", &due), due.files.len());
    ask_release(&world.bus, 1, "anna").await;
    assert_eq!(confirm_release(&world.bus, 1, "berta").await.problem, "");
    until_done(&world, &due).await;
    assert_eq!(files_of(&world, "data/first", &due), 0);
}
