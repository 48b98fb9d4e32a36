//! Recordings as runs of a program.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use domain::resources::ScriptTarget;
use harness::wait;
use targets::{Dispatch, ErrorKind, HandedOver, Script, Surroundings, TargetError};
use tempfile::TempDir;

use crate::parcel::{BASE, audio, parcel};

const PATIENCE: Duration = Duration::from_secs(60);

struct World(TempDir);

impl World {
    /// With a program that does this; `$OUT` stands for a folder that outlives it.
    fn new(body: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["scripts", "out"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let world = Self(dir);
        let program = world.path("scripts/to-crm");
        let out = world.path("out").display().to_string();
        fs::write(&program, format!("#!/bin/sh\nOUT={out}\n{body}\n")).unwrap();
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
        world
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    fn script(&self, seconds: u64) -> Script {
        let timeout = Duration::from_secs(seconds);
        let target = ScriptTarget { command: "to-crm".into(), timeout, at: None };
        let around = Surroundings::new(self.path("data")).with_scripts(Some(self.path("scripts")));
        Script::new(target, &around)
    }

    async fn run(&self, seconds: u64) -> Result<HandedOver, TargetError> {
        self.script(seconds).dispatch(&parcel()).await
    }

    /// Nothing of a recording is left where programs find it.
    fn is_tidy(&self) -> bool {
        fs::read_dir(self.path("data/script-runs")).unwrap().count() == 0
    }
}

fn is_alive(pid: &str) -> bool {
    // A zombie has ended; its parent is not ours.
    fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat"))
        .is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

#[tokio::test]
async fn f85_a_program_gets_the_path_of_the_wav_and_of_the_journals_json() {
    let world = World::new(
        r#"cp "$1" "$OUT/wav"; cp "$2" "$OUT/json"; basename "$1" > "$OUT/name"; echo $# > "$OUT/count"
           stat -c %a "$(dirname "$1")" "$1" > "$OUT/modes"; ls "$(dirname "$1")" > "$OUT/beside"
           env | sed 's/=.*//' | sort > "$OUT/env"; echo "said"; echo "and complained" >&2"#,
    );
    let handed_over = world.run(60).await.unwrap();
    assert_eq!(handed_over.complaint, None);
    let mut said: Vec<&str> = handed_over.said.as_deref().unwrap().lines().collect();
    said.sort_unstable();
    assert_eq!(said, ["and complained", "said"]);
    let out = |name: &str| fs::read_to_string(world.path("out").join(name)).unwrap();
    assert!(fs::read(world.path("out/wav")).unwrap() == audio());
    assert_eq!(out("json"), parcel().journal);
    // Quotes, a line break, a leading dash, what a shell would run: a name is a name.
    assert_eq!(out("name"), format!("{BASE}.wav\n"));
    assert_eq!((out("count").as_str(), out("modes").as_str()), ("2\n", "700\n600\n"));
    assert!(out("beside").contains("_hash.txt"));
    let allowed = ["HOME", "LANG", "LC_ALL", "OLDPWD", "OUT", "PATH", "PWD", "SHLVL", "TMPDIR", "TZ", "_"];
    assert_eq!(out("env").lines().find(|name| !allowed.contains(name)), None, "{}", out("env"));
    assert!(world.is_tidy());
}

#[tokio::test]
async fn an_exit_code_is_a_fault_of_the_record_and_what_was_said_stands_in_no_text() {
    let world = World::new("echo 'the number +4970 is unknown'; exit 3");
    let error = world.run(60).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.concerns_record());
    assert_eq!(error.said(), Some("the number +4970 is unknown\n"));
    assert!(error.to_string().contains("exit code 3"), "{error}");
    assert!(!format!("{error} {error:?}").contains("4970"), "{error:?}");
    let killed = World::new("kill -9 $$").run(60).await.unwrap_err();
    assert!(killed.to_string().contains("signal 9"), "{killed}");
    assert!(world.is_tidy());
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_at_its_limit_with_its_children() {
    // It does not listen to SIGTERM, nor does its child.
    let world = World::new(
        r#"trap '' TERM; echo $$ > "$OUT/self"; (trap '' TERM; sh -c 'echo $$ > "$0/child"; exec sleep 600' "$OUT") & echo begun
           while :; do sleep 600; done"#,
    );
    // Time enough for three shells to begin on a busy machine.
    let error = world.run(5).await.unwrap_err();
    assert!(error.to_string().contains("did not end within 5 s"), "{error}");
    assert_eq!(error.said(), Some("begun\n"));
    for pid in ["self", "child"] {
        let pid = fs::read_to_string(world.path("out").join(pid)).unwrap();
        let ended = wait::until("its processes to end", PATIENCE, async || (!is_alive(&pid)).then_some(()));
        ended.await.unwrap();
    }
    assert!(world.is_tidy());
}

#[tokio::test]
async fn what_a_program_leaves_running_is_ended_when_it_ends() {
    let world = World::new(r#"sleep 600 & echo $! > "$OUT/child"; exit 0"#);
    world.run(60).await.unwrap();
    let pid = fs::read_to_string(world.path("out/child")).unwrap();
    wait::until("its child to end", PATIENCE, async || (!is_alive(&pid)).then_some(())).await.unwrap();
}

#[tokio::test]
async fn a_run_that_is_broken_off_leaves_nobody_running_and_nothing_lying() {
    let world = World::new(r#"echo $$ > "$OUT/new"; mv "$OUT/new" "$OUT/self"; sleep 600"#);
    let parcel = parcel();
    let script = world.script(60);
    let begun =
        wait::until("it to begin", PATIENCE, async || fs::read_to_string(world.path("out/self")).ok());
    let pid = tokio::select! {
        ended = script.dispatch(&parcel) => panic!("it ended: {:?}", ended.err()),
        pid = begun => pid.unwrap(),
    };
    wait::until("it to end", PATIENCE, async || (!is_alive(&pid)).then_some(())).await.unwrap();
    assert!(world.is_tidy());
}

#[tokio::test]
async fn of_a_flood_the_end_is_kept() {
    let world = World::new("yes 'a line of no use' | head -c 20000000; echo; echo last");
    let said = world.run(60).await.unwrap().said.unwrap();
    assert!(said.len() <= 4096 && said.ends_with("\nlast\n"), "{} bytes", said.len());
}

#[tokio::test]
async fn a_test_looks_at_the_program_and_runs_it_only_when_that_is_wanted() {
    let world = World::new(r#"wc -c < "$1" > "$OUT/size"; echo tested"#);
    let looked = world.script(60).test(false).await.unwrap();
    assert!(looked.done.contains("--run") && !world.path("out/size").exists());
    assert_eq!(world.script(60).test(true).await.unwrap().said, "tested\n");
    assert_eq!(fs::read_to_string(world.path("out/size")).unwrap().trim(), "16044");
}
