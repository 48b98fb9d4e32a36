//! `callseal seal-secret`: values of Secrets, sealed by the key of the installation (F-81).
//!
//! Whole files are sealed in place; one value is read from standard input, never from the command line,
//! where everybody on the machine could read it.

mod in_place;
mod typed;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail, ensure};
use config::Loaded;
use domain::{ResourceName, TenantId, resources::Kind};
use vault::Vault;

/// Which values, and which key.
#[derive(Debug, clap::Args)]
pub struct SealSecretArgs {
    /// Files of the configuration folder: all plain values of Secrets in them are sealed in place, the
    /// rest is kept as it is.
    #[arg(value_name = "FILE", required_unless_present = "secret", conflicts_with = "secret")]
    files: Vec<PathBuf>,
    /// Folder with the configuration: says whose a Secret is.
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR", required_unless_present = "secret")]
    config: Option<PathBuf>,
    /// Folder for everything Callseal keeps; the key is vault.key in it, and is made if it is missing.
    #[arg(long, env = "CALLSEAL_DATA", value_name = "DIR", required_unless_present = "vault_key")]
    data: Option<PathBuf>,
    /// The key's file, where it lies elsewhere.
    #[arg(long, env = "CALLSEAL_VAULT_KEY", value_name = "FILE")]
    vault_key: Option<PathBuf>,
    /// Values sealed with the key in this file are sealed anew, too: after a change of the key.
    #[arg(long, value_name = "FILE", conflicts_with = "secret")]
    old_key: Option<PathBuf>,
    /// Seals one value, read from standard input, for the Secret of this name, and prints it.
    #[arg(long, value_name = "NAME", requires_all = ["key", "tenant"])]
    secret: Option<ResourceName>,
    /// The value's key in that Secret.
    #[arg(long, value_name = "KEY", requires = "secret")]
    key: Option<String>,
    /// Whose Secret it is.
    #[arg(long, value_name = "TENANT", requires = "secret")]
    tenant: Option<TenantId>,
}

/// Seals. Exit code 0: all plain values are sealed, 1: some are not (why is said), and their files are as
/// they were.
///
/// # Errors
/// The configuration, a file or the key cannot be used.
pub fn run(args: &SealSecretArgs) -> anyhow::Result<ExitCode> {
    match (&args.secret, &args.key, &args.tenant) {
        (Some(secret), Some(key), Some(tenant)) => {
            let value = typed::value()?;
            let vault = key_to_seal_with(&args.key_file()?)?;
            let text = config::sealed::seal(&vault, tenant, secret, key, &value);
            println!("{}:\n  {key}: \"{text}\"", config::sealed::FIELD);
            Ok(ExitCode::SUCCESS)
        }
        _ => seal_files(args),
    }
}

fn seal_files(args: &SealSecretArgs) -> anyhow::Result<ExitCode> {
    let config = args.config.as_deref().context("--config is missing")?;
    let loaded = config::load(config)?;
    let old = args.old_key.as_deref().map(Vault::open_existing).transpose()?;
    let files: Vec<in_place::File> = args
        .files
        .iter()
        .map(|file| in_place::File::find(file, config, &loaded))
        .collect::<Result<_, _>>()?;
    if old.is_none() && files.iter().all(in_place::File::is_sealed) {
        println!("there is no value in plain text");
        return Ok(complain(&files, ExitCode::SUCCESS));
    }
    let key = args.key_file()?;
    ensure!(
        key.exists() || old.is_some() || !anything_sealed(config, &loaded),
        "values are sealed already, but there is no key file {}: restore it from its backup",
        key.display()
    );
    let vault = key_to_seal_with(&key)?;
    for file in &files {
        let sealed = file.seal(&vault, old.as_ref())?;
        println!("{}: {sealed} {} sealed", file.path.display(), if sealed == 1 { "value" } else { "values" });
    }
    println!(
        "Where these files were copied before (backups, version control), the values still stand in plain text."
    );
    Ok(complain(&files, ExitCode::SUCCESS))
}

/// What of the files cannot be read is not sealed: nobody may think that it is.
fn complain(files: &[in_place::File], otherwise: ExitCode) -> ExitCode {
    let problems: Vec<&config::Problem> = files.iter().flat_map(|file| &file.unread).collect();
    for problem in &problems {
        eprintln!("not sealed: {problem}");
    }
    if problems.is_empty() { otherwise } else { ExitCode::FAILURE }
}

fn anything_sealed(config: &Path, loaded: &Loaded) -> bool {
    let secrets = loaded.places.iter().filter(|(key, _)| key.kind == Kind::Secret);
    let mut texts = secrets.filter_map(|(_, place)| fs::read_to_string(config.join(&place.file)).ok());
    texts.any(|text| text.contains(config::sealed::FIELD))
}

/// The key, made if it is missing.
fn key_to_seal_with(path: &Path) -> anyhow::Result<Vault> {
    let made = !path.exists();
    let vault = Vault::open(path)?;
    if made {
        in_place::as_its_folder(path)?;
        eprintln!(
            "A key was made: {}. Back it up, apart from the configuration: without it nobody opens the values, \
             and with it everybody does.",
            path.display()
        );
    }
    Ok(vault)
}

impl SealSecretArgs {
    fn key_file(&self) -> anyhow::Result<PathBuf> {
        match (&self.vault_key, &self.data) {
            (Some(file), _) => Ok(file.clone()),
            (None, Some(data)) => Ok(data.join("vault.key")),
            (None, None) => bail!("--data is missing"),
        }
    }
}
