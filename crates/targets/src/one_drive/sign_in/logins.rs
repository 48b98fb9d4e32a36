//! Where logins of users are kept: sealed, one file each.
//!
//! A login is written and synced under another name and then renamed. Crash before that: the old one
//! stands; both are good.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use domain::{
    Sensitive,
    resources::{Cloud, UserLogin},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use vault::Vault;

use crate::{ErrorKind, TargetError};

/// Which login: a word made of cloud, directory, application and account that shows none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginId(String);

impl LoginId {
    /// The one of this user in this cloud.
    pub fn of(cloud: Cloud, login: &UserLogin) -> Self {
        let account = login.account.expose().to_lowercase();
        let whole = [cloud.login_host(), &login.tenant_id, &login.client_id, &account].join("\n");
        Self(hex::encode(&Sha256::digest(whole.to_lowercase())[..16]))
    }
}

impl fmt::Display for LoginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a user's sign-in leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// Gives access tokens.
    pub refresh_token: Sensitive<String>,
    /// When the user signed in.
    pub made: Timestamp,
    /// When it was last used.
    pub renewed: Timestamp,
}

/// Keeps logins of users, for all processes of an installation.
#[async_trait]
pub trait LoginStore: Send + Sync {
    /// The login, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    async fn load(&self, id: &LoginId) -> Result<Option<Login>, TargetError>;

    /// Keeps a new login, in the place of any other.
    ///
    /// # Errors
    /// It cannot be written.
    async fn save(&self, id: &LoginId, login: &Login) -> Result<(), TargetError>;

    /// Keeps what a renewal gave, if the login that was `made` then is still the one that is kept: a
    /// user who has signed in meanwhile has the newer one.
    ///
    /// # Errors
    /// It cannot be written.
    async fn renew(&self, id: &LoginId, made: Timestamp, login: &Login) -> Result<(), TargetError>;
}

/// Logins as files in a folder, sealed by the vault of the installation.
pub struct SealedLogins {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    key: PathBuf,
    vault: OnceLock<Vault>,
}

impl SealedLogins {
    /// Logins in `logins/` of the folder `data`, sealed with the key `vault.key` there. Nothing is
    /// touched before the first use.
    pub fn in_folder(data: &Path) -> Self {
        let inner =
            Inner { folder: data.join("logins"), key: data.join("vault.key"), vault: OnceLock::new() };
        Self { inner: Arc::new(inner) }
    }

    /// Logins in `folder`, sealed by a vault that is open.
    pub fn new(folder: PathBuf, vault: Vault) -> Self {
        let inner = Inner { folder, key: PathBuf::new(), vault: OnceLock::from(vault) };
        Self { inner: Arc::new(inner) }
    }

    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, TargetError> + Send + 'static,
    ) -> Result<T, TargetError> {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.map_err(|error| Inner::unusable(io::Error::other(error))).flatten()
    }
}

#[async_trait]
impl LoginStore for SealedLogins {
    async fn load(&self, id: &LoginId) -> Result<Option<Login>, TargetError> {
        let id = id.clone();
        self.aside(move |inner| inner.load(&id)).await
    }

    async fn save(&self, id: &LoginId, login: &Login) -> Result<(), TargetError> {
        let (id, login) = (id.clone(), login.clone());
        self.aside(move |inner| {
            let _locked = inner.lock()?;
            inner.save(&id, &login)
        })
        .await
    }

    async fn renew(&self, id: &LoginId, made: Timestamp, login: &Login) -> Result<(), TargetError> {
        let (id, login) = (id.clone(), login.clone());
        self.aside(move |inner| {
            let _locked = inner.lock()?;
            match inner.load(&id)? {
                Some(kept) if kept.made == made => inner.save(&id, &login),
                _ => Ok(()),
            }
        })
        .await
    }
}

impl Inner {
    fn vault(&self) -> Result<&Vault, TargetError> {
        if let Some(vault) = self.vault.get() {
            return Ok(vault);
        }
        let vault = Vault::open(&self.key).map_err(|error| Self::damaged(&error))?;
        Ok(self.vault.get_or_init(|| vault))
    }

    fn load(&self, id: &LoginId) -> Result<Option<Login>, TargetError> {
        let sealed = match fs::read(self.folder.join(&id.0)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            sealed => sealed.map_err(Self::unusable)?,
        };
        let text = self.vault()?.open_sealed(&sealed).map_err(|error| Self::damaged(&error))?;
        serde_json::from_str(&text).map(Some).map_err(|_| Self::damaged(&"it was written by another version"))
    }

    fn save(&self, id: &LoginId, login: &Login) -> Result<(), TargetError> {
        let text = serde_json::to_string(login).expect("texts and times are JSON");
        let sealed = self.vault()?.seal(&text);
        self.write(&id.0, &sealed).map_err(Self::unusable)
    }

    fn write(&self, name: &str, sealed: &[u8]) -> io::Result<()> {
        let unfinished = self.folder.join(format!(".{name}"));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(sealed)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.folder.join(name))?;
        File::open(&self.folder)?.sync_all()
    }

    /// Held until it is dropped: of several processes one writes.
    fn lock(&self) -> Result<File, TargetError> {
        let locked = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600);
            let file = options.open(self.folder.join(".lock"))?;
            file.lock()?;
            Ok(file)
        };
        locked().map_err(Self::unusable)
    }

    fn unusable(error: io::Error) -> TargetError {
        let text =
            "logins of users cannot be read or kept in the data folder; check its owner, rights and space";
        TargetError::new(ErrorKind::Io, text).caused_by(error)
    }

    fn damaged(why: &dyn fmt::Display) -> TargetError {
        let text = format!("the kept login of the user cannot be opened: {why}");
        TargetError::new(ErrorKind::Incomplete, text)
    }
}
