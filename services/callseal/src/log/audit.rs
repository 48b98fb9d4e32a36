//! `callseal log audit`: does the log only ever grow, and is there a gap in what it tells?

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, ensure};
use evidence::{
    Certificate,
    log::{LogFiles, LogProblem, PublishedLog, SignedCheckpoint, audit::Audit},
    verify::{Folder, Keyring},
};
use jiff::SignedDuration;

use super::over_http::LogOverHttp;
use crate::{terminal::printable, verify::checkpoint};

/// All is good.
const GOOD: u8 = 0;
/// Something is wrong, and was said.
const WRONG: u8 = 1;

/// Which log, and which of its checkpoints.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// The older checkpoint: the one that you kept (a file, or an http or https address).
    #[arg(value_name = "OLD")]
    old: String,
    /// The newer one.
    #[arg(value_name = "NEW")]
    new: String,
    /// The log: its folder log/<tenant> in an archive, or the address of one. Without it, the folder
    /// that NEW lies in.
    #[arg(long, value_name = "DIR|URL")]
    log: Option<String>,
    /// Trust this certificate (PEM) and no other; may be given several times. Without it, certificates
    /// are taken from the folders above the log.
    #[arg(long = "certificate", value_name = "PEM")]
    certificates: Vec<PathBuf>,
    /// How long a call may last that is not told to its end.
    #[arg(long, default_value = "24h", value_name = "TIME")]
    longest_call: SignedDuration,
}

/// Audits. Exit code 0: nothing is wrong, 1: something is.
///
/// # Errors
/// Something that was given cannot be used.
pub(super) fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let (old, new) = (checkpoint(&args.old)?, checkpoint(&args.new)?);
    let place = args.log.clone().or_else(|| folder_of(&args.new)).context("say where the log is: --log")?;
    let over_http = place.starts_with("http://") || place.starts_with("https://");
    ensure!(
        !over_http || !args.certificates.is_empty(),
        "over HTTP the certificate has to be given: --certificate"
    );
    let keys = certificates(args, Path::new(&place))?;
    let files: Box<dyn LogFiles> = if over_http {
        Box::new(LogOverHttp::new(&place)?)
    } else {
        Box::new(LogFolder(PathBuf::from(&place)))
    };
    let longest_call = Duration::try_from(args.longest_call).context("--longest-call cannot be negative")?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let good = audit(&*files, &keys, &old, &new, longest_call, &mut out)?;
    out.flush()?;
    Ok(ExitCode::from(if good { GOOD } else { WRONG }))
}

/// True if nothing is wrong.
fn audit(
    files: &dyn LogFiles,
    keys: &Keyring,
    old: &SignedCheckpoint,
    new: &SignedCheckpoint,
    longest_call: Duration,
    out: &mut impl Write,
) -> io::Result<bool> {
    let mut wrong = 0;
    let mut say = |out: &mut dyn Write, problem: &dyn ToString| -> io::Result<()> {
        wrong += 1;
        writeln!(out, "WRONG  {}", printable(&problem.to_string()))
    };
    let log = match PublishedLog::open(files, keys) {
        Ok(log) => log,
        Err(problems) => {
            for problem in problems {
                say(out, &problem)?;
            }
            return Ok(false);
        }
    };
    writeln!(out, "{}: {} entries", log.origin(), log.newest().checkpoint.size)?;
    for problem in log.problems() {
        say(out, problem)?;
    }
    for (name, given) in [("old", old), ("new", new)] {
        let size = given.checkpoint.size;
        match log.is_consistent_with(given) {
            Ok(()) => writeln!(out, "ok     the log continues the {name} checkpoint, of {size} entries")?,
            Err(problem) => say(out, &format!("the {name} checkpoint, of {size} entries: {problem}"))?,
        }
    }
    if old.checkpoint.size > new.checkpoint.size {
        let (had, has) = (old.checkpoint.size, new.checkpoint.size);
        say(out, &LogProblem::RolledBack { had, has })?;
    }
    if old.checkpoint.size == new.checkpoint.size && old.checkpoint.root != new.checkpoint.root {
        say(out, &LogProblem::Forked { size: old.checkpoint.size })?;
    }
    let mut audit = Audit::new();
    let mut last = None;
    for entry in log.entries() {
        match entry {
            Ok((index, entry)) => {
                last = last.max(Some(entry.at));
                audit.add(index, &entry);
            }
            Err(problem) => say(out, &problem)?,
        }
    }
    if let Some(last) = last {
        let report = audit.finish(last, longest_call);
        for (class, chain) in &report.chains {
            let (sealed, first, last) = (chain.sealed, chain.first, chain.last);
            writeln!(out, "       chain of class {class}: {sealed} recordings, positions {first} to {last}")?;
        }
        for note in &report.notes {
            writeln!(out, "       {}", printable(&note.to_string()))?;
        }
        for finding in &report.findings {
            say(out, finding)?;
        }
    }
    match wrong {
        0 => writeln!(out, "the log only grew, and tells every call and chain to its end: all good")?,
        wrong => writeln!(out, "SOMETHING IS WRONG: {wrong} findings")?,
    }
    Ok(wrong == 0)
}

/// Where the checkpoint `…/checkpoint` or `…/checkpoints/<size>` belongs to.
fn folder_of(given: &str) -> Option<String> {
    let (folder, name) = given.rsplit_once('/').unwrap_or((".", given));
    if name == "checkpoint" {
        return Some(folder.to_owned());
    }
    match folder {
        "checkpoints" => Some(".".to_owned()),
        folder => folder.strip_suffix("/checkpoints").map(str::to_owned),
    }
}

fn certificates(args: &AuditArgs, place: &Path) -> anyhow::Result<Keyring> {
    let mut keys = Keyring::new();
    for path in &args.certificates {
        let unusable = || format!("{} is of no use", path.display());
        let pem = fs::read_to_string(path).with_context(unusable)?;
        keys.add(Certificate::from_pem(&pem).with_context(unusable)?);
    }
    if args.certificates.is_empty() {
        let mut above = Folder::new();
        let place = fs::canonicalize(place).with_context(|| format!("{} cannot be read", place.display()))?;
        for folder in place.ancestors() {
            // In staging they lie in a folder of their own.
            for folder in [folder.to_owned(), folder.join("certificates")] {
                for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                    let path = entry.path();
                    if path.extension().is_some_and(|ending| ending == "pem") && path.is_file() {
                        above.add(&path)?;
                    }
                }
            }
        }
        keys.add_from(&above);
    }
    ensure!(!keys.is_empty(), "there is no certificate to judge the log by: give --certificate");
    Ok(keys)
}

/// A log in a folder of this machine.
struct LogFolder(PathBuf);

impl LogFiles for LogFolder {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.0.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_where_its_checkpoint_lies() {
        for (given, expected) in [
            ("archive/log/acme/checkpoint", Some("archive/log/acme")),
            ("archive/log/acme/checkpoints/00000000000000000007", Some("archive/log/acme")),
            ("checkpoint", Some(".")),
            ("checkpoints/00000000000000000007", Some(".")),
            ("http://127.0.0.1:1/log/acme/checkpoint", Some("http://127.0.0.1:1/log/acme")),
            ("kept.txt", None),
        ] {
            assert_eq!(folder_of(given).as_deref(), expected, "{given}");
        }
    }
}
