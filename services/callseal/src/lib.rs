//! The one binary: all services in one process, and the tools around them.

pub mod announcement;
pub mod asking;
pub mod cli;
pub mod deletion;
pub mod deliveries;
pub mod demo;
pub mod explain;
pub mod hold;
pub mod journal;
pub mod key;
pub mod load;
pub mod log;
pub mod login;
pub mod one_resource;
pub mod remote_archive;
pub mod rules;
pub mod seal_secret;
mod terminal;
pub mod test_target;
pub mod up;
pub mod verify;
pub mod why;
pub mod witness;
