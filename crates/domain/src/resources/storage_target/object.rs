//! Object storage: S3, Azure Blob, Google Cloud Storage. One file a kind.

mod azure_blob;
mod gcs;
mod s3;

use crate::resources::{FieldPath, field::Findings};

pub use azure_blob::{AzureBlobAccess, AzureBlobSpec, AzureBlobTarget};
pub use gcs::{GcsSpec, GcsTarget};
pub use s3::{S3Lock, S3LockMode, S3LockSpec, S3Spec, S3Target};

/// What stands before the names of all objects, without `/` at its ends.
fn prefix(text: &str, path: &FieldPath, findings: &mut Findings) -> String {
    let prefix = text.trim_matches('/');
    if prefix.contains('\\') {
        findings.add(path.clone(), "must have / between its levels");
    } else if prefix.split('/').any(|level| matches!(level, "." | ".."))
        || (!prefix.is_empty() && prefix.split('/').any(str::is_empty))
    {
        findings.add(path.clone(), "must not have a level that is empty, . or ..");
    }
    prefix.to_owned()
}

/// The address of a server, without `/` at its end.
fn endpoint(text: Option<&str>, path: &FieldPath, findings: &mut Findings) -> Option<String> {
    let address = text?.trim_end_matches('/');
    let host = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    if host.is_none_or(|host| {
        host.is_empty() || host.starts_with('/') || host.contains(['@', '?', '#', ' ', '\\'])
    }) {
        findings
            .add(path.clone(), "must be an address such as https://s3.example.org, without a login in it");
    }
    Some(address.to_owned())
}
