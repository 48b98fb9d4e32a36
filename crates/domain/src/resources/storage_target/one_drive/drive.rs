//! Which drive.

use serde::Deserialize;

use crate::resources::{FieldPath, field::Findings};

/// A drive of a user or of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drive {
    /// That of the user who is logged in.
    Own,
    /// That of a user, by user principal name or object id.
    User(String),
    /// A document library of a SharePoint site.
    Site {
        /// `contoso.sharepoint.com`.
        host: String,
        /// `sites/archive`, no slash at either end; empty: the root site.
        path: String,
        /// Name of the library; `None`: the one that each site is made with.
        library: Option<String>,
    },
    /// The one with this id.
    Id(String),
}

/// The raw form of a [`Drive`]: exactly one of `user`, `site`, `id`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DriveSpec {
    /// User principal name.
    pub user: Option<String>,
    /// `contoso.sharepoint.com:/sites/archive`, or the site's URL.
    pub site: Option<String>,
    /// Name of the site's library.
    pub library: Option<String>,
    /// The drive's id.
    pub id: Option<String>,
}

impl DriveSpec {
    pub(super) fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Option<Drive> {
        if self.library.is_some() && self.site.is_none() {
            findings.add(path.key("library"), "is of no use without site");
        }
        let mut word = |text: &str, key: &str| {
            let good =
                !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "/\\?#%".contains(c));
            if !good {
                findings.add(path.key(key), "must be one word without / \\ ? # %");
            }
            good.then(|| text.to_owned())
        };
        match (&self.user, &self.site, &self.id) {
            (Some(user), None, None) => word(user, "user").map(Drive::User),
            (None, None, Some(id)) => word(id, "id").map(Drive::Id),
            (None, Some(site), None) => {
                let library = self.library.clone().filter(|library| !library.trim().is_empty());
                let parted = part(site).map(|(host, path)| Drive::Site { host, path, library });
                if parted.is_none() {
                    let reason = "must be like contoso.sharepoint.com:/sites/archive, or the URL of a site";
                    findings.add(path.key("site"), reason);
                }
                parted
            }
            _ => {
                findings.add(path.clone(), "must have exactly one of user, site, id");
                None
            }
        }
    }
}

/// Host and path of a site.
fn part(site: &str) -> Option<(String, String)> {
    let (host, path) = match site.strip_prefix("https://") {
        Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
        None => site.split_once(":/").unwrap_or((site, "")),
    };
    let host_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let bad_level = |level: &str| level.is_empty() || level.contains(['?', '#', ':', '\\']) || level == "..";
    let path = path.trim_matches('/');
    let good = host.contains('.') && host.chars().all(host_char);
    (good && (path.is_empty() || !path.split('/').any(bad_level)))
        .then(|| (host.to_ascii_lowercase(), path.to_owned()))
}
