//! A file of the configuration, replaced by one with sealed values.
//!
//! The new one is written and synced under a hidden name, which services pass over, and then renamed.
//! Crash before that: the old one stands, and a hidden file without a plain value lies beside it.

use std::{
    fs::{self, File as OsFile, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown, fchown},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use config::{
    Loaded, Problem,
    rewrite::{SecretAt, seal_values},
};
use domain::resources::Kind;
use vault::Vault;

/// A file, and the Secrets in it.
pub(super) struct File {
    /// As it was named.
    pub path: PathBuf,
    /// What of it could not be read.
    pub unread: Vec<Problem>,
    secrets: Vec<SecretAt>,
    plain: bool,
}

impl File {
    /// Error: it is not there, or is no file of the configuration.
    pub(super) fn find(path: &Path, config: &Path, loaded: &Loaded) -> anyhow::Result<Self> {
        let real = fs::canonicalize(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let root =
            fs::canonicalize(config).with_context(|| format!("{} cannot be read", config.display()))?;
        anyhow::ensure!(
            real.starts_with(&root),
            "{} does not lie in the configuration folder {}, which says whose its Secrets are",
            path.display(),
            config.display()
        );
        let same = |file: &Path| fs::canonicalize(config.join(file)).is_ok_and(|found| found == real);
        let here = loaded.places.iter().filter(|(key, place)| key.kind == Kind::Secret && same(&place.file));
        let (mut secrets, mut plain) = (Vec::new(), false);
        for (key, place) in here {
            plain |= place.plain;
            secrets.push(SecretAt { line: place.line, tenant: key.tenant.clone(), name: key.name.clone() });
        }
        // A Secret whose own values are wrong is read; one without a tenant is nobody's.
        let unplaced = |problem: &&Problem| {
            let known = secrets.iter().any(|secret| secret.name.as_str() == problem.name);
            same(&problem.file) && (problem.line == 0 || problem.kind == Kind::Secret.as_str() && !known)
        };
        let unread = loaded.problems.iter().filter(unplaced).cloned().collect();
        Ok(Self { path: path.to_owned(), unread, secrets, plain })
    }

    /// True if no value stands in it in plain text.
    pub(super) const fn is_sealed(&self) -> bool {
        !self.plain
    }

    /// How many values were sealed.
    pub(super) fn seal(&self, vault: &Vault, old: Option<&Vault>) -> anyhow::Result<usize> {
        let name = || self.path.display().to_string();
        // Through links: whoever links to the file goes on doing so.
        let path = fs::canonicalize(&self.path).with_context(name)?;
        let text = fs::read_to_string(&path).with_context(name)?;
        let rewritten = seal_values(&text, &self.secrets, vault, old).with_context(name)?;
        if rewritten.sealed > 0 {
            replace(&path, rewritten.text.as_bytes())
                .with_context(|| format!("{} cannot be written", self.path.display()))?;
        }
        Ok(rewritten.sealed)
    }
}

/// Whole or not at all, with the owner and the rights that the file had.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let hidden = folder.join(format!(".callseal-sealed-{}", std::process::id()));
    let written = write(&hidden, path, bytes).and_then(|()| fs::rename(&hidden, path));
    if written.is_err() {
        // Nothing more can be done about what is left.
        let _ = fs::remove_file(&hidden);
    }
    written?;
    OsFile::open(folder)?.sync_all()
}

fn write(hidden: &Path, like: &Path, bytes: &[u8]) -> io::Result<()> {
    let like = fs::metadata(like)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(hidden)?;
    file.write_all(bytes)?;
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
        fchown(&file, Some(like.uid()), Some(like.gid()))?;
    }
    // Services may run as another user than its owner: what they could read they can read.
    file.set_permissions(like.permissions())?;
    file.sync_all()
}

/// A key that root has made belongs to whoever owns the folder: the service is to read it.
pub(super) fn as_its_folder(key: &Path) -> anyhow::Result<()> {
    let folder = key.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (folder, own) = (fs::metadata(folder)?, fs::metadata(key)?);
    if own.uid() == 0 && folder.uid() != 0 {
        chown(key, Some(folder.uid()), Some(folder.gid()))
            .with_context(|| format!("{} cannot be handed to the owner of its folder", key.display()))?;
    }
    Ok(())
}
