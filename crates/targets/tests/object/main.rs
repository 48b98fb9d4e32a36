//! The object storage targets against moto's S3, azurite, and the harness's Google Cloud Storage.

mod azure_blob;
mod bookmark;
#[path = "../content/mod.rs"]
#[allow(dead_code, reason = "not every kind of target needs all of it")]
mod content;
mod either;
mod gcs;
mod repeated;
mod s3;
