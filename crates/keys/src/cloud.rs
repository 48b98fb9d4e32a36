//! Keys in a cloud's key service: what Azure Key Vault and AWS KMS have in common.
//!
//! A service keeps keys and nothing else, so the certificate of a key lies in a folder here
//! ([`CloudOptions::key_certificates`]), and with it what the known keys are: a service lets others put a
//! new key behind a name, and such a key never signs unless a person says so (`callseal key rotate`).

mod ceremony;
mod error;
mod files;
mod key;
mod options;
mod patience;
mod runtime;
mod service;

pub(crate) use self::{
    ceremony::{Keeping, create, create_log_key, import_certificate, open, open_signing},
    error::{Fault, Source},
    runtime::wait_for,
    service::{KeyKind, KeyService, RemoteKey, p256_spki},
};
pub use self::{error::CloudError, options::CloudOptions};
