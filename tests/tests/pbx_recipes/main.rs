//! The recipes of docs/pbx: each is read by the real program where there is one (Kamailio, which also runs
//! calls here), by a linter where there is one (Asterisk's dial plan), and else by checks of ours.

mod api;
mod asterisk;
mod freeswitch;
mod kamailio;
mod kamailio_calls;
mod opensips;
mod opensips_script;
mod prose;

use std::{fs, path::PathBuf};

use anyhow::Context;
use harness::programs;

/// A file below docs/pbx.
fn recipe(path: &str) -> PathBuf {
    programs::workspace().join("docs/pbx").join(path)
}

/// The text of a file below docs/pbx.
fn text(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(recipe(path)).with_context(|| format!("docs/pbx/{path}"))
}
