//! `docs/evidence.md` says for each way to cheat which test shows that it is found: that test is there.

use std::fs;

use crate::{read_all, root};

const TABLE: &str = "| Who | Does what | Found by | Tested |";
/// Where tests lie.
const SOURCES: &[&str] = &["crates", "services", "tests"];

/// What stands between two `mark`s.
fn between(text: &str, mark: char) -> impl Iterator<Item = &str> {
    text.split(mark).skip(1).step_by(2)
}

#[test]
fn each_way_to_cheat_names_tests_that_are_there() {
    let root = root();
    let page = fs::read_to_string(root.join("docs/evidence.md")).unwrap();
    let rows = page.split_once(TABLE).unwrap().1.lines().skip(2).take_while(|line| line.starts_with('|'));
    let (mut sources, mut deeds) = (String::new(), String::new());
    SOURCES.iter().for_each(|folder| read_all(&root.join(folder), &mut sources));
    read_all(&root.join("crates/evidence/tests/tampering/rows"), &mut deeds);
    let mut count = 0;
    for row in rows {
        count += 1;
        let tested = row.split('|').nth(4).unwrap();
        let (names, done) =
            (between(tested, '`').collect::<Vec<_>>(), between(tested, '*').collect::<Vec<_>>());
        assert!(!names.is_empty() || !done.is_empty(), "no test: {row}");
        for name in names {
            assert!(sources.contains(&format!("fn {name}(")), "there is no test {name}");
        }
        for deed in done {
            assert!(deeds.contains(&format!("\"{deed}\"")), "there is no deed \"{deed}\"");
        }
    }
    assert!(count > 20, "{count} rows");
}
