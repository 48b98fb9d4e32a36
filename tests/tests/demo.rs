//! `callseal demo` as a newcomer runs it: every stage has its line, and it succeeds only if all is true.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use harness::programs;

fn demo(data: &Path, search_first: Option<&Path>) -> anyhow::Result<Output> {
    let mut demo = Command::new(programs::own("callseal")?);
    demo.arg("demo").arg("--data").arg(data);
    if let Some(folder) = search_first {
        let path = std::env::var("PATH").unwrap_or_default();
        demo.env("PATH", format!("{}:{path}", folder.display()));
    }
    Ok(demo.output()?)
}

#[test]
fn the_demo_shows_every_stage_and_its_commands_hold_true() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let output = demo(dir.path(), None)?;
    let said = String::from_utf8(output.stdout)?;
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let mut rest = said.as_str();
    for stage in [
        "ready sip=",
        "ringing",
        "recording: rule",
        "hung up",
        "assembled",
        "sealed",
        "shipped",
        "logged: entry",
        "verified",
        "_log-proof.txt",
    ] {
        let (_, behind) =
            rest.split_once(stage).unwrap_or_else(|| panic!("{stage} is not there, in order: {said}"));
        rest = behind;
    }
    assert!(said.contains("journalled: in journal"), "{said}");

    // What it prints for the auditor can be pasted into a shell as it is.
    let (_, commands) = said.split_once("with nothing of ours:\n").expect("commands to check by hand");
    let script: String =
        commands.lines().take_while(|line| !line.starts_with("or:")).map(|l| format!("{l}\n")).collect();
    assert!(script.contains("/verify.sh' -c "), "{script}");
    let shell = Command::new("sh").args(["-ec", &script]).output()?;
    assert!(shell.status.success(), "{script}{}", String::from_utf8_lossy(&shell.stderr));
    for kept in ["archive", "journal.sqlite", "callseal.pem"] {
        assert!(dir.path().join(kept).exists(), "{kept}");
    }
    Ok(())
}

#[test]
fn the_demo_fails_if_one_of_its_checks_does() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let programs = dir.path().join("programs");
    fs::create_dir(&programs)?;
    let refusing = programs.join("sha256sum");
    fs::write(&refusing, "#!/bin/sh\necho 'FAILED' >&2\nexit 1\n")?;
    fs::set_permissions(&refusing, fs::Permissions::from_mode(0o755))?;
    let output = demo(&dir.path().join("data"), Some(&programs))?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("sha256sum"), "{said}");
    Ok(())
}
