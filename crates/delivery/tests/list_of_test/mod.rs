//! A work list for tests.

use std::{path::Path, time::Duration};

use delivery::{Backoff, Claim, Destination, Fault, NewOrder, Order, WorkList};
use domain::RecordingId;
use jiff::{SignedDuration, Timestamp};
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

/// How long a worker has an order.
#[allow(dead_code, reason = "not every test file needs it")]
pub const LEASE: Duration = Duration::from_secs(30);

/// So many seconds after the beginning of a test.
#[allow(dead_code, reason = "not every test file needs it")]
pub fn later(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

/// The order that is due then.
#[allow(dead_code, reason = "not every test file needs it")]
pub async fn claimed(list: &WorkList, name: &str, at: i64) -> Order {
    match list.claim(&destination(name), LEASE, later(at)).await.unwrap() {
        Claim::Order(order) => *order,
        Claim::NotBefore(due) => panic!("nothing is due before {due:?}"),
    }
}

/// Nothing is due then; when something is, seconds after the beginning.
#[allow(dead_code, reason = "not every test file needs it")]
pub async fn nothing_before(list: &WorkList, name: &str, at: i64) -> Option<i64> {
    match list.claim(&destination(name), LEASE, later(at)).await.unwrap() {
        Claim::Order(order) => panic!("{order:?} is due"),
        Claim::NotBefore(due) => due.map(|due| due.as_second() - later(0).as_second()),
    }
}

/// A destination that cannot be reached.
#[allow(dead_code, reason = "not every test file needs it")]
pub fn away(problem: &str) -> Fault {
    Fault::passing(problem)
}
