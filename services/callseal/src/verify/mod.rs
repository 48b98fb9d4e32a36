//! `callseal verify`: for an auditor at a terminal, and for the auditor's files.

mod args;
mod html;
mod json;
mod output;
mod progress;
mod report_key;
mod sources;
mod text;
mod verdict;

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use anyhow::Context;
use evidence::verify::verify_each;
use jiff::Timestamp;

pub use self::args::VerifyArgs;
pub(crate) use self::sources::checkpoint;
use self::{
    html::Html,
    json::Json,
    output::{Output, Outputs},
    progress::Progress,
    report_key::ReportKey,
    sources::{Prepared, prepare},
    text::Text,
    verdict::{Outcome, Verdict},
};

/// All is good.
const GOOD: u8 = 0;
/// Something is wrong, and was said.
const WRONG: u8 = 1;
/// Nothing could be verified.
const USAGE: u8 = 2;

/// Verifies and says what is wrong.
///
/// # Errors
/// None: whatever is wrong with the archive or the arguments is said and becomes the exit code.
pub fn run(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let code = verified(&args).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        USAGE
    });
    Ok(ExitCode::from(code))
}

fn verified(args: &VerifyArgs) -> anyhow::Result<u8> {
    let began = Timestamp::now();
    let key = args.report_key.as_deref().map(ReportKey::read).transpose()?;
    let mut progress = Progress::new();
    let prepared = prepare(args, |files| progress.listed(files));
    progress.clear();
    let Prepared { archive, inventory, keys, mut options, what } = prepared?;
    progress.all = inventory.recordings();

    let stdout = io::stdout();
    // Lines that a person watches come at once, those for a file in blocks.
    let buffered =
        io::BufWriter::with_capacity(if stdout.is_terminal() { 256 } else { 64 * 1024 }, stdout.lock());
    let mut outputs = Outputs { places: Vec::new(), progress, failed: None };
    outputs.places.push(if args.json {
        Box::new(Json::new(buffered)) as Box<dyn Output>
    } else {
        Box::new(Text(buffered))
    });
    if let Some(path) = &args.report {
        let report = Html::new(path, key).with_context(|| format!("{} cannot be written", path.display()))?;
        outputs.places.push(Box::new(report));
    }
    let summary = verify_each(&*archive, inventory, &keys, &mut options, &mut outputs)?;
    let verdict = Verdict {
        summary: &summary,
        keys: &keys,
        what: &what,
        certificates_given: !args.certificates.is_empty(),
        target_given: args.target.is_some(),
        complete: args.complete,
        log_required: args.log.is_some(),
        times: (began, Timestamp::now()),
    };
    if verdict.is_empty() {
        eprintln!("error: there is no recording in what was given");
        return Ok(USAGE);
    }
    outputs.finish(&verdict).context("what was found cannot be written")?;
    Ok(match verdict.outcome() {
        Outcome::Good => GOOD,
        Outcome::Wrong => WRONG,
        Outcome::Nothing => USAGE,
    })
}
