//! Whose calls are recorded, with whose consent, and by whose hand: told by telephones that are not
//! ours, by curl and by a PBX's recording sessions, and read off what NATS and five processes leave.

mod api;
mod audio;
mod consent_calls;
mod leg;
mod pjsip;
mod privacy;
mod recorded_call;
mod scene;
mod stopping;
mod tap;
mod tenant;
mod undecided;
mod wishes;

use std::time::Duration;

/// Nothing takes longer, on the slowest machine.
/// Longer than a minute: what was handed to a process that is killed comes again after one.
const PATIENCE: Duration = Duration::from_secs(120);
