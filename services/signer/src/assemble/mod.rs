//! The first stage: messages of calls become finished recordings.
//!
//! A replica owns partitions of the stream CALLS by leases ([`crate::leases`]). For each it runs a
//! [`partition`] task. Write order, and what a crash right after each step leaves behind:
//!
//! 1. *Messages are read* from the stored mark on. Crash: nothing is lost, they are read again.
//! 2. *Segments to staging*, under names made of their content. Crash: objects that no transaction
//!    names; the replay makes the same or others; they go with the recording's other segments.
//! 3. *One transaction*: mark, state of each open recording, list of segments; the partition's fence
//!    is compared in it. Crash: the stream still holds what the mark covers; it is never read again.
//! 4. *The stream is purged* up to the mark. Only now are messages gone. While a log is halted, not all
//!    of them go ([`purge`]).
//!
//! A finished recording does 2 and 3 for itself alone, without moving the mark: its row says that it
//! is finished, so a replay passes over its messages. Messages are applied in the order of their
//! numbers, so doubles and replays from any point give the same bytes.

mod directory;
mod empty;
pub mod laid;
pub mod numbers;
pub mod partition;
mod purge;
pub mod recording;
pub mod section;
pub mod segments;
