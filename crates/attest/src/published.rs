//! What a log publishes over HTTP, or a witness keeps of it: files, fetched one by one.

use reqwest::{Client, StatusCode};

use crate::{
    AttestError,
    http::{body, client, send},
};

/// Files below one address. What they hold is judged by who asked for them.
#[derive(Debug, Clone)]
pub struct PublishedFiles {
    client: Client,
    base: String,
}

impl PublishedFiles {
    /// Files below `base`, an address with `http` or `https`.
    ///
    /// # Errors
    /// This machine's TLS cannot be used.
    pub fn new(base: &str) -> Result<Self, AttestError> {
        Ok(Self { client: client()?, base: base.trim_end_matches('/').to_owned() })
    }

    /// The file at `path` below the address (empty: the address itself), if there is one and it is not
    /// longer than `longest` bytes.
    ///
    /// # Errors
    /// The server does not answer, or with anything but the file or "not found"; or it is too long.
    pub async fn get(&self, path: &str, longest: usize) -> Result<Option<Vec<u8>>, AttestError> {
        let separator = if path.is_empty() { "" } else { "/" };
        let response = send(self.client.get(format!("{}{separator}{path}", self.base))).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => body(response, longest).await.map(Some),
            status => Err(AttestError::Status(status.as_u16())),
        }
    }
}
