//! The pages about targets, delivery and journals say what errors mean: those errors are really said.

use std::fs;

use crate::{read_all, root};

/// What the tables of errors begin with.
const TABLE: &str = "\n| It says |";
/// Where the errors are said.
const SOURCES: &[&str] = &[
    "crates/mail/src",
    "crates/targets/src",
    "crates/tunnel/src",
    "crates/domain/src",
    "services/journal/src",
    "services/shipper/src",
];

/// The sources, each text in one line, as it is said.
fn sources() -> String {
    let mut sources = String::new();
    SOURCES.iter().for_each(|folder| read_all(&root().join(folder), &mut sources));
    let mut pieces = sources.split("\\\n");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |said, piece| said + piece.trim_start())
}

/// The texts of a row's first column: in backticks, or with points between them.
fn texts(row: &str) -> Vec<&str> {
    let cell = row.split('|').nth(1).unwrap();
    if cell.contains('`') { cell.split('`').skip(1).step_by(2).collect() } else { cell.split('·').collect() }
}

/// What is said word by word of a text: not `…`, and not the numbers, names and codes in its place.
fn said(text: &str) -> Vec<&str> {
    let text = text.split_once(" (").map_or(text, |(text, _)| text);
    let gaps = ["…", " N ", " M ", "HOST:PORT"];
    let mut pieces = vec![text];
    for gap in gaps {
        pieces = pieces.into_iter().flat_map(|piece| piece.split(gap)).collect();
    }
    let pieces = pieces.into_iter().map(|piece| piece.trim().trim_end_matches(" N"));
    pieces.filter(|piece| piece.len() > 3).collect()
}

#[test]
fn each_error_that_the_pages_explain_is_said() {
    let sources = sources();
    let folder = root().join("docs/targets");
    let mut pages: Vec<_> = fs::read_dir(folder).unwrap().map(|page| page.unwrap().path()).collect();
    pages.extend(["docs/delivery.md", "docs/journal.md"].map(|page| root().join(page)));
    let (mut count, mut never) = (0, Vec::new());
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for table in text.split(TABLE).skip(1) {
            for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
                for piece in texts(row).into_iter().flat_map(said) {
                    count += 1;
                    if !sources.contains(piece) {
                        never.push(format!("{}: {piece}", page.display()));
                    }
                }
            }
        }
    }
    assert!(never.is_empty(), "{never:#?}");
    assert!(count > 200, "{count} texts");
}
