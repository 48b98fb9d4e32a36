//! Cosignatures from a witness (C2SP tlog-witness).

use domain::{ResourceName, resources::tenant::evidence::Witness};
use evidence::{
    Sha256Hash,
    log::{NoteSignature, SignedCheckpoint, WitnessKey, witness},
};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, StatusCode};

use crate::{AttestError, http};

/// Some signature lines.
const LONGEST: usize = 16 * 1024;

/// How far the witness' clock may be from ours.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);

/// A witness.
#[derive(Debug, Clone)]
pub struct WitnessClient {
    name: ResourceName,
    url: String,
    key: WitnessKey,
    client: Client,
}

impl WitnessClient {
    /// The one that a tenant configured. Nothing is sent yet.
    ///
    /// # Errors
    /// [`AttestError::WitnessKey`], [`AttestError::Client`].
    pub fn new(configured: &Witness) -> Result<Self, AttestError> {
        Ok(Self {
            name: configured.name.clone(),
            url: format!("{}/add-checkpoint", configured.url),
            key: WitnessKey::parse(&configured.key).map_err(AttestError::WitnessKey)?,
            client: http::client()?,
        })
    }

    /// What the configuration calls it.
    pub const fn name(&self) -> &ResourceName {
        &self.name
    }

    /// Its public key.
    pub const fn key(&self) -> &WitnessKey {
        &self.key
    }

    /// Asks for a cosignature under `checkpoint`, which `proof` shows to continue the tree of
    /// `old_size` (RFC 6962 § 2.1.2; empty where `old_size` is 0 or the checkpoint's own). Returns
    /// signature lines to [add](SignedCheckpoint::add), at least one, verified.
    ///
    /// # Errors
    /// [`AttestError::Conflict`] when the witness saw another size last: ask again with a proof from
    /// there. Otherwise it is away, or its answer is not good.
    pub async fn cosign(
        &self,
        old_size: u64,
        proof: &[Sha256Hash],
        checkpoint: &SignedCheckpoint,
    ) -> Result<Vec<NoteSignature>, AttestError> {
        let request = witness::request(old_size, proof, checkpoint);
        let response = http::send(self.client.post(&self.url).body(request.to_bytes())).await?;
        let status = response.status();
        if status != StatusCode::OK && status != StatusCode::CONFLICT {
            return Err(AttestError::Status(status.as_u16()));
        }
        let body = http::body(response, LONGEST).await?;
        if status == StatusCode::CONFLICT {
            let size = witness::parse_size(&body).ok_or(AttestError::NotWitness)?;
            return Err(AttestError::Conflict { size });
        }
        let mut lines = witness::parse_answer(&body).ok_or(AttestError::NotWitness)?;
        let text = checkpoint.checkpoint.body();
        // Lines of other keys are to be ignored, also of a witness that signs with two.
        lines.retain(|line| self.key.verify(&text, line).is_some());
        let newest = lines.iter().filter_map(|line| self.key.verify(&text, line)).max();
        let off = newest.ok_or(AttestError::NotCosigned)?.duration_since(Timestamp::now()).abs();
        if off > TOLERANCE { Err(AttestError::Clock(off)) } else { Ok(lines) }
    }
}
