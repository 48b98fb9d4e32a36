//! The options of each service, read as its own program reads them: the same words, the same
//! environment, the same defaults.

use std::ffi::{OsStr, OsString};

use clap::{Args, Parser};

use super::{UpArgs, data_folder::DataFolder};

/// Reads options from given words; what is not given comes from the environment or is the default.
///
/// # Errors
/// A value cannot be; the text names it.
pub fn parse<T: Args>(
    program: &str,
    given: impl IntoIterator<Item = (&'static str, impl AsRef<OsStr>)>,
) -> anyhow::Result<T> {
    #[derive(Parser)]
    struct Only<T: Args> {
        #[command(flatten)]
        options: T,
    }
    let mut words = vec![OsString::from(program)];
    for (name, value) in given {
        words.push(name.into());
        words.push(value.as_ref().to_owned());
    }
    Ok(Only::<T>::try_parse_from(words)?.options)
}

fn text(value: impl ToString) -> OsString {
    value.to_string().into()
}

pub(super) fn ingest(args: &UpArgs, data: &DataFolder) -> anyhow::Result<callseal_ingest::Options> {
    let mut given = vec![
        ("--sip", text(args.sip)),
        ("--rtp-ports", text(&args.rtp_ports)),
        ("--config", args.config.clone().into()),
        ("--spool", data.spool().into()),
        ("--grace", text(args.drain.saturating_sub(5))),
    ];
    given.extend(args.advertise.map(|address| ("--advertise", text(address))));
    parse("ingest", given)
}

pub(super) fn rules(args: &UpArgs, data: &DataFolder) -> anyhow::Result<callseal_rules::Options> {
    // The API is served on --http, beside metrics and health.
    let given = [
        ("--config", args.config.clone().into()),
        ("--vault-key", data.vault_key().into()),
        ("--api", text("none")),
    ];
    parse("rules", given)
}

pub(super) fn signer(args: &UpArgs, data: &DataFolder) -> anyhow::Result<callseal_signer::Options> {
    let given = [
        ("--config", args.config.clone().into()),
        ("--state", text(data.state("signer")?)),
        ("--staging", data.staging().into()),
        ("--installation", text(&args.installation)),
    ];
    parse("signer", given)
}

pub(super) fn shipper(args: &UpArgs, data: &DataFolder) -> anyhow::Result<callseal_shipper::Options> {
    let given = [
        ("--config", args.config.clone().into()),
        ("--state", text(data.state("shipper")?)),
        ("--staging", data.staging().into()),
        ("--data", data.root().into()),
        ("--vault-key", data.vault_key().into()),
        ("--staging-quota", text(&args.staging_quota)),
    ];
    let mut options: callseal_shipper::Options = parse("shipper", given)?;
    options.notify.operator = args.operator.clone();
    options.scripts = args.scripts.clone();
    Ok(options)
}

pub(super) fn journal(args: &UpArgs, data: &DataFolder) -> anyhow::Result<callseal_journal::Options> {
    let given = [
        ("--config", args.config.clone().into()),
        ("--state", text(data.state("journal")?)),
        ("--data", data.root().into()),
        ("--vault-key", data.vault_key().into()),
    ];
    parse("journal", given)
}
