//! Targets compared with the index.

use std::fs;

use bus::subjects::SHIPPER_SWEEP;
use harness::wait;
use wire::delivery_v1::{Finding, SweepRequest, SweepResponse};

use crate::{
    log::Log,
    scene::{SOON, announce, files_of, folder, hours, recording, rule, until_brought, until_done},
    world::{PATIENCE, World, files_below},
};

async fn findings(world: &World) -> Vec<Finding> {
    let answer: SweepResponse = world.bus.request(SHIPPER_SWEEP, &SweepRequest {}, PATIENCE).await.unwrap();
    assert_eq!(answer.error, "");
    answer.findings.into_iter().filter(|finding| !finding.target.is_empty()).collect()
}

#[tokio::test]
async fn a_file_that_is_gone_and_files_that_nobody_knows_are_found_and_forgotten_when_it_is_mended() {
    let world = World::new(&format!("{}{}", folder("first", "allowed"), rule("{days: 1}"))).await;
    let _log = Log::start(&world.bus).await;
    let _shipper = world.shipper(SOON);
    let (whole, robbed) =
        (recording(&world, &["first"], "regulated", 0), recording(&world, &["first"], "regulated", 0));
    let deleted = recording(&world, &["first"], "regulated", hours(-1));
    announce(&world, &whole).await;
    announce(&world, &robbed).await;
    until_brought(&world, "data/first", &whole).await;
    until_brought(&world, "data/first", &robbed).await;
    let root = world.path("data/first");
    let wav = |id: &str| {
        files_below(&root).into_iter().find(|name| name.contains(id) && name.ends_with(".wav")).unwrap()
    };
    let stolen = root.join(wav(&robbed.recording_id));
    let audio = fs::read(&stolen).unwrap();
    fs::remove_file(&stolen).unwrap();
    // A recording that was deleted is put back from somebody's backup; and one of another installation.
    announce(&world, &deleted).await;
    until_done(&world, &deleted).await;
    let year = root.join(wav(&whole.recording_id)).parent().unwrap().to_owned();
    fs::write(year.join(&deleted.files[0].name), "put back").unwrap();
    let stranger = domain::RecordingId::new().to_string();
    let strange = year.join(format!("20260701-220000.000Z_in_1_2_{stranger}.wav"));
    fs::write(&strange, "a stranger").unwrap();

    let mut expected = vec![
        (robbed.recording_id.clone(), "is gone"),
        (deleted.recording_id.clone(), "was deleted lawfully"),
        (stranger, "does not know the recording"),
    ];
    expected.sort();
    wait::until("all three to be found, and no more", PATIENCE, || async {
        let mut found = findings(&world).await;
        found.sort_by(|a, b| a.recording_id.cmp(&b.recording_id));
        let is = |(found, (id, word)): (&Finding, &(String, &str))| {
            found.recording_id == *id && found.target == "first" && found.problem.contains(word)
        };
        (found.len() == expected.len() && found.iter().zip(&expected).all(is)).then_some(())
    })
    .await
    .unwrap();
    fs::write(&stolen, audio).unwrap();
    fs::remove_file(strange).unwrap();
    fs::remove_file(year.join(&deleted.files[0].name)).unwrap();
    wait::until("nothing to be found", PATIENCE, || async {
        findings(&world).await.is_empty().then_some(())
    })
    .await
    .unwrap();
    assert_eq!(files_of(&world, "data/first", &robbed), robbed.files.len());
}
