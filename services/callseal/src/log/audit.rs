//! `callseal log audit`: does the log only ever grow, is there a gap in what it tells, and who stopped,
//! listened and deleted?

mod told;

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, ensure};
use evidence::{
    Certificate,
    log::{
        LogFiles, LogProblem, PublishedLog, SignedCheckpoint, What,
        audit::{Audit, AuditNote},
        key_change_problem,
    },
    verify::{Folder, Keyring, open_regular},
};
use jiff::SignedDuration;

use self::told::Told;
use super::over_http::LogOverHttp;
use crate::verify::checkpoint;

/// All is good.
const GOOD: u8 = 0;
/// Something is wrong, and was said.
const WRONG: u8 = 1;
/// No file of a log is longer: a full entry bundle holds 256 entries of up to 64 KiB.
const LONGEST: u64 = 32 * 1024 * 1024;

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
    /// Print JSON: one object.
    #[arg(long)]
    json: bool,
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
    let mut told = if args.json { Told::json(&mut out) } else { Told::lines(&mut out) };
    audit(&*files, &keys, (&old, &new), longest_call, &mut told)?;
    let good = told.finish()?;
    out.flush()?;
    Ok(ExitCode::from(if good { GOOD } else { WRONG }))
}

fn audit(
    files: &dyn LogFiles,
    keys: &Keyring,
    (old, new): (&SignedCheckpoint, &SignedCheckpoint),
    longest_call: Duration,
    told: &mut Told<'_>,
) -> io::Result<()> {
    let log = match PublishedLog::open(files, keys) {
        Ok(log) => log,
        Err(problems) => return problems.iter().try_for_each(|problem| told.wrong(problem)),
    };
    told.log(log.origin().as_str(), log.newest().checkpoint.size)?;
    log.problems().iter().try_for_each(|problem| told.wrong(problem))?;
    for (name, given) in [("old", old), ("new", new)] {
        let size = given.checkpoint.size;
        match log.is_consistent_with(given) {
            Ok(()) => told.continues(name, size)?,
            Err(problem) => {
                told.wrong(&format!("the {name} checkpoint, of {size} entries: {problem}"))?;
            }
        }
    }
    if old.checkpoint.size > new.checkpoint.size {
        let (had, has) = (old.checkpoint.size, new.checkpoint.size);
        told.wrong(&LogProblem::RolledBack { had, has })?;
    }
    if old.checkpoint.size == new.checkpoint.size && old.checkpoint.root != new.checkpoint.root {
        told.wrong(&LogProblem::Forked { size: old.checkpoint.size })?;
    }
    let mut audit = Audit::new();
    let mut last = None;
    for entry in log.entries() {
        let (index, entry) = match entry {
            Ok(entry) => entry,
            Err(problem) => {
                told.wrong(&problem)?;
                continue;
            }
        };
        last = last.max(Some(entry.at));
        audit.add(index, &entry);
        if let What::Key(key) = &entry.what {
            let problem = key_change_problem(files, keys, log.origin().tenant(), (index, key));
            problem.iter().try_for_each(|problem| told.wrong(problem))?;
        }
        // As it passes: people may have listened more often than fits into memory.
        AuditNote::of(index, &entry).iter().try_for_each(|note| told.note(note))?;
    }
    let Some(last) = last else { return Ok(()) };
    let report = audit.finish(last, longest_call);
    let silences = report.notes.iter().filter(|note| matches!(note, AuditNote::Silence { .. }));
    silences.into_iter().try_for_each(|note| told.note(note))?;
    report.chains.iter().try_for_each(|(class, chain)| told.chain(*class, chain))?;
    let retired = report.retired_key(log.newest());
    report.findings.iter().chain(&retired).try_for_each(|finding| told.wrong(finding))
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
            // In staging they lie in a folder of their own, and a tenant's own ones in one below.
            let of_all = folder.join("certificates");
            let tenant = place.file_name().unwrap_or_default();
            for folder in [folder.to_owned(), of_all.join(tenant), of_all] {
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
        let mut bytes = Vec::new();
        match open_regular(&self.0.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?.take(LONGEST).read_to_end(&mut bytes)?,
        };
        Ok(Some(bytes))
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
