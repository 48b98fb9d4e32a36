//! Drives, and what lies in them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{LABEL, LIBRARY, LIBRARY_DRIVE, USER, USER_DRIVE, quick_xor};

/// A file as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// All of it.
    pub content: Vec<u8>,
    /// The retention label.
    pub label: Option<String>,
    /// How often it was written: versions.
    pub versions: u64,
    /// QuickXorHash, base64.
    pub hash: String,
}

#[derive(Debug)]
pub(super) struct Drives {
    all: Vec<Drive>,
    pub(super) quota: Option<u64>,
    pub(super) tells_hashes: bool,
}

/// One drive.
#[derive(Debug)]
pub(super) struct Drive {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) web_url: &'static str,
    items: BTreeMap<u64, Item>,
    next: u64,
}

#[derive(Debug, Clone)]
struct Item {
    parent: Option<u64>,
    name: String,
    /// `None`: a folder.
    file: Option<Stored>,
}

const ROOT: u64 = 1;

impl Drives {
    pub(super) fn contoso() -> Self {
        let drive = |id, name, web_url| Drive {
            id,
            name,
            web_url,
            items: [(ROOT, Item { parent: None, name: "root".to_owned(), file: None })].into(),
            next: ROOT + 1,
        };
        let all = vec![
            drive(
                USER_DRIVE,
                "OneDrive",
                "https://contoso-my.sharepoint.com/personal/ann_contoso_example/Documents",
            ),
            drive(
                "b!documents",
                "Documents",
                "https://contoso.sharepoint.com/sites/archive/Shared%20Documents",
            ),
            drive(LIBRARY_DRIVE, LIBRARY, "https://contoso.sharepoint.com/sites/archive/Calls"),
        ];
        Self { all, quota: None, tells_hashes: true }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Drive> {
        self.all.iter().find(|drive| drive.id == id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Drive> {
        self.all.iter_mut().find(|drive| drive.id == id)
    }

    pub(super) fn of_user(&self, user: &str) -> Option<&Drive> {
        if user.eq_ignore_ascii_case(USER) { self.get(USER_DRIVE) } else { None }
    }

    pub(super) fn of_site(&self) -> impl Iterator<Item = &Drive> {
        self.all.iter().filter(|drive| drive.id != USER_DRIVE)
    }

    /// Whether so many more bytes have their place.
    pub(super) fn have_room_for(&self, bytes: u64) -> bool {
        let files =
            self.all.iter().flat_map(|drive| drive.items.values()).filter_map(|item| item.file.as_ref());
        let used: u64 = files.map(|file| file.content.len() as u64).sum();
        self.quota.is_none_or(|quota| used + bytes <= quota)
    }
}

impl Drive {
    pub(super) fn json(&self) -> Value {
        let kind = "business";
        json!({ "id": self.id, "name": self.name, "webUrl": self.web_url, "driveType": kind, "quota": {"state": "normal"} })
    }

    /// The item called so in a folder: case does not count.
    pub(super) fn child(&self, parent: u64, name: &str) -> Option<u64> {
        let wanted = name.to_lowercase();
        let mut children = self.items.iter().filter(|(_, item)| item.parent == Some(parent));
        children.find(|(_, item)| item.name.to_lowercase() == wanted).map(|(id, _)| *id)
    }

    /// The item at a path below another.
    pub(super) fn walk(&self, from: u64, path: &[String]) -> Option<u64> {
        path.iter().try_fold(from, |at, name| self.child(at, name))
    }

    /// An item by its id as Graph writes it.
    pub(super) fn by_id(&self, id: &str) -> Option<u64> {
        let number = if id == "root" { ROOT } else { id.strip_prefix("01ITEM")?.parse().ok()? };
        self.items.contains_key(&number).then_some(number)
    }

    pub(super) fn children(&self, id: u64) -> Vec<u64> {
        self.items.iter().filter(|(_, item)| item.parent == Some(id)).map(|(id, _)| *id).collect()
    }

    pub(super) fn is_folder(&self, id: u64) -> bool {
        self.items.get(&id).is_some_and(|item| item.file.is_none())
    }

    pub(super) fn file(&self, id: u64) -> Option<&Stored> {
        self.items.get(&id)?.file.as_ref()
    }

    pub(super) fn label(&mut self, id: u64) -> Option<&mut Option<String>> {
        self.items.get_mut(&id)?.file.as_mut().map(|file| &mut file.label)
    }

    pub(super) fn make_folder(&mut self, parent: u64, name: &str) -> u64 {
        self.add(Item { parent: Some(parent), name: name.to_owned(), file: None })
    }

    /// Writes a file, a new version of it if it is there.
    pub(super) fn write(&mut self, parent: u64, name: &str, content: Vec<u8>) -> u64 {
        if let Some(id) = self.child(parent, name) {
            if let Some(file) = self.items.get_mut(&id).and_then(|item| item.file.as_mut()) {
                file.hash = quick_xor::hash(&content);
                file.content = content;
                file.versions += 1;
            }
            return id;
        }
        let file = Some(Stored { hash: quick_xor::hash(&content), content, label: None, versions: 1 });
        self.add(Item { parent: Some(parent), name: name.to_owned(), file })
    }

    fn add(&mut self, item: Item) -> u64 {
        self.next += 1;
        self.items.insert(self.next, item);
        self.next
    }

    pub(super) fn remove(&mut self, id: u64) {
        for child in self.children(id) {
            self.remove(child);
        }
        self.items.remove(&id);
    }

    pub(super) fn rename(&mut self, id: u64, name: &str) {
        if let Some(item) = self.items.get_mut(&id) {
            name.clone_into(&mut item.name);
        }
    }

    /// Whether a label keeps it.
    pub(super) fn is_kept(&self, id: u64) -> bool {
        self.file(id).is_some_and(|file| file.label.as_deref() == Some(LABEL))
    }

    /// Names from the root down.
    pub(super) fn path(&self, id: u64) -> String {
        match self.items.get(&id).and_then(|item| Some((item.parent?, &item.name))) {
            None => String::new(),
            Some((ROOT, name)) => name.clone(),
            Some((parent, name)) => format!("{}/{name}", self.path(parent)),
        }
    }

    /// The item as Graph shows it.
    pub(super) fn item_json(&self, id: u64, hashes: bool) -> Value {
        let Some(item) = self.items.get(&id) else { return Value::Null };
        let stamp = "2026-11-22T19:00:00Z";
        let mut json = json!({
            "id": format!("01ITEM{id}"), "name": item.name, "eTag": format!("\"{{{id}}},1\""),
            "webUrl": format!("{}/{}", self.web_url, self.path(id)),
            "createdDateTime": stamp, "lastModifiedDateTime": stamp,
            "fileSystemInfo": {"createdDateTime": stamp, "lastModifiedDateTime": stamp},
            "parentReference": {
                "driveId": self.id, "driveType": "business", "id": format!("01ITEM{}", item.parent.unwrap_or(ROOT)),
            },
        });
        match &item.file {
            Some(file) => {
                json["size"] = json!(file.content.len());
                json["file"] = json!({ "mimeType": "application/octet-stream" });
                if hashes {
                    json["file"]["hashes"] = json!({ "quickXorHash": file.hash });
                }
            }
            None => {
                json["size"] = json!(0);
                json["folder"] = json!({ "childCount": self.children(id).len() });
            }
        }
        json
    }

    pub(super) fn stored(&self, path: &str) -> Option<Stored> {
        let path: Vec<String> = path.split('/').map(str::to_owned).collect();
        self.file(self.walk(ROOT, &path)?).cloned()
    }

    pub(super) fn files(&self) -> Vec<String> {
        let mut files: Vec<String> =
            self.items.iter().filter(|(_, item)| item.file.is_some()).map(|(id, _)| self.path(*id)).collect();
        files.sort();
        files
    }

    pub(super) fn put_by_hand(&mut self, path: &str, content: &[u8]) {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut at = ROOT;
        for level in folder.split('/').filter(|level| !level.is_empty()) {
            at = self.child(at, level).unwrap_or_else(|| self.make_folder(at, level));
        }
        self.write(at, name, content.to_vec());
    }

    pub(super) fn remove_by_hand(&mut self, path: &str) {
        let path: Vec<String> = path.split('/').map(str::to_owned).collect();
        if let Some(id) = self.walk(ROOT, &path) {
            self.remove(id);
        }
    }
}
