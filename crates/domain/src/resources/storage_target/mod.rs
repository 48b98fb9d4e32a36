//! `StorageTarget`: where sealed recordings are brought to. One file a kind.

mod folder;
mod sftp;

use serde::Deserialize;

use super::{FieldError, FieldPath, Secrets, field::Findings, sub_folder};
use crate::ResourceName;

pub use folder::{FolderSpec, FolderTarget};
pub use sftp::{SftpSpec, SftpTarget};

/// A validated `StorageTarget`, its secrets resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageTarget {
    /// Its name.
    pub name: ResourceName,
    /// Sub-folder template: static parts and `$Y $M $D $h $m $s`, `/` between levels (F-73).
    pub sub_folder: String,
    /// Kind and access.
    pub kind: StorageKind,
}

/// The kinds of storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageKind {
    /// A folder of this machine.
    Folder(FolderTarget),
    /// An SFTP server.
    Sftp(SftpTarget),
}

/// The raw form of a `StorageTarget`: sub-folder, and one of the kinds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StorageTargetSpec {
    /// See [`StorageTarget::sub_folder`].
    pub sub_folder: String,
    /// A folder of this machine.
    pub folder: Option<FolderSpec>,
    /// An SFTP server.
    pub sftp: Option<SftpSpec>,
}

impl StorageTargetSpec {
    /// The validated target called `name`, its secrets taken from `secrets`, or everything that is
    /// wrong.
    pub fn validate(&self, name: ResourceName, secrets: &Secrets) -> Result<StorageTarget, Vec<FieldError>> {
        let spec = FieldPath::spec();
        let mut findings = Findings::default();
        findings.take(spec.key("subFolder"), sub_folder::check(&self.sub_folder));
        let kind = self.kind(&spec, secrets, &mut findings);
        let sub_folder = self.sub_folder.trim_matches('/').to_owned();
        findings.finish(kind.map(|kind| StorageTarget { name, sub_folder, kind }))
    }

    /// The one kind that is given.
    fn kind(&self, spec: &FieldPath, secrets: &Secrets, findings: &mut Findings) -> Option<StorageKind> {
        let given = [("folder", self.folder.is_some()), ("sftp", self.sftp.is_some())];
        if given.iter().filter(|(_, given)| *given).count() != 1 {
            let names = given.map(|(name, _)| name).join(", ");
            findings.add(spec.clone(), format!("must have exactly one of {names}"));
            return None;
        }
        if let Some(folder) = &self.folder {
            return folder.validate(&spec.key("folder"), findings).map(StorageKind::Folder);
        }
        let sftp = self.sftp.as_ref()?;
        sftp.validate(&spec.key("sftp"), secrets, findings).map(StorageKind::Sftp)
    }
}
