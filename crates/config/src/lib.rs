//! Resources from a folder of YAML files, watched.
//!
//! ```text
//! folder/            files *.yaml and *.yml, each with any number of documents
//!   tenants.yaml     a document names its tenant by metadata.namespace …
//!   acme/desk.yaml   … or lies in a sub-folder called like the tenant …
//!   rules.yaml       … or needs to say nothing, as long as there is one tenant only
//! ```
//!
//! Announcements name audio files beside their own; a changed one is a change of configuration.
//!
//! Values of Secrets may be sealed; whoever has a use for them names the file with the key
//! ([`load_with_key`], [`watch_with_key`]).
//!
//! What cannot be read is reported with file, line, field and reason, and its last good version
//! stays in force; see [`domain::resources::assemble`] for the rules.

mod audio;
mod document;
mod exposed;
pub mod folder;
mod interpret;
mod located;
mod problem;
pub mod rewrite;
pub mod sealed;
mod source;
mod unready;
mod watched;
pub mod yaml;

pub use audio::check_audio;
pub use folder::{Loaded, Place, load, load_with_key};
pub use problem::{ConfigError, Problem};
pub use unready::Unready;
pub use watched::{Watched, watch, watch_with_key};
