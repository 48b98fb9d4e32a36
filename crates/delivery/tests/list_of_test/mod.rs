//! A work list for tests.

use std::{path::Path, time::Duration};

use delivery::{Backoff, Destination, NewOrder, WorkList};
use domain::RecordingId;
use sql::Database;

/// The back-off of the tests: 5 s, at most an hour.
pub const BACKOFF: Backoff = Backoff { base: Duration::from_secs(5), ceiling: Duration::from_secs(3600) };

/// A list in a file of `dir`.
#[allow(dead_code, reason = "not every test file needs it")]
pub async fn sqlite(dir: &Path) -> WorkList {
    let db = Database::open(&format!("sqlite:{}", dir.join("state.sqlite").display())).await.unwrap();
    WorkList::open(db, BACKOFF).await.unwrap()
}

/// A destination of the tenant acme.
#[allow(dead_code, reason = "not every test file needs it")]
pub fn destination(name: &str) -> Destination {
    Destination { tenant: "acme".parse().unwrap(), name: name.parse().unwrap() }
}

/// An order whose payload is the recording's id.
#[allow(dead_code, reason = "not every test file needs it")]
pub fn order_for(name: &str, recording: RecordingId) -> NewOrder {
    NewOrder { destination: destination(name), recording, payload: recording.to_string().into_bytes() }
}
