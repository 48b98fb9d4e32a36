//! A change of key: asked for at the command line ([`super::desk`]), or by a tenant's configuration
//! that names another key.
//!
//! Write order, and what a crash right after each step leaves behind:
//!
//! 1. *Certificate, statement and signatures are published* in staging. Crash: files of a change that is
//!    not in force: no log names them. They are named by the statement's hash, so nothing is ever written
//!    over.
//! 2. *One transaction*: the key's row and a `key` entry in each log concerned, under the fence of the
//!    lease `seal`. From here on the new key signs: a batch that the old one has signed and that is not
//!    committed yet is refused there, and prepared anew.

use bytes::Bytes;
use domain::TenantId;
use evidence::{
    Certificate, KeyChangeStatement, KeyId, Sha256Hash, Signature,
    key_change::statement_path,
    log::{Entry, KeyChange, KeyEntry, LogKey, LogPublicKey, What},
};
use jiff::Timestamp;
use keys::KeySet;
use object_store::path::Path as Key;

use super::{NoKey, publish, ring::row_of};
use crate::{
    context::Context,
    fail_point,
    state::{Held, log::LogHead},
};

const BY_CONFIGURATION: &str = "the tenant's configuration names this key";

/// A change that both sides vouch for, or the new one alone.
pub(super) struct Change {
    /// What was signed.
    pub statement: KeyChangeStatement,
    /// By the old key; `None`: it is lost.
    pub old_signature: Option<Signature>,
    /// By the new key.
    pub new_signature: Signature,
    /// Label of the new key.
    pub label: String,
    /// The new key, open.
    pub set: KeySet,
}

/// Where an entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// In whose log.
    pub tenant: TenantId,
    /// From 0.
    pub number: u64,
}

/// The keys that sign for `tenant`, when the log says so: the first key of a log is entered, and a change
/// that the configuration asks for is carried out, with the signature of the old key.
///
/// # Errors
/// The key, or for a change also the old one, cannot be used now.
pub async fn in_log(context: &Context, lease: &Held, tenant: &TenantId) -> Result<KeySet, NoKey> {
    let ring = &context.keys;
    let log = context.log_of(tenant).await?;
    let entered = context.state.last_key_in_log(tenant).await?;
    if let Some(label) = ring.wanted(tenant).await? {
        let old = match &entered {
            Some(old) => Some(ring.former(tenant, old).await?),
            None => None,
        };
        let set = ring.unknown(&label).await?;
        match old {
            Some(old) if old.signing.key_id() != set.signing.key_id() => {
                by_configuration(context, lease, tenant, (label, set), old).await?;
            }
            _ => {
                context.state.commit_key(lease, &row_of(Some(tenant), &label, &set), &[]).await?;
            }
        }
    }
    let set = ring.of(tenant).await?;
    if entered.is_none() {
        let entry = entry(&log, KeyChange::First, &set, None, None, "the first key of this log");
        let entries = [(log.tenant, entry?)];
        let in_force = context.state.key_in_force(Some(tenant)).await?;
        if let Some(row) = in_force {
            context.state.commit_key(lease, &row, &entries).await?;
        }
    }
    Ok(set)
}

async fn by_configuration(
    context: &Context,
    lease: &Held,
    tenant: &TenantId,
    (label, set): (String, KeySet),
    old: KeySet,
) -> Result<(), NoKey> {
    let certificate = Certificate::from_pem(set.signing.certificate_pem()).map_err(|_| NoKey::Certificate)?;
    let statement = KeyChangeStatement {
        tenant: Some(tenant.clone()),
        old: old.signing.key_id(),
        new: set.signing.key_id(),
        new_certificate: certificate.fingerprint(),
        new_log_key: set.log.public(),
        at: Timestamp::now(),
        reason: BY_CONFIGURATION.to_owned(),
    };
    let text = statement.to_text().map_err(|_| NoKey::Certificate)?;
    let new = set.signing.clone();
    let work = move || Ok::<_, NoKey>((old.signing.sign(text.as_bytes())?, new.sign(text.as_bytes())?));
    let (old_signature, new_signature) =
        tokio::task::spawn_blocking(work).await.map_err(|_| NoKey::Stopped)??;
    let change = Change { statement, old_signature: Some(old_signature), new_signature, label, set };
    carry_out(context, lease, change).await?;
    Ok(())
}

/// Puts a change in force that was checked; says where it was written.
///
/// # Errors
/// Staging or the state refused; nothing has changed then.
pub(super) async fn carry_out(context: &Context, lease: &Held, change: Change) -> Result<Vec<Place>, NoKey> {
    let Change { statement, old_signature, new_signature, label, set } = change;
    let text = statement.to_text().map_err(|_| NoKey::Certificate)?;
    let mut logs = match &statement.tenant {
        Some(tenant) => vec![context.log_of(tenant).await?],
        None => context.state.logs().await?,
    };
    if statement.tenant.is_none() {
        let mut concerned = Vec::new();
        for log in logs {
            if !context.keys.has_own(&log.tenant).await? {
                concerned.push(log);
            }
        }
        logs = concerned;
    }
    let hash = Sha256Hash::of(text.as_bytes());
    publish::certificate(&set.signing, &context.staging).await.map_err(|_| NoKey::Staging)?;
    for log in &logs {
        let files = [
            (".txt", Some(text.clone().into_bytes())),
            (".old.sig", old_signature.as_ref().map(Signature::to_file)),
            (".new.sig", Some(new_signature.to_file())),
        ];
        for (ending, content) in files {
            let key = Key::from(format!("log/{}/{}{ending}", log.tenant, statement_path(&hash)));
            if let Some(content) = content {
                let put =
                    context.staging.put_once(&key, Bytes::from(content), "a key change statement").await;
                put.map_err(|_| NoKey::Staging)?;
            }
        }
    }
    fail_point::key_change_reached("key-change-published");
    let kind = if old_signature.is_some() { KeyChange::Rotated } else { KeyChange::Replaced };
    let mut entries = Vec::new();
    for log in &logs {
        let entry = entry(log, kind, &set, Some(statement.old), Some(hash), &statement.reason)?;
        entries.push((log.tenant.clone(), entry));
    }
    let row = row_of(statement.tenant.as_ref(), &label, &set);
    let numbers = context.state.commit_key(lease, &row, &entries).await?;
    fail_point::key_change_reached("key-change-committed");
    context.keys.took_over(&label, set).await;
    context.to_seal.notify_one();
    tracing::warn!(
        key = %statement.new, former = %statement.old, change = %kind,
        "another key signs from now on; its certificate is published"
    );
    let places = logs.into_iter().zip(numbers);
    Ok(places.map(|(log, number)| Place { tenant: log.tenant, number }).collect())
}

fn entry(
    log: &LogHead,
    change: KeyChange,
    set: &KeySet,
    previous: Option<KeyId>,
    statement: Option<Sha256Hash>,
    reason: &str,
) -> Result<Entry, NoKey> {
    let certificate = Certificate::from_pem(set.signing.certificate_pem()).map_err(|_| NoKey::Certificate)?;
    let public: LogPublicKey = set.log.public();
    let key = KeyEntry {
        change,
        key_id: set.signing.key_id(),
        previous,
        certificate: certificate.fingerprint(),
        log_key: LogKey { name: log.origin.clone(), public }.vkey(),
        statement,
        reason: reason.to_owned(),
    };
    Ok(Entry { at: Timestamp::now(), tenant: log.tenant.clone(), what: What::Key(Box::new(key)) })
}
