//! What is verified, and by which certificates: from arguments to values.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use attest::PublishedFiles;
use domain::{TenantId, resources::StorageTarget};
use evidence::{
    Certificate,
    log::SignedCheckpoint,
    timestamp::Authorities,
    verify::{
        Archive, Folder, Inventory, Journal, Keyring, Options, PartOf, certified_log_keys, folder_path,
    },
};
use jiff::Timestamp;

use super::VerifyArgs;
use crate::{one_resource::OneResourceArgs, remote_archive::RemoteArchive};

/// A checkpoint is some hundred bytes.
const LONGEST_CHECKPOINT: usize = 100_000;

/// Everything that verification needs.
pub(super) struct Prepared {
    pub(super) archive: Box<dyn Archive>,
    pub(super) inventory: Inventory,
    pub(super) keys: Keyring,
    pub(super) options: Options,
    /// What is verified, for the report.
    pub(super) what: Vec<String>,
}

/// Reads and lists; `listed` hears how many files were found, now and then.
///
/// # Errors
/// Something that was given cannot be used.
pub(super) fn prepare(args: &VerifyArgs, listed: impl FnMut(u64)) -> anyhow::Result<Prepared> {
    let (archive, what) = archive(args)?;
    let inventory = Inventory::take(&*archive, listed)?;
    let mut keys = Keyring::new();
    for path in &args.certificates {
        keys.add(certificate(path)?);
    }
    if args.certificates.is_empty() {
        // What is a certificate of something else is of no use here, and no fault.
        inventory.add_certificates(&*archive, &mut keys);
        keys.add_from(&certificates_above(&args.paths)?);
    }
    let mut options = Options {
        target: args.target.as_ref().map(ToString::to_string),
        grace: args.grace,
        now: Timestamp::now(),
        retention: args.retention,
        complete: args.complete,
        witnesses: args.witnesses.clone(),
        witness_quorum: args.witness_quorum,
        threads: args.jobs,
        ..Options::default()
    };
    let known: BTreeSet<_> = args.witnesses.iter().collect();
    if let Some(quorum) = args.witness_quorum {
        ensure!(
            quorum.get() <= known.len(),
            "--witness-quorum {quorum} can never be reached: {} different witnesses were given",
            known.len()
        );
    }
    for given in &args.checkpoints {
        options.checkpoints.push(checkpoint(given)?);
    }
    if let Some(path) = &args.tsa_ca {
        let pem = fs::read_to_string(path).with_context(|| cannot_be_read(path))?;
        let authorities = Authorities::from_pem(&pem).with_context(|| is_of_no_use(path))?;
        options.authorities = Some(authorities);
    }
    if let Some(path) = &args.resume {
        options.journal = Some(journal(path)?);
    }
    for given in &args.paths {
        let path = fs::canonicalize(given).with_context(|| cannot_be_read(given))?;
        for above in path.ancestors().skip(1) {
            let tenants = tenants_with_logs(above);
            if tenants.is_empty() {
                continue;
            }
            let top = above.to_string_lossy().into_owned();
            if path.is_dir() {
                options.parts.push(PartOf { folder: folder_path(given), top, tenants });
                break;
            }
            // Of single recordings nobody asks which are missing; the whole log need not be read.
            let files = Folder::new();
            let certified = |tenant| certified_log_keys(&files, &top, tenant, &keys);
            options.log_keys.extend(tenants.iter().flat_map(certified));
        }
    }
    Ok(Prepared { archive, inventory, keys, options, what })
}

fn cannot_be_read(path: &Path) -> String {
    format!("{} cannot be read", path.display())
}

fn is_of_no_use(path: &Path) -> String {
    format!("{} is of no use", path.display())
}

fn archive(args: &VerifyArgs) -> anyhow::Result<(Box<dyn Archive>, Vec<String>)> {
    if let (Some(config), Some(name)) = (&args.config, &args.target) {
        let target = target(args, config)?;
        let archive = RemoteArchive::new(&target, &args.data)?;
        let tenant = args.tenant.as_ref().map(|tenant| format!(" of tenant {tenant}")).unwrap_or_default();
        return Ok((Box::new(archive), vec![format!("storage target {name}{tenant}")]));
    }
    let mut folder = Folder::new();
    for path in &args.paths {
        folder.add(path)?;
    }
    Ok((Box::new(folder), args.paths.iter().map(|path| path.display().to_string()).collect()))
}

fn target(args: &VerifyArgs, config: &Path) -> anyhow::Result<StorageTarget> {
    let one = OneResourceArgs {
        config: config.to_owned(),
        data: args.data.clone(),
        vault_key: std::env::var_os("CALLSEAL_VAULT_KEY").map(PathBuf::from),
        tenant: args.tenant.clone(),
        name: args.target.clone().context("--config needs --target")?,
    };
    match one.find("StorageTarget", |tenant| &tenant.storage_targets) {
        Ok(target) => Ok(target),
        // Why was said.
        Err(_) => bail!("the storage target cannot be verified"),
    }
}

fn certificate(path: &Path) -> anyhow::Result<Certificate> {
    let pem = fs::read_to_string(path).with_context(|| cannot_be_read(path))?;
    Certificate::from_pem(&pem).with_context(|| is_of_no_use(path))
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

/// Whose logs lie at `<folder>/log/<tenant>/`.
fn tenants_with_logs(folder: &Path) -> Vec<TenantId> {
    // A folder that is closed to this user holds no log for them.
    let entries = fs::read_dir(folder.join("log")).into_iter().flatten().flatten();
    let has_keys = |entry: &fs::DirEntry| entry.path().join("keys").is_dir();
    entries.filter(has_keys).filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A checkpoint from a file, or from an address.
///
/// # Errors
/// There is none.
pub(crate) fn checkpoint(given: &str) -> anyhow::Result<SignedCheckpoint> {
    let bytes = if given.starts_with("http://") || given.starts_with("https://") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let file = PublishedFiles::new(given)?;
        let fetched = runtime.block_on(file.get("", LONGEST_CHECKPOINT));
        fetched
            .with_context(|| format!("{given} cannot be fetched"))?
            .with_context(|| format!("nothing is at {given}"))?
    } else {
        fs::read(given).with_context(|| cannot_be_read(Path::new(given)))?
    };
    SignedCheckpoint::parse(&bytes).with_context(|| format!("{given} is of no use"))
}

fn journal(path: &Path) -> anyhow::Result<Journal> {
    use std::os::unix::fs::OpenOptionsExt;
    // Names of files hold numbers.
    let file =
        fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    file.and_then(Journal::new).with_context(|| is_of_no_use(path))
}
