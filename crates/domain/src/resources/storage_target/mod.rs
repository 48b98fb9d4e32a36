//! `StorageTarget`: where sealed recordings are brought to. One file a kind.

mod deletion;
#[cfg(test)]
mod dispatch_tests;
mod email;
mod folder;
mod object;
mod one_drive;
mod schedule;
mod script;
mod sftp;
mod smb;
mod transfer;
mod windows;
mod windows_name;

use serde::Deserialize;

use super::{FieldError, FieldPath, Secrets, SshServer, SshTunnel, field::Findings, sub_folder};
use crate::ResourceName;

pub use deletion::Deletion;
pub use email::{EmailSpec, EmailTarget};
pub use folder::{FolderSpec, FolderTarget};
pub use object::{
    AzureBlobAccess, AzureBlobSpec, AzureBlobTarget, GcsSpec, GcsTarget, S3Lock, S3LockMode, S3LockSpec,
    S3Spec, S3Target,
};
pub use one_drive::{
    AppLogin, AppLoginSpec, Cloud, Drive, DriveSpec, InvalidName as InvalidOneDriveName, ManagedIdentitySpec,
    MicrosoftLogin, MicrosoftLoginSpec, OneDriveSpec, OneDriveTarget, UserLogin, UserLoginSpec,
    check_one_drive_name,
};
pub use schedule::{Schedule, ScheduleError};
pub use script::{ScriptSpec, ScriptTarget};
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
    /// Whether recordings may be deleted there when they need not be kept any more.
    pub deletion: Deletion,
    /// Kind and access.
    pub kind: StorageKind,
}

impl StorageTarget {
    /// Whether recordings are kept there: a mailbox or a program gets each once, and nobody can ask it
    /// for one afterwards.
    pub const fn keeps(&self) -> bool {
        !matches!(self.kind, StorageKind::Email(_) | StorageKind::Script(_))
    }

    /// When what has come until then is brought there; `None`: at once.
    pub const fn schedule(&self) -> Option<&Schedule> {
        match &self.kind {
            StorageKind::Email(email) => email.at.as_ref(),
            StorageKind::Script(script) => script.at.as_ref(),
            _ => None,
        }
    }

    /// Whether what is brought there is locked until its retention ends.
    pub const fn locks(&self) -> bool {
        match &self.kind {
            StorageKind::S3(s3) => s3.lock.is_some(),
            StorageKind::AzureBlob(blob) => blob.lock,
            _ => false,
        }
    }

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

pub(super) fn unpinned(tunnel: Option<&SshTunnel>) -> Option<&'static str> {
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
    /// A bucket of Google Cloud Storage.
    Gcs(GcsTarget),
    /// Mailboxes. They do not keep.
    Email(EmailTarget),
    /// A program of this machine. It does not keep.
    Script(ScriptTarget),
}

/// The raw form of a `StorageTarget`: sub-folder, and one of the kinds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StorageTargetSpec {
    /// See [`StorageTarget::sub_folder`].
    pub sub_folder: String,
    /// See [`StorageTarget::transfer`].
    pub transfer: TransferSpec,
    /// See [`StorageTarget::deletion`].
    pub deletion: Deletion,
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
    /// A bucket of Google Cloud Storage.
    pub gcs: Option<GcsSpec>,
    /// Mailboxes.
    pub email: Option<EmailSpec>,
    /// A program of this machine.
    pub script: Option<ScriptSpec>,
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
        self.fits(&spec, &mut findings);
        let sub_folder = self.sub_folder.trim_matches('/').to_owned();
        findings.finish(kind.map(|kind| StorageTarget {
            name,
            sub_folder,
            transfer,
            deletion: self.deletion,
            kind,
        }))
    }

    /// Whether what all kinds have goes together with the kind.
    fn fits(&self, spec: &FieldPath, findings: &mut Findings) {
        let dispatches = self.email.is_some() || self.script.is_some();
        if dispatches && !self.sub_folder.is_empty() {
            findings.add(spec.key("subFolder"), "is of no use with email and script: nothing is kept there");
        }
        // The other characters that Windows cannot have no kind takes.
        if self.smb.is_some() && sub_folder::check(&self.sub_folder).is_ok() {
            smb::check_levels(&self.sub_folder, &spec.key("subFolder"), findings);
        }
        let at = self.email.as_ref().and_then(|email| email.at.as_ref());
        let at = at.or_else(|| self.script.as_ref().and_then(|script| script.at.as_ref()));
        if at.is_some() && !self.transfer.windows.is_empty() {
            findings.add(spec.key("transfer").key("windows"), "excludes at: one of the two says when");
        }
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
            ("gcs", self.gcs.is_some()),
            ("email", self.email.is_some()),
            ("script", self.script.is_some()),
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
        if let Some(gcs) = &self.gcs {
            return gcs.validate(&spec.key("gcs"), secrets, findings).map(StorageKind::Gcs);
        }
        if let Some(email) = &self.email {
            return email.validate(&spec.key("email"), secrets, findings).map(StorageKind::Email);
        }
        if let Some(script) = &self.script {
            return script.validate(&spec.key("script"), findings).map(StorageKind::Script);
        }
        let sftp = self.sftp.as_ref()?;
        sftp.validate(&spec.key("sftp"), secrets, findings).map(StorageKind::Sftp)
    }
}
