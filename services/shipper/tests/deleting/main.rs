//! Retention, holds and deletions, with the shipper as a process of its own.

mod crash;
mod desk;
mod due;
mod kept;
mod log;
mod scene;
mod swept;
#[path = "../world/mod.rs"]
mod world;
