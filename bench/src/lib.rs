//! Measures the whole system: five services, each a process of its own, NATS, and a load generator,
//! all on this machine.

pub mod announcements;
pub mod archive;
pub mod args;
pub mod capacity;
pub mod cpu;
pub mod delays;
pub mod files;
pub mod journal;
pub mod run;
pub mod seal;
pub mod sftp;
pub mod ship;
pub mod sign;
pub mod smb;
pub mod verify;
