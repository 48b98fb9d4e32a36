//! When an app's secret ends, where Graph tells (it does if the app may read its own registration:
//! `Application.Read.All`, or being its owner with `Application.ReadWrite.OwnedBy`).

use jiff::Timestamp;
use serde::Deserialize;

use super::http::Graph;
use crate::Expiry;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    #[serde(default)]
    password_credentials: Vec<Password>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Password {
    end_date_time: Option<Timestamp>,
    /// The first three characters.
    hint: Option<String>,
}

/// The end of the secret that is used; `None`: there is none, or nobody says.
pub(super) async fn expiry(graph: &Graph) -> Option<Expiry> {
    let (client_id, begin) = graph.tokens.secret()?;
    let mut url = graph.url([&format!("applications(appId='{client_id}')")[..]]);
    url.set_query(Some("$select=passwordCredentials"));
    let doing = "looking when the client secret ends";
    let answer = graph.get(doing, &url).await.ok().filter(|answer| answer.status.is_success())?;
    let passwords = answer.json::<Application>(doing).ok()?.password_credentials;
    let ours = passwords.iter().filter(|password| password.hint.as_deref() == Some(begin));
    // Of two that begin alike nobody knows which it is; the earlier end is the safe one to announce.
    let at = ours.filter_map(|password| password.end_date_time).min()?;
    Some(Expiry { what: "the client secret".to_owned(), at })
}
