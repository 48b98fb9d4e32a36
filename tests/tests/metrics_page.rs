//! `docs/metrics.md` lists what the programs register: each metric with its own help text.

use std::{env, fmt::Write as _, fs, path::Path};

/// Where metrics are registered, with the heading of the page and what stands before their names there.
const SOURCES: &[(&str, &str, &[&str])] = &[
    ("Ingest", "callseal_ingest_", &["services/ingest/src"]),
    ("Rules", "", &["services/rules/src"]),
    ("Signer", "", &["services/signer/src"]),
    ("Shipper", "", &["services/shipper/src"]),
    ("Journal", "", &["services/journal/src"]),
    (
        "Shipper and journal, each with its own name in the place of `…`",
        "callseal_…_",
        &["crates/delivery/src"],
    ),
    ("Every service, of its connection to NATS", "callseal_bus_", &["crates/bus/src"]),
];
const BEGIN: &str = "<!-- from the sources -->\n";
const END: &str = "<!-- end -->";

/// The text literals of a source file, each with what stands between it and the one before.
fn literals(source: &str) -> Vec<(&str, &str)> {
    let (mut found, mut rest) = (Vec::new(), source);
    while let Some(at) = rest.find('"') {
        let Some(length) = rest[at + 1..].find('"') else { break };
        found.push((&rest[..at], &rest[at + 1..at + 1 + length]));
        rest = &rest[at + length + 2..];
    }
    found
}

/// Names and help texts: a name in small letters, directly followed by a sentence; a whole name may also
/// follow its sentence.
fn metrics(source: &str, prefix: &str) -> Vec<(String, String)> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let all = literals(source);
    let is_small = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_help =
        |text: &str| text.starts_with(|c: char| c.is_ascii_uppercase() || c == '1') && text.contains(' ');
    let mut found = Vec::new();
    for (at, (_, name)) in all.iter().enumerate() {
        let is_whole = name.starts_with("callseal_");
        if name.is_empty() || !name.chars().all(is_small) || !is_whole && prefix.is_empty() {
            continue;
        }
        let next = all.get(at + 1).filter(|(between, text)| between.trim() == "," && is_help(text));
        let before =
            at.checked_sub(1).and_then(|at| all.get(at)).filter(|(_, text)| is_whole && is_help(text));
        if let Some((_, help)) = next.or(before) {
            found.push((format!("{prefix}{name}"), help.trim_end_matches('.').to_owned()));
        } else {
            assert!(!is_whole, "{name} has no help text beside it");
        }
    }
    found
}

fn below(folder: &Path, prefix: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, prefix, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.extend(metrics(&fs::read_to_string(path).unwrap(), prefix));
        }
    }
}

fn tables(root: &Path) -> String {
    let mut text = String::new();
    for (heading, prefix, folders) in SOURCES {
        let mut found = Vec::new();
        folders.iter().for_each(|folder| below(&root.join(folder), prefix, &mut found));
        assert!(!found.is_empty(), "{heading}");
        found.sort();
        write!(text, "\n## {heading}\n\n| Metric | What it says |\n| --- | --- |\n").unwrap();
        for (name, help) in found {
            writeln!(text, "| `{name}` | {help} |").unwrap();
        }
    }
    text
}

#[test]
fn the_page_of_metrics_lists_what_the_programs_register() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = root.join("docs/metrics.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page says where the tables begin");
    let (_, after) = rest.split_once(END).expect("the page says where the tables end");
    let right = format!("{before}{BEGIN}{}\n{END}{after}", tables(root));
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &right).unwrap();
        return;
    }
    assert!(page == right, "docs/metrics.md is stale: run this test with UPDATE_DOCS=1\n{}", tables(root));
    // What the text beside the tables speaks of is there.
    for word in before.split('`').chain(after.split('`')).filter(|word| word.starts_with("callseal_")) {
        let name = word.split('{').next().unwrap_or_default();
        assert!(right.contains(&format!("| `{name}` |")), "{name} is not registered");
    }
}

#[test]
fn a_metric_in_a_source_is_found_with_its_help_and_other_texts_are_not() {
    let source = "new(\"callseal_a_b\", \"Age of it.\")?; y(\"lower\", \"Words here\")";
    assert_eq!(metrics(source, ""), [("callseal_a_b".to_owned(), "Age of it".to_owned())]);
    let after = "let what = \"CPU time\"; new(\"callseal_cpu\", what)";
    assert_eq!(metrics(after, ""), [("callseal_cpu".to_owned(), "CPU time".to_owned())]);
    let short = "r.gauge(\n  \"sockets\",\n  \"Open media sockets\",\n)";
    assert_eq!(metrics(short, "callseal_x_")[0].0, "callseal_x_sockets");
}
