//! The shipper tells people by mail: against a real mail server, a real SFTP server that goes away, a
//! real small disk.

mod archive;
mod endings;
mod faults;
mod post;
mod scene;
mod staging;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../world/mod.rs"]
mod world;
