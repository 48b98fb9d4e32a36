//! `StorageTarget`: where sealed recordings are brought to. One file a kind.

mod folder;
mod object;
mod one_drive;
mod sftp;
mod smb;
mod transfer;
mod windows;

use serde::Deserialize;

use super::{FieldError, FieldPath, Secrets, SshServer, SshTunnel, field::Findings, sub_folder};
use crate::ResourceName;

pub use folder::{FolderSpec, FolderTarget};
pub use object::{
    AzureBlobAccess, AzureBlobSpec, AzureBlobTarget, S3Lock, S3LockMode, S3LockSpec, S3Spec, S3Target,
};
pub use one_drive::{
    AppLogin, AppLoginSpec, Cloud, Drive, DriveSpec, InvalidName as InvalidOneDriveName, ManagedIdentitySpec,
    MicrosoftLogin, MicrosoftLoginSpec, OneDriveSpec, OneDriveTarget, UserLogin, UserLoginSpec,
    check_one_drive_name,
};
pub use sftp::{SftpSpec, SftpTarget};
pub use smb::{SmbEncryption, SmbSigning, SmbSpec, SmbTarget};
pub use transfer::{Transfer, TransferSpec};
pub use windows::{Window, WindowError, Windows};

/// A validated `StorageTarget`, its secrets resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageTarget {
    /// Its name.
    pub name: ResourceName,
    /// Sub-folder template: static parts and `$Y $M $D $h $m $s`, `/` between levels (F-73).
    pub sub_folder: String,
    /// How fast and when recordings are brought there.
    pub transfer: Transfer,
    /// Kind and access.
    pub kind: StorageKind,
}

impl StorageTarget {
    /// What is missing before anything can be brought there, and what to do about it; `None`: nothing.
    /// Such a target is described well enough to be tested, but not to be chosen by a rule (F-75).
    pub fn incomplete(&self) -> Option<&'static str> {
        match &self.kind {
            StorageKind::Folder(_) => None,
            StorageKind::Sftp(sftp) => {
                unpinned(sftp.tunnel.as_ref()).or_else(|| unpinned_server(&sftp.server))
            }
            StorageKind::Smb(smb) => unpinned(smb.tunnel.as_ref()),
            #[allow(unreachable_patterns, reason = "kinds that lack nothing once they are valid")]
            _ => None,
        }
    }
}

fn unpinned(tunnel: Option<&SshTunnel>) -> Option<&'static str> {
    tunnel.into_iter().flat_map(|tunnel| &tunnel.hops).find_map(unpinned_server)
}

fn unpinned_server(server: &SshServer) -> Option<&'static str> {
    server.host_keys.is_empty().then_some(NOT_PINNED)
}

const NOT_PINNED: &str = "no host key is pinned yet: callseal test-target shows those that the server has; compare one, then pin \
                          by --pin";

/// The kinds of storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageKind {
    /// A folder of this machine.
    Folder(FolderTarget),
    /// An SFTP server.
    Sftp(SftpTarget),
    /// A drive of Microsoft 365.
    OneDrive(OneDriveTarget),
    /// A share on an SMB server.
    Smb(SmbTarget),
    /// A bucket of Amazon S3, or of a server that speaks its protocol.
    S3(S3Target),
    /// A container of Azure Blob Storage.
    AzureBlob(AzureBlobTarget),
}

/// The raw form of a `StorageTarget`: sub-folder, and one of the kinds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StorageTargetSpec {
    /// See [`StorageTarget::sub_folder`].
    pub sub_folder: String,
    /// See [`StorageTarget::transfer`].
    pub transfer: TransferSpec,
    /// A folder of this machine.
    pub folder: Option<FolderSpec>,
    /// An SFTP server.
    pub sftp: Option<SftpSpec>,
    /// A drive of Microsoft 365.
    pub one_drive: Option<OneDriveSpec>,
    /// A share on an SMB server.
    pub smb: Option<SmbSpec>,
    /// A bucket of Amazon S3, or of a server that speaks its protocol.
    pub s3: Option<S3Spec>,
    /// A container of Azure Blob Storage.
    pub azure_blob: Option<AzureBlobSpec>,
}

impl StorageTargetSpec {
    /// The validated target called `name`, its secrets taken from `secrets`, or everything that is
    /// wrong.
    pub fn validate(&self, name: ResourceName, secrets: &Secrets) -> Result<StorageTarget, Vec<FieldError>> {
        let spec = FieldPath::spec();
        let mut findings = Findings::default();
        findings.take(spec.key("subFolder"), sub_folder::check(&self.sub_folder));
        let transfer = self.transfer.validate(&spec.key("transfer"), &mut findings);
        let kind = self.kind(&spec, secrets, &mut findings);
        let sub_folder = self.sub_folder.trim_matches('/').to_owned();
        findings.finish(kind.map(|kind| StorageTarget { name, sub_folder, transfer, kind }))
    }

    /// The one kind that is given.
    fn kind(&self, spec: &FieldPath, secrets: &Secrets, findings: &mut Findings) -> Option<StorageKind> {
        let given = [
            ("folder", self.folder.is_some()),
            ("sftp", self.sftp.is_some()),
            ("oneDrive", self.one_drive.is_some()),
            ("smb", self.smb.is_some()),
            ("s3", self.s3.is_some()),
            ("azureBlob", self.azure_blob.is_some()),
        ];
        if given.iter().filter(|(_, given)| *given).count() != 1 {
            let names = given.map(|(name, _)| name).join(", ");
            findings.add(spec.clone(), format!("must have exactly one of {names}"));
            return None;
        }
        if let Some(folder) = &self.folder {
            return folder.validate(&spec.key("folder"), findings).map(StorageKind::Folder);
        }
        if let Some(smb) = &self.smb {
            return smb.validate(&spec.key("smb"), secrets, findings).map(StorageKind::Smb);
        }
        if let Some(drive) = &self.one_drive {
            return drive.validate(&spec.key("oneDrive"), secrets, findings).map(StorageKind::OneDrive);
        }
        if let Some(s3) = &self.s3 {
            return s3.validate(&spec.key("s3"), secrets, findings).map(StorageKind::S3);
        }
        if let Some(blob) = &self.azure_blob {
            return blob.validate(&spec.key("azureBlob"), secrets, findings).map(StorageKind::AzureBlob);
        }
        let sftp = self.sftp.as_ref()?;
        sftp.validate(&spec.key("sftp"), secrets, findings).map(StorageKind::Sftp)
    }
}
