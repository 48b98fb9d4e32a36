//! What `callseal verify` takes.

use std::{num::NonZeroUsize, path::PathBuf};

use domain::{ResourceName, TenantId};
use evidence::log::WitnessKey;
use jiff::SignedDuration;

/// What to verify, and by what.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Folders with recordings, at any depth, or files of single recordings.
    #[arg(required_unless_present = "config", value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Verify a storage target where it lies: the one of --target in this configuration folder.
    #[arg(long, value_name = "DIR", requires = "target", conflicts_with = "paths")]
    pub(super) config: Option<PathBuf>,
    /// Folder that relative paths of targets start from.
    #[arg(long, env = "CALLSEAL_DATA", default_value = ".", value_name = "DIR")]
    pub(super) data: PathBuf,
    /// The tenant, where several have a storage target of this name.
    #[arg(long, requires = "config", value_name = "TENANT")]
    pub(super) tenant: Option<TenantId>,
    /// The storage target that the archive is, by its name in the configuration. Without it, the
    /// archive's own archive.txt counts, which nobody signs.
    #[arg(long, value_name = "NAME")]
    pub(super) target: Option<ResourceName>,
    /// Trust this certificate (PEM) and no other; may be given several times. Without it, certificates
    /// are taken from the archive and the folders above it.
    #[arg(long = "certificate", value_name = "PEM")]
    pub(super) certificates: Vec<PathBuf>,
    /// Chains have to begin with their first recording: the archive holds everything, nothing has
    /// expired.
    #[arg(long)]
    pub(super) complete: bool,
    /// A checkpoint of the log that you kept from an earlier audit or got from a witness (a file, or an
    /// http or https address); may be given several times. The log has to continue it.
    #[arg(long = "checkpoint", value_name = "FILE|URL")]
    pub(super) checkpoints: Vec<String>,
    /// The key of a witness that has to have cosigned the newest checkpoint; may be given several times.
    #[arg(long = "witness", value_name = "VKEY")]
    pub(super) witnesses: Vec<WitnessKey>,
    /// So many of the witnesses of --witness suffice. Without it, each has to have cosigned.
    #[arg(long, value_name = "N", requires = "witnesses")]
    pub(super) witness_quorum: Option<NonZeroUsize>,
    /// Certificates (PEM) of time-stamp authorities: time stamps are judged by them. Without it they
    /// are not judged, and that is said.
    #[arg(long, value_name = "PEM")]
    pub(super) tsa_ca: Option<PathBuf>,
    /// What was sealed so shortly before the end of the log in this archive, and within the last hour,
    /// may still be on its way: `10m`, `30s`; 0: nothing may.
    #[arg(long, default_value = "10m", value_name = "TIME", value_parser = duration)]
    pub(super) grace: SignedDuration,
    /// What is younger than this cannot have expired: gone from the beginning of a chain, it is missing.
    /// `30d`, `12h`; 0: whatever is gone from the beginning may have expired.
    #[arg(long, default_value = "30d", value_name = "TIME", value_parser = duration)]
    pub(super) retention: SignedDuration,
    /// `required`: a chain whose log is not here is wrong, because nothing then tells whether its end was
    /// cut off. Without it, that is only said.
    #[arg(long, value_name = "required", value_parser = ["required"])]
    pub(super) log: Option<String>,
    /// Go on with what this file says was verified before, by names, sizes and times of files, and add
    /// to it; it is made when missing. It holds names of files.
    #[arg(long, value_name = "FILE")]
    pub(super) resume: Option<PathBuf>,
    /// Recordings that are read at once.
    #[arg(long, default_value = "2", value_name = "N")]
    pub(super) jobs: NonZeroUsize,
    /// Print JSON: one object, with every recording, lane, archive and log.
    #[arg(long)]
    pub(super) json: bool,
    /// Write a report to file: one HTML page that needs nothing else.
    #[arg(long, value_name = "FILE.html")]
    pub(super) report: Option<PathBuf>,
    /// Sign the report with this key of yours (Ed25519 or P-256, PKCS#8 PEM): FILE.html.sig.
    #[arg(long, value_name = "PEM", requires = "report")]
    pub(super) report_key: Option<PathBuf>,
}

/// `0`, or a time with its unit.
fn duration(text: &str) -> Result<SignedDuration, String> {
    let days = text.strip_suffix('d').and_then(|days| days.trim().parse::<u32>().ok());
    let duration = match days {
        _ if text == "0" => Some(SignedDuration::ZERO),
        Some(days) => Some(SignedDuration::from_hours(24 * i64::from(days))),
        None => text.parse().ok(),
    };
    let expected = || "expected a time with its unit, as 30d, 10m or 30s, or 0".to_owned();
    duration.filter(|duration: &SignedDuration| !duration.is_negative()).ok_or_else(expected)
}
