//! Answers a person at the command line who hands over a new key (`callseal key rotate`, `callseal key
//! replace`). Only the replica that seals listens.

use std::sync::Arc;

use bus::{subjects::SIGNER_CHANGE_KEY, with_sources};
use domain::TenantId;
use evidence::{Certificate, KeyChangeStatement, PublicKey, Signature, log::words};
use tokio_util::sync::CancellationToken;
use wire::evidence_v1::{ChangeKeyRequest, ChangeKeyResponse, LogPlace};

use super::{
    NoKey,
    change::{self, Change, Place},
};
use crate::{
    answering,
    context::Context,
    state::{Held, signing_key::KeyRow},
};

const QUEUE: &str = "signer";

/// Why a change was refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the request cannot be understood: {0}")]
    Format(&'static str),
    #[error("{0}")]
    Reason(&'static str),
    #[error("{0}")]
    Statement(#[from] evidence::KeyChangeError),
    #[error("the certificate is not the one that the statement names")]
    Certificate,
    #[error("the statement names another key as the old one than the one that signs now")]
    NotInForce,
    #[error("this key has signed before: a key that was changed never comes back")]
    UsedBefore,
    #[error("the statement is not signed by the old key; if that is lost, `callseal key replace` is the way")]
    NoOldKey,
    #[error("the signer finds another key or log key under this label than the statement names")]
    Another,
    #[error("the change cannot be carried out now: {0}")]
    NotNow(String),
}

impl From<NoKey> for Refused {
    fn from(error: NoKey) -> Self {
        Self::NotNow(with_sources(&error))
    }
}

/// Answers until `stop`.
pub async fn run(context: &Arc<Context>, lease: &Held, stop: &CancellationToken) {
    let serve = || {
        let (context, lease) = (context.clone(), lease.clone());
        let bus = context.bus.clone();
        let answer = move |request: ChangeKeyRequest| {
            let (context, lease) = (context.clone(), lease.clone());
            async move { answer(&context, &lease, &request).await }
        };
        async move { bus.serve(SIGNER_CHANGE_KEY, QUEUE, stop.clone(), answer).await }
    };
    answering::always("changes of keys", stop, serve).await;
}

async fn answer(context: &Context, lease: &Held, request: &ChangeKeyRequest) -> ChangeKeyResponse {
    match change(context, lease, request).await {
        Ok(places) => answer_of(places),
        Err(refused) => {
            tracing::warn!(reason = %refused, "a change of key was refused");
            ChangeKeyResponse { problem: refused.to_string(), ..ChangeKeyResponse::default() }
        }
    }
}

fn answer_of(places: Vec<Place>) -> ChangeKeyResponse {
    let mut answer = ChangeKeyResponse::default();
    for Place { tenant, number } in places {
        match number {
            Some(index) => answer.places.push(LogPlace { tenant: tenant.to_string(), index }),
            None => answer.pending.push(tenant.to_string()),
        }
    }
    answer
}

async fn change(context: &Context, lease: &Held, request: &ChangeKeyRequest) -> Result<Vec<Place>, Refused> {
    let text = str::from_utf8(&request.statement).map_err(|_| Refused::Format("the statement"))?;
    let statement = KeyChangeStatement::parse(text)?;
    words::look_at(&statement.reason).map_err(|found| Refused::Reason(found.as_str()))?;
    if request.tenant != statement.tenant.as_ref().map_or("", TenantId::as_str) {
        return Err(Refused::Format("the statement is about another tenant"));
    }
    let certificate = Certificate::from_pem(&request.certificate_pem).map_err(|_| Refused::Certificate)?;
    let new = certificate.public_key();
    if certificate.fingerprint() != statement.new_certificate || new.id() != statement.new {
        return Err(Refused::Certificate);
    }
    let in_force = context.state.key_in_force(statement.tenant.as_ref()).await.map_err(NoKey::from)?;
    let old = known_old(in_force.as_ref(), &statement)?;
    let signature = |bytes: &[u8]| Signature::new(bytes.to_vec());
    let (old_signature, new_signature) = match request.old_signature.as_slice() {
        [] => (None, signature(&request.new_signature)),
        bytes => (Some(signature(bytes)), signature(&request.new_signature)),
    };
    let by_old = match (&old, &old_signature) {
        (Some(key), Some(signature)) => Some((key, signature)),
        (None, Some(_)) => return Err(Refused::NoOldKey),
        (_, None) => None,
    };
    statement.verify(by_old, (new, &new_signature))?;
    let used = context.state.was_in_force(&statement.new.to_string()).await.map_err(NoKey::from)?;
    if used {
        return Err(Refused::UsedBefore);
    }
    let set = context.keys.unknown(&request.key).await?;
    if set.signing.key_id() != statement.new || set.log.public() != statement.new_log_key {
        return Err(Refused::Another);
    }
    let change = Change { statement, old_signature, new_signature, label: request.key.clone(), set };
    Ok(change::carry_out(context, lease, change).await?)
}

/// The key that signs now, if it is the one that the statement calls the old one. `None`: none has ever
/// been in force here; then only a replacement is possible.
fn known_old(row: Option<&KeyRow>, statement: &KeyChangeStatement) -> Result<Option<PublicKey>, Refused> {
    let Some(row) = row else { return Ok(None) };
    if row.key_id != statement.old.to_string() {
        return Err(Refused::NotInForce);
    }
    let certificate = Certificate::from_pem(&row.certificate_pem);
    Ok(Some(certificate.map_err(|_| Refused::NotInForce)?.public_key().clone()))
}
