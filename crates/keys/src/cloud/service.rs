//! What a key service has to be able to do.

use async_trait::async_trait;
use evidence::{KeyId, PublicKey, log::LogPublicKey};

use super::error::{CloudError, Fault};

/// Kinds of keys that Callseal makes and uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// RSA with so many bits: signs recordings.
    Rsa(u16),
    /// ECDSA with P-256: signs checkpoints, for these services have no Ed25519.
    P256,
}

/// A key as a service describes it.
#[derive(Debug, Clone)]
pub(crate) struct RemoteKey {
    /// What the service calls this very key: never a name alone, behind which another may stand tomorrow.
    pub(crate) handle: String,
    /// The public half: `SubjectPublicKeyInfo`, DER.
    pub(crate) spki: Vec<u8>,
    /// Why it does not sign now: "disabled"; `None` if it does.
    pub(crate) unusable: Option<String>,
    /// What speaks against it without keeping it from signing: it was made outside of the service.
    pub(crate) doubt: Option<&'static str>,
}

impl RemoteKey {
    /// The name of the key as recordings hold it.
    pub(crate) fn id(&self) -> KeyId {
        KeyId::of_spki_der(&self.spki)
    }

    /// Its public half, if it is RSA with 2048 bits or more.
    pub(crate) fn rsa(&self, place: &str, name: &str) -> Result<PublicKey, CloudError> {
        let unfit = |why: &str| unfit(place, name, why);
        let public =
            PublicKey::from_spki_der(&self.spki).map_err(|_| unfit("recordings are signed by an RSA key"))?;
        match public.bits() {
            2048.. => Ok(public),
            _ => Err(unfit("an RSA key has to have 2048 bits at least, better 3072")),
        }
    }

    /// Its public half, if it is ECDSA with P-256.
    pub(crate) fn p256(&self, place: &str, name: &str) -> Result<LogPublicKey, CloudError> {
        match self.spki.starts_with(&P256_SPKI) {
            true => Ok(LogPublicKey::P256(self.spki.clone())),
            false => Err(unfit(place, name, "a log is signed by an ECDSA key on the curve P-256")),
        }
    }
}

fn unfit(place: &str, name: &str, why: &str) -> CloudError {
    CloudError::KeyUnfit { place: place.to_owned(), key: name.to_owned(), why: why.to_owned() }
}

/// `SubjectPublicKeyInfo` of a key on P-256 up to its point: `id-ecPublicKey`, `prime256v1`, a BIT STRING
/// of 66 bytes with an uncompressed point (RFC 5480 § 2).
const P256_SPKI: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// The public half of a key on P-256 with that point, each coordinate 32 bytes.
pub(crate) fn p256_spki(x: &[u8], y: &[u8]) -> Option<Vec<u8>> {
    (x.len() == 32 && y.len() == 32).then(|| [&P256_SPKI, x, y].concat())
}

/// A service that keeps keys and signs with them. One call is one request: repeating is
/// [`Patience`](super::patience::Patience)'s.
#[async_trait]
pub(crate) trait KeyService: Send + Sync {
    /// What faults call it: "the key vault acme.vault.azure.net".
    fn place(&self) -> &str;

    /// The key that the name stands for now.
    async fn current(&self, name: &str) -> Result<RemoteKey, Fault>;

    /// The keys that the name stood for before; none where a service does not keep them.
    async fn former(&self, name: &str) -> Result<Vec<RemoteKey>, Fault>;

    /// RSASSA-PKCS1-v1_5, or the ASN.1 form of ECDSA, of a SHA-256.
    async fn sign(
        &self,
        name: &str,
        handle: &str,
        kind: KeyKind,
        digest: &[u8; 32],
    ) -> Result<Vec<u8>, Fault>;

    /// Makes a key under a name that is free. Where the service has such a thing, it refuses if the name
    /// is taken; otherwise the caller has looked.
    async fn create(&self, name: &str, kind: KeyKind) -> Result<RemoteKey, Fault>;
}
