//! Asterisk is not in Debian 12: its dial plan is read by asterisklint against the applications and functions
//! of Asterisk 22, the two other files by checks of ours.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use anyhow::{Context, bail};
use harness::programs;
use regex::Regex;

use crate::{recipe, text};

/// What asterisklint has to say; empty: nothing.
fn linted(file: &Path) -> anyhow::Result<String> {
    let tools = programs::workspace().join(".tools");
    let program = tools.join("bin/asterisklint");
    if !program.exists() {
        bail!("asterisklint is missing: run `scripts/install-tools.sh test`");
    }
    let output = Command::new("python3")
        .arg(program)
        .args(["dialplan-check", "--asterisk-version", "22"])
        .arg(file)
        .env("PYTHONPATH", tools.join("pypi/asterisklint"))
        .env_remove("ALINT_IGNORE")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // 1: something was reported. Anything else: asterisklint itself failed.
    match (output.status.code(), said.is_empty()) {
        (Some(0), true) => Ok(String::new()),
        (Some(1), false) if !said.contains("Traceback") => Ok(said),
        _ => bail!("asterisklint failed: {said}"),
    }
}

#[test]
fn asterisks_dial_plan_is_without_fault() -> anyhow::Result<()> {
    assert_eq!(linted(&recipe("asterisk/extensions.conf"))?, "");
    Ok(())
}

#[test]
fn a_fault_in_asterisks_dial_plan_is_seen() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("extensions.conf");
    for (right, wrong, seen) in [
        ("Answer()", "Anser()", "E_APP_MISSING"),
        ("Gosub(callseal-id,s,1)", "Gosub(callseal-ident,s,1)", "E_DP_GOTO_NOCONTEXT"),
        ("${FILTER(", "${FILTR(", "E_FUNC_MISSING"),
        ("${EXTEN:3}", "${EXTEN:3", ""),
    ] {
        let broken = text("asterisk/extensions.conf")?.replacen(right, wrong, 1);
        assert_ne!(broken, text("asterisk/extensions.conf")?, "the recipe has no {right:?} any more");
        fs::write(&file, broken)?;
        let said = linted(&file)?;
        assert!(!said.is_empty() && said.contains(seen), "{wrong}: {said:?}");
    }
    Ok(())
}

/// A section of an Asterisk file: its name and its settings, `=` and `=>` alike.
type Section = (String, Vec<(String, String)>);

fn sections(file: &str) -> anyhow::Result<Vec<Section>> {
    let mut found: Vec<Section> = Vec::new();
    for (number, line) in text(file)?.lines().enumerate() {
        // `\;` is a semicolon of the value, `;` begins a comment.
        let hidden = line.replace(r"\;", "\u{1}");
        let line = hidden.split(';').next().unwrap_or_default().replace('\u{1}', ";").trim().to_owned();
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            found.push((name.to_owned(), Vec::new()));
            continue;
        }
        let (key, value) =
            line.split_once('=').with_context(|| format!("{file}:{}: no setting", number + 1))?;
        let value = value.strip_prefix('>').unwrap_or(value).trim();
        let (_, settings) = found.last_mut().with_context(|| format!("{file}:{}: no section", number + 1))?;
        settings.push((key.trim().to_owned(), value.to_owned()));
    }
    Ok(found)
}

/// The options of res_pjsip that the recipe may use, by the type of section (Asterisk 22's documentation).
const PJSIP: [(&str, &[&str]); 4] = [
    ("transport", &["type", "protocol", "bind"]),
    (
        "endpoint",
        &[
            "type",
            "transport",
            "context",
            "aors",
            "disallow",
            "allow",
            "dtmf_mode",
            "direct_media",
            "trust_id_inbound",
            "send_pai",
        ],
    ),
    ("aor", &["type", "contact", "qualify_frequency"]),
    ("identify", &["type", "endpoint", "match"]),
];

#[test]
fn pjsip_peers_refer_to_what_there_is() -> anyhow::Result<()> {
    let sections = sections("asterisk/pjsip.conf")?;
    let setting = |settings: &[(String, String)], key: &str| -> Option<String> {
        settings.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    };
    let of_type = |wanted: &str| -> BTreeSet<String> {
        let named = sections.iter().filter(|(_, s)| setting(s, "type").as_deref() == Some(wanted));
        named.map(|(name, _)| name.clone()).collect()
    };
    for (name, settings) in &sections {
        let kind = setting(settings, "type").with_context(|| format!("[{name}] has no type"))?;
        let known =
            PJSIP.iter().find(|(k, _)| *k == kind).with_context(|| format!("[{name}]: type {kind}"))?.1;
        for (key, value) in settings {
            assert!(known.contains(&key.as_str()), "[{name}] of type {kind} has no option {key}");
            let exists = match key.as_str() {
                "transport" => of_type("transport").contains(value),
                "aors" => of_type("aor").contains(value),
                "endpoint" => of_type("endpoint").contains(value),
                "context" => {
                    value == "callseal-nobody"
                        || text("asterisk/extensions.conf")?.contains(&format!("[{value}]"))
                }
                _ => true,
            };
            assert!(exists, "[{name}]: {key} = {value} is nowhere");
        }
    }
    // Every peer that the dial plan rings is an endpoint, but the users', who are the administrator's.
    let peer = Regex::new(r"PJSIP/[^@&,)]+@([a-z-]+)")?;
    for found in peer.captures_iter(&text("asterisk/extensions.conf")?) {
        assert!(of_type("endpoint").contains(&found[1]), "no endpoint {}", &found[1]);
    }
    Ok(())
}

#[test]
fn features_call_a_subroutine_of_the_dial_plan() -> anyhow::Result<()> {
    let plan = text("asterisk/extensions.conf")?;
    let form = Regex::new(r"^(\*\d+),self,Gosub\(([a-z-]+),s,1\((start|stop)\)\)$")?;
    let sections = sections("asterisk/features.conf")?;
    assert_eq!(sections.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["applicationmap"]);
    for (feature, value) in &sections[0].1 {
        let found = form.captures(value).with_context(|| format!("{feature} => {value}"))?;
        assert_ne!(&found[1], "*1", "*1 is Callseal's own (F-32)");
        assert!(plan.contains(&format!("[{}]", &found[2])), "no context {}", &found[2]);
        assert!(plan.contains(feature.as_str()), "{feature} is never switched on");
    }
    Ok(())
}
