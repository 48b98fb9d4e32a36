//! Files and folders as Graph shows them.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::Deserialize;

use super::quick_xor;
use crate::{Kind, Listed};

/// What is asked of an item.
pub(super) const FIELDS: &str = "id,name,size,file,folder,webUrl,lastModifiedDateTime";

/// A `driveItem`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    pub(super) id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    pub(super) size: u64,
    file: Option<File>,
    folder: Option<Folder>,
    pub(super) web_url: Option<String>,
    last_modified_date_time: Option<Timestamp>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    hashes: Option<Hashes>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hashes {
    quick_xor_hash: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Folder {}

/// A list of items, or a part of one.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    pub(super) next: Option<String>,
}

impl Item {
    pub(super) const fn is_file(&self) -> bool {
        self.file.is_some()
    }

    pub(super) const fn is_folder(&self) -> bool {
        self.folder.is_some()
    }

    /// The hash of its content, once the server has computed it.
    pub(super) fn quick_xor(&self) -> Option<[u8; quick_xor::LENGTH]> {
        let text = self.file.as_ref()?.hashes.as_ref()?.quick_xor_hash.as_ref()?;
        BASE64_STANDARD.decode(text).ok()?.try_into().ok()
    }

    /// Its entry in a list; notebooks and links to elsewhere have none.
    pub(super) fn listed(self) -> Option<Listed> {
        let kind = match (self.is_file(), self.is_folder()) {
            (true, _) => Kind::File { size: self.size, modified: self.last_modified_date_time },
            (false, true) => Kind::Folder,
            (false, false) => return None,
        };
        Some(Listed { name: self.name, kind })
    }
}
