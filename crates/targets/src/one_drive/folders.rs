//! Making folders, and remembering which are there.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{OneDrive, fault};
use crate::{ErrorKind, TargetError, names};

/// More are not remembered: a sub-folder a day is far less.
const MOST: usize = 1_000;

/// Folders that were seen, by their paths in the drive.
#[derive(Default)]
pub(super) struct Folders(Mutex<HashSet<String>>);

impl Folders {
    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self, path: &str) -> bool {
        path.is_empty() || self.lock().contains(path)
    }

    fn remember(&self, path: &str) {
        let mut seen = self.lock();
        if seen.len() >= MOST {
            seen.clear();
        }
        seen.insert(path.to_owned());
    }

    /// One of them is not there any more.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }
}

impl OneDrive {
    /// Makes the folder at `path` (in the drive) and those above it, where they are missing.
    pub(super) async fn make_folder(&self, path: &str) -> Result<(), TargetError> {
        if self.folders.seen(path) {
            return Ok(());
        }
        let doing = "looking for a folder";
        match self.item(doing, path).await? {
            Some(item) if item.is_folder() => {}
            Some(_) => return Err(not_a_folder()),
            None => {
                let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
                Box::pin(self.make_folder(parent)).await?;
                self.make_level(parent, name).await?;
            }
        }
        self.folders.remember(path);
        Ok(())
    }

    async fn make_level(&self, parent: &str, name: &str) -> Result<(), TargetError> {
        let doing = "making a folder";
        let (graph, drive) = self.drive().await?;
        let url = drive.url(graph, parent, Some("children"));
        let json = json!({ "name": name, "folder": {}, "@microsoft.graph.conflictBehavior": "fail" });
        let answer = graph.send(doing, Method::POST, &url, &json).await?;
        match answer.status {
            status if status.is_success() => Ok(()),
            // Somebody else made it in between.
            StatusCode::CONFLICT => match self.item(doing, &names::join(parent, name)).await? {
                Some(item) if item.is_folder() => Ok(()),
                _ => Err(not_a_folder()),
            },
            _ => Err(fault::refused(doing, &answer)),
        }
    }
}

fn not_a_folder() -> TargetError {
    TargetError::new(ErrorKind::Denied, "a part of the target's path in OneDrive is a file, not a folder")
}
