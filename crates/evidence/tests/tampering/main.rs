//! Every kind of tampering with a whole archive, each found and named; and what is no tampering, each
//! verified clean and said.
//!
//! The archive: target `vault` of tenant acme, two years, two lanes (one of them also, or only, for
//! another target), ten recordings, a log with a checkpoint after each, one recording lawfully deleted.

#[path = "../logged/mod.rs"]
mod logged;
#[path = "../logged/authority.rs"]
mod logged_authority;
#[path = "../provable/mod.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod provable;
#[path = "../signed/mod.rs"]
mod signed;

mod clean;
mod deeds;
mod live;
mod rows;
mod scene;
