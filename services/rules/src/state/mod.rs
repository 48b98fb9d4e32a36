//! Run-time state: what the PBX has told, kept in NATS KV.
//!
//! Memberships are few and asked for with every call: each replica follows them and holds them all.
//! Overrides and answers belong to one call: they are read when that call is decided.

mod calls;
mod memberships;

pub(crate) use calls::{CallState, Calls};
pub(crate) use memberships::{Member, Memberships, OfTenant};

use std::time::Duration;

/// Longer than this nobody waits for JetStream: a call rings meanwhile, a dial plan stands still.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

fn now_unix_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
