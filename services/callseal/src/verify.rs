//! `callseal verify`: for an auditor at a terminal.
//!
//! Base names hold numbers. They are shown here, because who can read the archive can read them anyway.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use evidence::{
    Certificate,
    verify::{Folder, Keyring, LaneReport, RecordingReport, Report, verify},
};
use jiff::Timestamp;

use crate::terminal::printable;

/// All is good.
const GOOD: u8 = 0;
/// Something is wrong, and was said.
const WRONG: u8 = 1;
/// Nothing could be verified.
const USAGE: u8 = 2;

/// What to verify, and with which certificates.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Folders with recordings, at any depth, or files of single recordings.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Trust this certificate (PEM) and no other; may be given several times. Without it, certificates
    /// are taken from the archive and the folders above it.
    #[arg(long = "certificate", value_name = "PEM")]
    certificates: Vec<PathBuf>,
    /// Chains have to begin with their first recording: the archive holds everything.
    #[arg(long)]
    complete: bool,
}

/// Verifies and says what is wrong.
///
/// # Errors
/// Only when the terminal cannot be written to. Whatever is wrong with the archive or the arguments is
/// said and becomes the exit code.
pub fn run(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let code = match prepare(&args) {
        Ok((folder, keys)) => show(&verify(&folder, &keys), &keys, &args, &mut out)?,
        Err(error) => {
            eprintln!("error: {error:#}");
            USAGE
        }
    };
    out.flush()?;
    Ok(ExitCode::from(code))
}

fn prepare(args: &VerifyArgs) -> anyhow::Result<(Folder, Keyring)> {
    let mut folder = Folder::new();
    for path in &args.paths {
        folder.add(path)?;
    }
    let mut keys = Keyring::new();
    for path in &args.certificates {
        keys.add(certificate(path)?);
    }
    if args.certificates.is_empty() {
        // What is a certificate of something else is of no use here, and no fault.
        keys.add_from(&folder);
        keys.add_from(&certificates_above(&args.paths)?);
    }
    Ok((folder, keys))
}

fn certificate(path: &Path) -> anyhow::Result<Certificate> {
    use anyhow::Context;
    let pem = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Certificate::from_pem(&pem).with_context(|| format!("{} is of no use", path.display()))
}

/// Every `*.pem` beside the paths and in the folders above them.
fn certificates_above(paths: &[PathBuf]) -> anyhow::Result<Folder> {
    let mut found = Folder::new();
    for path in paths {
        let path = fs::canonicalize(path)?;
        for folder in path.ancestors().skip(1).filter(|folder| folder.parent().is_some()) {
            // A folder above may be closed to this user; then nothing is found in it.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.extension().is_some_and(|ending| ending == "pem") && path.is_file() {
                    found.add(&path)?;
                }
            }
        }
    }
    Ok(found)
}

fn show(report: &Report, keys: &Keyring, args: &VerifyArgs, out: &mut impl Write) -> io::Result<u8> {
    if report.recordings.is_empty() && report.strays.is_empty() {
        eprintln!("error: there is no recording in what was given");
        return Ok(USAGE);
    }
    for recording in &report.recordings {
        show_recording(recording, out)?;
    }
    for stray in &report.strays {
        writeln!(out, "WRONG  {}\n       belongs to no recording", printable(stray))?;
    }
    writeln!(out)?;
    let mut broken = 0;
    for lane in &report.lanes {
        broken += usize::from(!show_lane(lane, args.complete, out)?);
    }
    show_certificates(report, keys, args, out)?;
    let all = report.recordings.len();
    let wrong = report.recordings.iter().filter(|recording| !recording.findings.is_empty()).count();
    let strays = report.strays.len();
    if wrong + strays + broken == 0 {
        writeln!(out, "{all} recordings verified: all good")?;
        return Ok(GOOD);
    }
    writeln!(
        out,
        "{all} recordings verified: SOMETHING IS WRONG: {wrong} recordings, {broken} chains, {strays} files that belong to no recording"
    )?;
    Ok(WRONG)
}

fn show_recording(recording: &RecordingReport, out: &mut impl Write) -> io::Result<()> {
    let verdict = if recording.findings.is_empty() { "ok   " } else { "WRONG" };
    writeln!(out, "{verdict}  {}", printable(recording.base.as_str()))?;
    for finding in &recording.findings {
        writeln!(out, "       {}", printable(&finding.to_string()))?;
    }
    Ok(())
}

/// True if the chain is good.
fn show_lane(lane: &LaneReport, complete: bool, out: &mut impl Write) -> io::Result<bool> {
    let LaneReport { recordings, positions: (first, last), missing_before, .. } = lane;
    let cut = complete && *missing_before > 0;
    let good = lane.problems.is_empty() && !cut;
    let verdict = if good { "chain complete" } else { "CHAIN BROKEN" };
    let (from, to) = (start(lane.started.0), start(lane.started.1));
    let lane_name = &lane.lane;
    writeln!(out, "{lane_name}: {recordings} recordings, {verdict} from {first} ({from}) to {last} ({to})")?;
    for problem in &lane.problems {
        writeln!(out, "       {problem}")?;
    }
    if *missing_before > 0 {
        let weight = if cut { "MISSING" } else { "not in this archive" };
        writeln!(out, "       the {missing_before} before are {weight}")?;
    }
    Ok(good)
}

fn start(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// The certificates that any of the recordings was signed by.
fn show_certificates(
    report: &Report,
    keys: &Keyring,
    args: &VerifyArgs,
    out: &mut impl Write,
) -> io::Result<()> {
    for certificate in keys.certificates() {
        let id = certificate.public_key().id();
        let signed = report.recordings.iter().filter(|recording| recording.signed_by == Some(id)).count();
        if signed > 0 {
            let (subject, fingerprint) = (printable(&certificate.subject()), certificate.fingerprint());
            writeln!(out, "certificate: {subject}, {signed} recordings, SHA-256 fingerprint {fingerprint}")?;
        }
    }
    if args.certificates.is_empty() && report.recordings.iter().any(|recording| recording.signed_by.is_some())
    {
        writeln!(
            out,
            "             found beside the archive: compare the fingerprint with the one you were given"
        )?;
    }
    Ok(())
}
