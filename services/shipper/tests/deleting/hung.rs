//! A target that hangs: it accepts, and never answers.

use std::{fs, path::PathBuf};

use harness::{installation::http_get, ports, wait};
use nix::{sys::stat::Mode, unistd::mkfifo};
use wire::event_v1::event::What;

use crate::{
    desk::deletions,
    log::Log,
    scene::{
        UNWATCHED, announce, files_of, folder, hours, recording, rule, until, until_brought, until_done,
    },
    world::{PATIENCE, World, files_below},
};

/// The recording's sound below a folder.
pub fn sound(world: &World, folder: &str, id: &str) -> PathBuf {
    let root = world.path(folder);
    let all = files_below(&root);
    root.join(all.into_iter().find(|name| name.contains(id) && name.ends_with(".wav")).unwrap())
}

#[tokio::test]
async fn a_target_that_hangs_holds_up_no_deletion_at_another_one_is_told_and_goes_on_when_it_answers() {
    let resources =
        format!("{}{}{}", folder("first", "allowed"), folder("hung", "allowed"), rule("{days: 1}"));
    let mut world = World::new(&resources).await;
    let log = Log::start(&world.bus).await;
    // Nothing is deleted before a checkpoint covers it: the target hangs by then.
    log.sign(false);
    let port = ports::claim().unwrap();
    let http = format!("127.0.0.1:{port}");
    let _shipper = world.shipper(&[UNWATCHED, &["--http", &http, "--target-answers-within", "1"]].concat());
    let both: Vec<_> =
        (0..6).map(|_| recording(&world, &["first", "hung"], "regulated", hours(-1))).collect();
    let other = recording(&world, &["first"], "regulated", hours(-1));
    for sealed in both.iter().chain([&other]) {
        announce(&world, sealed).await;
    }
    for sealed in &both {
        until_brought(&world, "data/hung", sealed).await;
        until_brought(&world, "data/first", sealed).await;
    }
    // Whoever opens a pipe into which nobody writes waits, as at a mount whose server is gone.
    let mut aside = Vec::new();
    for sealed in &both {
        let path = sound(&world, "data/hung", &sealed.recording_id);
        let away = path.with_extension("aside");
        fs::rename(&path, &away).unwrap();
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        aside.push((away, path));
    }
    log.sign(true);
    let told = |what| match what {
        What::Fault(fault) if fault.r#where == "target hung" => Some(fault.problem),
        _ => None,
    };
    let problem = world.event("that it does not answer", told).await;
    assert!(problem.contains("has not answered within 1 s"), "{problem}");
    until_done(&world, &other).await;
    until("the other copies to be gone", || {
        both.iter().all(|sealed| files_of(&world, "data/first", sealed) == 0)
    })
    .await;
    let (_, metrics) = http_get(port, "/metrics").await.unwrap();
    let line = r#"callseal_shipper_targets_not_answering{target="hung",tenant="acme"} 1"#;
    assert!(metrics.contains(line), "{metrics}");
    wait::until("the list to say what is waited for", PATIENCE, || async {
        let [waiting] = deletions(&world.bus, &both[0]).await.try_into().unwrap();
        let said = waiting.problem.contains("target hung: ");
        (said && waiting.state == "logged").then_some(())
    })
    .await
    .unwrap();
    // Its server is back.
    for (away, path) in aside {
        fs::rename(away, path).unwrap();
    }
    for sealed in &both {
        until_done(&world, sealed).await;
        assert_eq!(files_of(&world, "data/hung", sealed), 0);
    }
    assert_eq!(log.entries().len(), both.len() + 1);
}
