//! `callseal witness` as a process of its own: what it signs, what it refuses, what it never forgets.

mod crash;
mod folder;
mod judged;
mod log;
mod race;
mod refused;
mod talk;
