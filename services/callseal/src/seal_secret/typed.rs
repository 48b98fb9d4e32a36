//! A value from standard input.

use std::io::{self, IsTerminal as _, Read as _};

use anyhow::{Context as _, ensure};
use domain::Sensitive;

/// The whole of standard input, without the line end that `echo` and editors leave behind it.
pub(super) fn value() -> anyhow::Result<Sensitive<String>> {
    ensure!(
        !io::stdin().is_terminal(),
        "the value would show on this terminal; hand it over instead, for instance by: \
         systemd-ask-password -n | callseal seal-secret …"
    );
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).context("the value cannot be read, or is no text")?;
    let ended = text.strip_suffix('\n').map_or(text.len(), |line| line.trim_end_matches('\r').len());
    text.truncate(ended);
    ensure!(!text.is_empty(), "there is no value on standard input");
    Ok(Sensitive::new(text))
}
