//! SoftHSM reads its configuration from the environment, once in a process: each test runs its body in a
//! process of its own, started with the variable set.

use std::{
    any::type_name,
    cell::RefCell,
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use keys::{CertificateSubject, KeyError, KeyOptions, NewKey, RsaBits, softhsm};

const FOLDER: &str = "CALLSEAL_TEST_TOKEN_FOLDER";
const STEP: &str = "CALLSEAL_TEST_STEP";

thread_local! {
    /// The name of the test that runs.
    static TEST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `body`, a closure in a test, with an empty token folder in a process of its own.
pub fn with_token_folder<F: FnOnce(&Path)>(body: F) {
    // "it::module::name_of_the_test::{{closure}}"
    let path: Vec<&str> = type_name::<F>().split("::").collect();
    TEST.set(path[1..path.len() - 1].join("::"));
    if let Some(folder) = env::var_os(FOLDER) {
        return body(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    softhsm::write_conf(folder.path()).unwrap();
    let output = again(folder.path(), "");
    println!("{}", text(&output));
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("1 passed"), "the test did not run in its own process");
}

/// Which step the test was started for by [`again`]; empty: the first.
pub fn step() -> String {
    env::var(STEP).unwrap_or_default()
}

/// Starts the test of this process once more as a process, with `step`.
pub fn again(folder: &Path, step: &str) -> Output {
    again_with(folder, step, &[])
}

/// The same with more variables in its environment.
pub fn again_with(folder: &Path, step: &str, variables: &[(&str, &str)]) -> Output {
    let test = TEST.with_borrow(String::clone);
    assert!(!test.is_empty(), "with_token_folder was not called");
    Command::new(env::current_exe().unwrap())
        .args(["--exact", &test, "--nocapture"])
        .env(softhsm::CONF_VARIABLE, softhsm::conf_path(folder))
        .env(FOLDER, folder)
        .env(STEP, step)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// What a process said.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs `program` in `folder`, whose token SoftHSM then knows, and returns what it printed; panics if it fails.
pub fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let conf = softhsm::conf_path(folder);
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env(softhsm::CONF_VARIABLE, conf)
        .output()
        .unwrap();
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

/// The whole chain of causes: what an operator reads.
pub fn words(error: &KeyError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Where the key is: in the token under `folder`, as it was prepared.
pub fn options(folder: &Path) -> KeyOptions {
    KeyOptions::default().in_softhsm(&softhsm::existing(folder, "callseal").unwrap())
}

/// A token under `folder`, and where its keys will be.
pub fn prepared(folder: &Path) -> KeyOptions {
    softhsm::prepare(folder, "callseal").unwrap();
    options(folder)
}

/// What a key of a test is to be.
pub fn new_key(bits: RsaBits) -> NewKey {
    let subject = CertificateSubject {
        holder: "Bank & Söhne".to_owned(),
        installation: "acme-1".to_owned(),
        valid_from: "2026-01-01T00:00:00Z".parse().unwrap(),
        years: 30,
    };
    NewKey { subject, bits }
}
