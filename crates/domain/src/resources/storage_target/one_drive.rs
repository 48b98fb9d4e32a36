//! OneDrive and SharePoint: a drive that Microsoft Graph reaches (F-76).

mod drive;
mod login;
mod name;

use serde::Deserialize;

use crate::resources::{FieldPath, Secrets, field::Findings};

pub use drive::{Drive, DriveSpec};
pub use login::{
    AppLogin, AppLoginSpec, ManagedIdentitySpec, MicrosoftLogin, MicrosoftLoginSpec, UserLogin, UserLoginSpec,
};
pub use name::{InvalidName, check as check_one_drive_name};

/// A folder in a drive of Microsoft 365.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneDriveTarget {
    /// Whose servers it lies on.
    pub cloud: Cloud,
    /// Who signs in.
    pub login: MicrosoftLogin,
    /// Which drive.
    pub drive: Drive,
    /// Folder below the drive's root, no slash at either end; empty: the root.
    pub path: String,
    /// Name of the retention label that the files of a whole recording get.
    pub retention_label: Option<String>,
}

/// One of Microsoft's clouds. Germany's was closed in 2021.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cloud {
    /// The one for everybody, GCC among them.
    #[default]
    Global,
    /// US Government L4 (GCC High).
    UsGov,
    /// US Government L5 (DoD).
    UsGovDod,
    /// China, operated by 21Vianet.
    China,
}

impl Cloud {
    /// Host of Microsoft Graph.
    pub const fn graph_host(self) -> &'static str {
        match self {
            Self::Global => "graph.microsoft.com",
            Self::UsGov => "graph.microsoft.us",
            Self::UsGovDod => "dod-graph.microsoft.us",
            Self::China => "microsoftgraph.chinacloudapi.cn",
        }
    }

    /// Host that logins are made at.
    pub const fn login_host(self) -> &'static str {
        match self {
            Self::Global => "login.microsoftonline.com",
            Self::UsGov | Self::UsGovDod => "login.microsoftonline.us",
            Self::China => "login.chinacloudapi.cn",
        }
    }
}

/// The raw form of a [`OneDriveTarget`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OneDriveSpec {
    /// Whose servers it lies on.
    #[serde(default)]
    pub cloud: Cloud,
    /// Who signs in.
    pub login: MicrosoftLoginSpec,
    /// Which drive; with a user's login, that user's own by default.
    #[serde(default)]
    pub drive: Option<DriveSpec>,
    /// Folder in the drive; its root by default.
    #[serde(default)]
    pub path: String,
    /// Name of a retention label.
    #[serde(default)]
    pub retention_label: Option<String>,
}

impl OneDriveSpec {
    pub(super) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<OneDriveTarget> {
        let folder = self.path.trim_matches('/');
        for level in folder.split('/').filter(|_| !folder.is_empty()) {
            if let Err(error) = name::check(level) {
                findings.add(path.key("path"), error.to_string());
                break;
            }
        }
        if self.retention_label.as_ref().is_some_and(|label| label.trim().is_empty()) {
            findings.add(path.key("retentionLabel"), "must be the name of a label, or left out");
        }
        let drive = match &self.drive {
            Some(drive) => drive.validate(&path.key("drive"), findings),
            None if self.login.user.is_some() => Some(Drive::Own),
            None => {
                findings.add(path.key("drive"), "is needed: an app has no drive of its own");
                None
            }
        };
        let login = self.login.validate(&path.key("login"), secrets, findings);
        Some(OneDriveTarget {
            cloud: self.cloud,
            login: login?,
            drive: drive?,
            path: folder.to_owned(),
            retention_label: self.retention_label.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
