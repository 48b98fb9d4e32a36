//! Finding the drive, and the addresses of what lies in it.

use domain::resources::{Drive, check_one_drive_name};
use reqwest::{StatusCode, Url};
use serde::Deserialize;

use super::{fault, http::Graph, item::Page};
use crate::{ErrorKind, TargetError, names};

/// The longest path that SharePoint takes, from the site's on (UTF-16, decoded).
const LONGEST_PATH: usize = 400;
const DOING: &str = "looking for the drive";

/// A drive that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    id: String,
    /// Length of the path of the drive itself, which counts as a part of each path in it.
    above: usize,
    /// The target's folder in it.
    base: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DriveJson {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    web_url: String,
}

#[derive(Deserialize)]
struct SiteJson {
    id: String,
}

impl Found {
    /// Asks Graph for the drive.
    pub(super) async fn find(graph: &Graph, drive: &Drive, base: &str) -> Result<Self, TargetError> {
        let json = match drive {
            Drive::Own => {
                get(graph, &["me", "drive"], "the user has no OneDrive; does the user have a licence?")
                    .await?
            }
            Drive::User(user) => {
                let missing =
                    "there is no such user, or the user has no OneDrive yet: who never opened it has none";
                get(graph, &["users", user, "drive"], missing).await?
            }
            Drive::Id(id) => {
                get(graph, &["drives", id], "there is no drive of this id; check drive.id").await?
            }
            Drive::Site { host, path, library } => in_site(graph, host, path, library.as_deref()).await?,
        };
        let path = json.web_url.parse::<Url>().map(|url| decoded_length(url.path())).unwrap_or_default();
        Ok(Self { id: json.id, above: path, base: base.to_owned() })
    }

    /// The path in the drive of what is called `path` in the target.
    pub(super) fn path(&self, path: &str) -> String {
        if path.is_empty() { self.base.clone() } else { names::join(&self.base, path) }
    }

    /// The address of an item by its path in the drive, and of what can be done with it: `children`,
    /// `content`.
    pub(super) fn url(&self, graph: &Graph, path: &str, action: Option<&str>) -> Url {
        let mut levels: Vec<String> = ["drives", &self.id].map(str::to_owned).into();
        if path.is_empty() {
            levels.push("root".to_owned());
        } else {
            levels.push("root:".to_owned());
            levels.extend(path.split('/').map(str::to_owned));
            if action.is_some()
                && let Some(last) = levels.last_mut()
            {
                last.push(':');
            }
        }
        levels.extend(action.map(str::to_owned));
        graph.url(levels.iter().map(String::as_str))
    }

    /// The address of an item by its id.
    pub(super) fn by_id(&self, graph: &Graph, id: &str) -> Url {
        graph.url(["drives", &self.id, "items", id])
    }

    /// Whether the drive takes this path.
    pub(super) fn check(&self, path: &str) -> Result<(), TargetError> {
        for level in path.split('/').filter(|_| !path.is_empty()) {
            check_one_drive_name(level)
                .map_err(|error| TargetError::new(ErrorKind::Name, error.to_string()))?;
        }
        if self.above + 1 + path.encode_utf16().count() > LONGEST_PATH {
            let text = format!(
                "folder and name are together longer than the {LONGEST_PATH} characters that OneDrive takes, the \
                 library's own path among them; shorten path or subFolder"
            );
            return Err(TargetError::new(ErrorKind::Name, text));
        }
        Ok(())
    }
}

async fn in_site(
    graph: &Graph,
    host: &str,
    path: &str,
    library: Option<&str>,
) -> Result<DriveJson, TargetError> {
    let missing = "there is no such site, or the login may not see it; check drive.site, and the permission that \
                   the app has for this site";
    let server_relative: Vec<&str> = path.split('/').filter(|level| !level.is_empty()).collect();
    let with_colon = format!("{host}:");
    let levels = match server_relative.is_empty() {
        true => vec!["sites", host],
        false => ["sites", with_colon.as_str()].into_iter().chain(server_relative).collect(),
    };
    let site: SiteJson = get(graph, &levels, missing).await?;
    let Some(library) = library else {
        return get(graph, &["sites", &site.id, "drive"], "the site has no library").await;
    };
    let drives: Page<DriveJson> =
        get(graph, &["sites", &site.id, "drives"], "the site has no libraries").await?;
    // People know a library by its title, or by the last part of its address.
    let is_it = |drive: &DriveJson| {
        let last = drive.web_url.parse::<Url>().ok().and_then(|url| {
            let last = url.path_segments()?.next_back()?.to_owned();
            Some(decoded(&last))
        });
        let same = |name: &str| name.to_lowercase() == library.to_lowercase();
        same(&drive.name) || last.is_some_and(|last| same(&last))
    };
    drives.value.into_iter().find(is_it).ok_or_else(|| {
        TargetError::new(ErrorKind::Incomplete, "the site has no library of this name; check drive.library")
    })
}

async fn get<T: serde::de::DeserializeOwned>(
    graph: &Graph,
    levels: &[&str],
    missing: &str,
) -> Result<T, TargetError> {
    let answer = graph.get(DOING, &graph.url(levels.iter().copied())).await?;
    match answer.status {
        status if status.is_success() => answer.json(DOING),
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => {
            Err(TargetError::new(ErrorKind::Incomplete, missing).caused_by(answer.said()))
        }
        _ => Err(fault::refused(DOING, &answer)),
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn decoded_length(path: &str) -> usize {
    decoded(path.trim_matches('/')).encode_utf16().count()
}
