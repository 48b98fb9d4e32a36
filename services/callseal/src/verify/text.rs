//! The lines on the terminal.
//!
//! Base names hold numbers. They are shown here, because who can read the archive can read them anyway.

use std::io::{self, Write};

use evidence::verify::RecordingReport;

use super::{
    output::Output,
    verdict::{Said, Verdict},
};
use crate::terminal::printable;

/// Writes line by line.
pub(super) struct Text<W>(pub(super) W);

impl<W: Write> Text<W> {
    fn say(&mut self, said: &[Said]) -> io::Result<()> {
        for Said { detail, text, .. } in said {
            writeln!(self.0, "{}{}", if *detail { "       " } else { "" }, printable(text))?;
        }
        Ok(())
    }
}

impl<W: Write> Output for Text<W> {
    fn recording(&mut self, recording: &RecordingReport) -> io::Result<()> {
        let verdict = if recording.findings.is_empty() { "ok   " } else { "WRONG" };
        writeln!(self.0, "{verdict}  {}", printable(recording.base.as_str()))?;
        for finding in &recording.findings {
            writeln!(self.0, "       {}", printable(&finding.to_string()))?;
        }
        Ok(())
    }

    fn stray(&mut self, path: &str) -> io::Result<()> {
        writeln!(self.0, "WRONG  {}\n       belongs to no recording", printable(path))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn finish(&mut self, verdict: &Verdict<'_>) -> io::Result<()> {
        writeln!(self.0)?;
        self.say(&verdict.lanes())?;
        self.say(&verdict.archives())?;
        self.say(&verdict.certificates())?;
        writeln!(self.0, "{}", verdict.conclusion())?;
        self.0.flush()
    }
}
