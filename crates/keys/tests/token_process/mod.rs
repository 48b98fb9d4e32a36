//! SoftHSM reads its configuration from the environment, once in a process: each test runs its body in a
//! process of its own, started with the variable set.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use keys::softhsm;

const FOLDER: &str = "CALLSEAL_TEST_TOKEN_FOLDER";
const STEP: &str = "CALLSEAL_TEST_STEP";

/// Runs `body` with an empty token folder in a process of its own; `test` is the name of the calling test.
pub fn with_token_folder(test: &str, body: impl FnOnce(&Path)) {
    if let Some(folder) = env::var_os(FOLDER) {
        return body(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    softhsm::write_conf(folder.path()).unwrap();
    let output = again(test, folder.path(), "");
    println!("{}", text(&output));
    assert!(output.status.success(), "{}", text(&output));
}

/// Which step the test was started for by [`again`]; empty: the first.
pub fn step() -> String {
    env::var(STEP).unwrap_or_default()
}

/// Starts the test `test` once more as a process, with `step`.
pub fn again(test: &str, folder: &Path, step: &str) -> Output {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(softhsm::CONF_VARIABLE, softhsm::conf_path(folder))
        .env(FOLDER, folder)
        .env(STEP, step)
        .output()
        .unwrap()
}

/// What a process said.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs `program` and returns what it printed; panics if it fails.
pub fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// All files below `folder` with this ending.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found
}
