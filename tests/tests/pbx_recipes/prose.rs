//! The pages of docs/pbx: what they show exists.

use std::{fs, path::Path};

use anyhow::Context;
use regex::Regex;

use crate::{api, recipe, text};

const PAGES: [&str; 5] = ["README.md", "asterisk.md", "freeswitch.md", "kamailio.md", "opensips.md"];

#[test]
fn every_file_that_a_page_links_to_exists() -> anyhow::Result<()> {
    let link = Regex::new(r"\]\(([^)#]+)(?:#[^)]*)?\)")?;
    for page in PAGES {
        for found in link.captures_iter(&text(page)?) {
            let target = &found[1];
            assert!(target.starts_with("http") || recipe(target).exists(), "{page} links to {target}");
        }
    }
    Ok(())
}

#[test]
fn every_recipe_is_linked_from_its_page() -> anyhow::Result<()> {
    fn files(folder: &Path, found: &mut Vec<String>) -> anyhow::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                files(&path, found)?;
            } else {
                found.push(path.strip_prefix(recipe(""))?.to_str().context("a name in UTF-8")?.to_owned());
            }
        }
        Ok(())
    }
    for pbx in ["asterisk", "freeswitch", "kamailio", "opensips"] {
        let mut found = Vec::new();
        files(&recipe(pbx), &mut found)?;
        let page = text(&format!("{pbx}.md"))?;
        assert!(!found.is_empty());
        for file in found {
            assert!(page.contains(&format!("]({file})")), "{pbx}.md does not name {file}");
        }
    }
    Ok(())
}

#[test]
fn the_table_of_http_calls_is_there_and_pages_show_no_others() -> anyhow::Result<()> {
    assert!(api::routes()?.len() >= 6, "the table of docs/pbx/README.md is not found");
    let shown = Regex::new(r"(?:--request|-X) (GET|PUT|POST|DELETE)[^\n]*?(/v1/tenants/[^\s'\x22?`]+)")?;
    for page in PAGES {
        for found in shown.captures_iter(&text(page)?.replace("\\\n", " ")) {
            assert!(api::is_known(&found[1], &found[2])?, "{page}: {} {}", &found[1], &found[2]);
        }
    }
    Ok(())
}
