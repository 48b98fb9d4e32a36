//! Retention, holds and deletions, with the shipper as a process of its own.

mod crash;
mod desk;
mod due;
mod hashed;
mod hung;
mod kept;
mod left;
mod locked;
mod log;
mod scene;
mod swept;
#[path = "../world/mod.rs"]
mod world;
