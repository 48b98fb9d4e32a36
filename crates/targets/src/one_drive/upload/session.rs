//! Upload sessions: a file in ranges, gone on with after whatever has happened.
//!
//! The upload URL is a credential of its own: no token goes with it, and it is kept like one. The
//! server says where to go on; what was sent beyond that is lost and sent again.

use jiff::Timestamp;
use reqwest::{
    Body, Method, StatusCode, Url,
    header::{CONTENT_LENGTH, CONTENT_RANGE},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{NameTaken, OnConflict, flow::Flow};
use crate::{
    Content, ErrorKind, TargetError,
    one_drive::{
        OneDrive,
        fault::{self, Answer},
        http,
        item::Item,
    },
};

/// Length of a range in bytes: a multiple of 320 KiB, as Graph demands, and of the 5 to 10 MiB that it
/// recommends.
const RANGE: u64 = 16 * 320 * 1024;
/// How often a session may get lost within one put.
const MOST_SESSIONS: u32 = 3;
const DOING: &str = "storing a file";

/// What is kept of an unfinished upload.
#[derive(Serialize, Deserialize)]
struct Kept {
    url: String,
    /// Where to, and of what: another file's bookmark is of no use.
    path: String,
    sha256: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    upload_url: String,
}

/// How far an upload is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    next_expected_ranges: Vec<String>,
    #[serde(rename = "expirationDateTime")]
    _ends: Option<Timestamp>,
}

impl Progress {
    /// Where the server goes on: first byte, and the end of that gap if there is one (exclusive).
    fn next(&self) -> Option<(u64, Option<u64>)> {
        let range = self.next_expected_ranges.first()?;
        let (from, to) = range.split_once('-').unwrap_or((range, ""));
        Some((from.parse().ok()?, to.parse::<u64>().ok().map(|to| to + 1)))
    }
}

/// How a session ended.
enum Ended {
    Stored(Box<Item>),
    NameTaken,
    /// The server does not know it any more: it ran out, or it was complete and its answer got lost.
    Lost,
}

/// What became of one range.
enum Sent {
    GoOn(Progress),
    Ended(Ended),
    /// The server has other bytes than we think, or was not heard: it is asked.
    Ask(TargetError),
}

impl OneDrive {
    pub(super) async fn send_in_ranges(
        &self,
        folder: &str,
        path: &str,
        content: &Content,
        on_conflict: OnConflict,
    ) -> Result<Result<Item, NameTaken>, TargetError> {
        let bookmark = content.bookmark();
        let mut url = self.kept(path, content).await;
        for _ in 0..MOST_SESSIONS {
            let session = match url.take() {
                Some(url) => url,
                None => match self.begin(folder, path, content, on_conflict).await? {
                    Ok(url) => url,
                    Err(taken) => return Ok(Err(taken)),
                },
            };
            let ended = self.carry_on(&session, content).await?;
            bookmark.keep(None).await;
            match ended {
                Ended::Stored(item) => return Ok(Ok(*item)),
                Ended::NameTaken => {
                    // All of it is there without a name. It would end by itself; this frees the space now.
                    let _ends_by_itself = http::whole(DOING, self.graph().await?.http.delete(session)).await;
                    return Ok(Err(NameTaken));
                }
                Ended::Lost if on_conflict == OnConflict::Fail && self.item(DOING, path).await?.is_some() => {
                    // Perhaps it was complete: whoever asked finds out.
                    return Ok(Err(NameTaken));
                }
                Ended::Lost => {}
            }
        }
        Err(TargetError::new(
            ErrorKind::Unreachable,
            format!("{DOING}: OneDrive forgets uploads again and again"),
        ))
    }

    /// The URL of an upload that was begun before.
    async fn kept(&self, path: &str, content: &Content) -> Option<Url> {
        let kept: Kept = serde_json::from_str(&content.bookmark().load().await?).ok()?;
        let same = kept.path == path && kept.sha256 == hex::encode(content.sha256());
        kept.url.parse().ok().filter(|url: &Url| same && url.scheme() == "https")
    }

    async fn begin(
        &self,
        folder: &str,
        path: &str,
        content: &Content,
        on_conflict: OnConflict,
    ) -> Result<Result<Url, NameTaken>, TargetError> {
        let (graph, drive) = self.drive().await?;
        let url = drive.url(graph, path, Some("createUploadSession"));
        let json = json!({ "item": { "@microsoft.graph.conflictBehavior": on_conflict.as_str() } });
        let mut answer = graph.send(DOING, Method::POST, &url, &json).await?;
        if answer.status == StatusCode::NOT_FOUND {
            self.folders.forget();
            self.make_folder(folder).await?;
            answer = graph.send(DOING, Method::POST, &url, &json).await?;
        }
        match answer.status {
            status if status.is_success() => {}
            StatusCode::CONFLICT => return Ok(Err(NameTaken)),
            _ => return Err(fault::refused(DOING, &answer)),
        }
        let url = answer.json::<Session>(DOING)?.upload_url;
        let parsed = url.parse().ok().filter(|url: &Url| url.scheme() == "https").ok_or_else(|| {
            TargetError::new(ErrorKind::Io, format!("{DOING}: OneDrive names an upload address that is none"))
        })?;
        let (path, sha256) = (path.to_owned(), hex::encode(content.sha256()));
        let kept = serde_json::to_string(&Kept { url, path, sha256 }).expect("texts are JSON");
        content.bookmark().keep(Some(&kept)).await;
        Ok(Ok(parsed))
    }

    /// Sends ranges until the session ends. Trouble that lasts leaves it as it is, for the next put.
    async fn carry_on(&self, url: &Url, content: &Content) -> Result<Ended, TargetError> {
        let patience = self.access.patience;
        let (mut next, mut furthest, mut tries) = (None, 0, 0);
        loop {
            let (from, to) = match next.take() {
                Some(range) => range,
                None => match self.progress(url).await? {
                    Ok(progress) => progress,
                    Err(ended) => return Ok(ended),
                },
            };
            if from > furthest {
                (furthest, tries) = (from, 0);
            }
            if tries >= patience.tries {
                let text = format!("{DOING}: OneDrive takes parts of a file and has them not");
                return Err(TargetError::new(ErrorKind::Unreachable, text));
            }
            let until = (from + RANGE).min(content.size()).min(to.unwrap_or(u64::MAX));
            if from >= until {
                return Err(TargetError::new(
                    ErrorKind::Io,
                    format!("{DOING}: OneDrive wants more than the file has"),
                ));
            }
            match self.send_range(url, content, from, until).await? {
                Sent::Ended(ended) => return Ok(ended),
                Sent::GoOn(progress) => {
                    next = progress.next();
                    // It says that it took the range; one that asks for it again, and again, has no end.
                    if next.is_none_or(|(next, _)| next <= furthest) {
                        tries += 1;
                    }
                }
                Sent::Ask(error) => {
                    tries += 1;
                    if tries >= patience.tries {
                        return Err(error);
                    }
                    tokio::time::sleep(patience.pause * 2_u32.saturating_pow(tries - 1)).await;
                }
            }
        }
    }

    /// Asks the server where to go on.
    async fn progress(&self, url: &Url) -> Result<Result<(u64, Option<u64>), Ended>, TargetError> {
        let answer = http::whole(DOING, self.graph().await?.http.get(url.clone())).await?;
        if is_lost(&answer) {
            return Ok(Err(Ended::Lost));
        }
        if !answer.status.is_success() {
            return Err(fault::refused(DOING, &answer));
        }
        // A session that is complete may show the item in place of ranges.
        let next = answer.json::<Progress>(DOING).ok().and_then(|progress| progress.next());
        Ok(next.ok_or(Ended::Lost))
    }

    async fn send_range(
        &self,
        url: &Url,
        content: &Content,
        from: u64,
        until: u64,
    ) -> Result<Sent, TargetError> {
        let reader = content.open(from).await.map_err(TargetError::source_unreadable)?;
        let (flow, stall) = (Flow::new(), self.access.patience.stall);
        let request = self.graph().await?.http.put(url.clone());
        let request = request
            .header(CONTENT_LENGTH, until - from)
            .header(CONTENT_RANGE, format!("bytes {from}-{}/{}", until - 1, content.size()))
            .body(Body::wrap_stream(flow.body(reader, until - from)));
        let answer = tokio::select! {
            answer = whole(request) => answer,
            () = flow.stalled(stall) => {
                let text = format!("{DOING}: the connection to Microsoft stands still");
                Err(TargetError::new(ErrorKind::Unreachable, text))
            }
        };
        if let Some(error) = flow.broken() {
            return Err(match error.kind() {
                std::io::ErrorKind::UnexpectedEof => TargetError::source_changed(),
                _ => TargetError::source_unreadable(error),
            });
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Ok(Sent::Ask(error)),
        };
        match answer.status {
            StatusCode::ACCEPTED => answer.json(DOING).map(Sent::GoOn),
            status if status.is_success() => {
                answer.json(DOING).map(|item| Sent::Ended(Ended::Stored(Box::new(item))))
            }
            StatusCode::CONFLICT => Ok(Sent::Ended(Ended::NameTaken)),
            _ if is_lost(&answer) => Ok(Sent::Ended(Ended::Lost)),
            _ => {
                let error = fault::refused(DOING, &answer);
                let again = answer.status == StatusCode::RANGE_NOT_SATISFIABLE
                    || error.kind() == ErrorKind::Unreachable;
                if again { Ok(Sent::Ask(error)) } else { Err(error) }
            }
        }
    }
}

/// An answer, however long it takes: [`Flow::stalled`] is what ends the wait.
async fn whole(request: reqwest::RequestBuilder) -> Result<Answer, TargetError> {
    let response = request.send().await.map_err(|error| fault::unreachable(DOING, error))?;
    http::read(DOING, response).await
}

/// An upload URL that is not good any more; it says so in several ways.
fn is_lost(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 401 | 403 | 404 | 410) && !answer.says("quotaLimitReached")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_a_multiple_of_what_graph_demands() {
        assert_eq!(RANGE % (320 * 1024), 0);
        assert!((5 * 1024 * 1024..=10 * 1024 * 1024).contains(&RANGE));
    }

    #[test]
    fn the_server_says_where_to_go_on() {
        for (ranges, expected) in [
            (&["26-"][..], Some((26, None))),
            (&["0-25", "99-"], Some((0, Some(26)))),
            (&["12345-55232", "77829-99375"], Some((12345, Some(55233)))),
            (&["7"], Some((7, None))),
            (&[], None),
            (&["x-"], None),
        ] {
            let next_expected_ranges = ranges.iter().map(|range| (*range).to_owned()).collect();
            let progress = Progress { next_expected_ranges, _ends: None };
            assert_eq!(progress.next(), expected, "{ranges:?}");
        }
    }
}
