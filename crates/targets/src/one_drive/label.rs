//! Retention labels.

use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::{drive::Found, fault, http::Graph};
use crate::{ErrorKind, TargetError};

const DOING: &str = "setting the retention label";

/// Gives the file at `path` the label; one that it has already is given once more without harm.
pub(super) async fn set(graph: &Graph, drive: &Found, path: &str, label: &str) -> Result<(), TargetError> {
    let url = drive.url(graph, path, Some("retentionLabel"));
    let answer = graph.send(DOING, Method::PATCH, &url, &serde_json::json!({ "name": label })).await?;
    match answer.status {
        status if status.is_success() => Ok(()),
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
            let text = "the retention label cannot be set: check retentionLabel, that the label is published to this \
                        site or user, and that the file is still there";
            Err(TargetError::new(ErrorKind::Incomplete, text).caused_by(answer.said()))
        }
        _ => Err(fault::refused(DOING, &answer)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Label {
    retention_settings: Option<Settings>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    is_delete_allowed: Option<bool>,
}

/// Whether a label keeps the file from being removed.
pub(super) async fn keeps(graph: &Graph, drive: &Found, path: &str) -> bool {
    let url = drive.url(graph, path, Some("retentionLabel"));
    let answer = graph.get("looking for a retention label", &url).await;
    let label = answer.ok().filter(|answer| answer.status.is_success());
    let label = label.and_then(|answer| answer.json::<Label>("").ok());
    label.and_then(|label| label.retention_settings?.is_delete_allowed) == Some(false)
}
