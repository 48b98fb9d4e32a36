//! Kamailio's own reading of its recipe.

use std::{fs, path::Path, process::Command};

use harness::programs;

use crate::{recipe, text};

/// What `kamailio -c` says of a file, and whether it takes it.
fn checked(file: &Path) -> anyhow::Result<(bool, String)> {
    let kamailio = programs::installed(&["/usr/sbin/kamailio"], "kamailio")?;
    let output = Command::new(kamailio).arg("-c").arg("-f").arg(file).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((output.status.success() && said.contains("config file ok"), said))
}

#[test]
fn kamailio_takes_its_recipe() -> anyhow::Result<()> {
    let (taken, said) = checked(&recipe("kamailio/kamailio.cfg"))?;
    assert!(taken, "{said}");
    assert!(!said.contains("ERROR"), "{said}");
    Ok(())
}

#[test]
fn kamailio_refuses_a_recipe_with_a_fault() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("kamailio.cfg");
    for (right, wrong) in [
        ("if (!t_relay()) {", "if (!t_relayed()) {"),
        ("loadmodule \"htable.so\"", ""),
        ("route(FROM_PBX);", "route(FROM_PBX)"),
    ] {
        let broken = text("kamailio/kamailio.cfg")?.replacen(right, wrong, 1);
        assert_ne!(broken, text("kamailio/kamailio.cfg")?, "the recipe has no {right:?} any more");
        fs::write(&file, broken)?;
        assert!(!checked(&file)?.0, "taken without {right:?}");
    }
    Ok(())
}
