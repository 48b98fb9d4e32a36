//! Keys in a service, signing.

use std::{fmt, sync::Arc};

use evidence::{KeyId, PublicKey, Sha256Hash, Signature, log::LogPublicKey};

use super::{
    error::CloudError,
    files::{CertificateFile, KeyFiles},
    patience::{Again, Limits, Patience},
    runtime::wait_for,
    service::{KeyKind, KeyService, RemoteKey},
};
use crate::{KeyError, LogSigningKey, SigningKey, log_key};

/// A service, and the patience with it.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) service: Arc<dyn KeyService>,
    pub(crate) patience: Arc<Patience>,
}

impl Connection {
    pub(crate) fn new(service: Arc<dyn KeyService>, limits: Limits) -> Self {
        Self { service, patience: Arc::new(Patience::new(limits)) }
    }

    pub(crate) fn place(&self) -> String {
        self.service.place().to_owned()
    }

    /// Asks the service, as often as is sensible, and waits for its answer.
    pub(crate) fn ask<T, F>(
        &self,
        again: Again,
        request: impl Fn(Arc<dyn KeyService>) -> F + Send + Sync + 'static,
    ) -> Result<T, CloudError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, super::error::Fault>> + Send + 'static,
    {
        let connection = self.clone();
        let work = async move {
            let Self { service, patience } = &connection;
            patience.ask(service.place(), again, || request(service.clone())).await
        };
        let failed = |source| CloudError::Unreachable { place: self.place(), source: Box::new(source) };
        wait_for(work).map_err(failed)?
    }

    /// One signature by that very key, not yet verified.
    fn sign(
        &self,
        name: &str,
        key: &RemoteKey,
        kind: KeyKind,
        message: &[u8],
    ) -> Result<Vec<u8>, CloudError> {
        let digest = *Sha256Hash::of(message).as_bytes();
        let (name, handle) = (Arc::<str>::from(name), Arc::<str>::from(key.handle.as_str()));
        self.ask(Again::Yes, move |service| {
            let (name, handle) = (name.clone(), handle.clone());
            async move { service.sign(&name, &handle, kind, &digest).await }
        })
    }
}

/// One signature over `message` by an RSA key, verified.
pub(crate) fn sign_rsa(
    connection: &Connection,
    name: &str,
    key: &RemoteKey,
    public: &PublicKey,
    message: &[u8],
) -> Result<Signature, KeyError> {
    let kind = KeyKind::Rsa(u16::try_from(public.bits()).unwrap_or(u16::MAX));
    let signature = Signature::new(connection.sign(name, key, kind, message)?);
    match public.verify(message, &signature) {
        Ok(()) => Ok(signature),
        Err(_) => Err(KeyError::WrongSignature(connection.place())),
    }
}

/// An RSA key in a service. Any number of threads may sign at once; each waits for its own answer.
pub(crate) struct CloudKey {
    connection: Connection,
    name: String,
    key: RemoteKey,
    files: CertificateFile,
    folder: KeyFiles,
}

impl CloudKey {
    pub(crate) const fn new(
        connection: Connection,
        name: String,
        key: RemoteKey,
        files: CertificateFile,
        folder: KeyFiles,
    ) -> Self {
        Self { connection, name, key, files, folder }
    }
}

impl SigningKey for CloudKey {
    fn key_id(&self) -> KeyId {
        self.files.certificate.public_key().id()
    }

    fn certificate_pem(&self) -> &str {
        &self.files.pem
    }

    fn chain_pem(&self) -> &str {
        &self.files.chain
    }

    fn certificate_now(&self) -> Result<String, KeyError> {
        let there = self.folder.certificate(&self.name)?;
        // One of another key is told when the key is opened the next time.
        let ours = there.filter(|there| there.certificate.public_key().id() == self.key_id());
        Ok(ours.map_or_else(|| self.files.pem.clone(), |ours| ours.pem))
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        sign_rsa(&self.connection, &self.name, &self.key, self.files.certificate.public_key(), message)
    }
}

impl fmt::Debug for CloudKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudKey")
            .field("place", &self.connection.service.place())
            .field("name", &self.name)
            .field("key_id", &self.key_id())
            .finish()
    }
}

/// An ECDSA key in a service.
pub(crate) struct CloudLogKey {
    connection: Connection,
    name: String,
    key: RemoteKey,
    public: LogPublicKey,
}

impl CloudLogKey {
    pub(crate) const fn new(
        connection: Connection,
        name: String,
        key: RemoteKey,
        public: LogPublicKey,
    ) -> Self {
        Self { connection, name, key, public }
    }
}

impl LogSigningKey for CloudLogKey {
    fn public(&self) -> LogPublicKey {
        self.public.clone()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.connection.sign(&self.name, &self.key, KeyKind::P256, message)?;
        log_key::verified(signature, message, &self.public, self.connection.service.place())
    }
}
