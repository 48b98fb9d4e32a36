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
    Certificate, KeyChangeStatement, Sha256Hash, Signature,
    key_change::statement_path,
    log::{Entry, KeyChange, KeyEntry, LogKey, What},
};
use jiff::Timestamp;
use keys::KeySet;
use object_store::path::Path as Key;
use wire::{Message, evidence_v1::ChangeKeyRequest};

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
    /// From 0; `None`: the log is halted, and takes it in when it goes on.
    pub number: Option<u64>,
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
                context.state.commit_key(lease, &row_of(Some(tenant), &label, &set), None, &[]).await?;
            }
        }
    }
    let set = ring.of(tenant).await?;
    if entered.is_none() {
        let entry = first(&log, &set)?;
        let in_force = context.state.key_in_force(Some(tenant)).await?;
        if let Some(row) = in_force {
            context.state.commit_key(lease, &row, None, &[(log.tenant, entry)]).await?;
        }
    } else if entered != Some(set.signing.key_id().to_string()) {
        catch_up(context, lease, &log).await?;
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

/// Puts a change in force that was checked; says where it was written. A log that is halted holds up
/// nobody: it takes the change in when it goes on ([`catch_up`]).
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
            // A log that was begun anew names its first key when it is used, with the reason.
            let is_to_name_one = log.key_id.is_empty() && !log.follows.is_empty();
            if !is_to_name_one && !context.keys.has_own(&log.tenant).await? {
                concerned.push(log);
            }
        }
        logs = concerned;
    }
    let bytes = |signature: &Signature| signature.as_bytes().to_vec();
    let request = ChangeKeyRequest {
        tenant: statement.tenant.as_ref().map(TenantId::to_string).unwrap_or_default(),
        key: label.clone(),
        certificate_pem: set.signing.certificate_pem().to_owned(),
        statement: text.into_bytes(),
        old_signature: old_signature.as_ref().map(bytes).unwrap_or_default(),
        new_signature: bytes(&new_signature),
    };
    publish::certificate(set.signing.certificate_pem(), statement.tenant.as_ref(), &context.staging)
        .await
        .map_err(|_| NoKey::Staging)?;
    for log in logs.iter().filter(|log| log.halted.is_empty()) {
        put_papers(context, log, &request).await?;
    }
    fail_point::key_change_reached("key-change-published");
    let mut entries = Vec::new();
    for log in &logs {
        let log_key = LogKey { name: log.origin.clone(), public: set.log.public() };
        entries.push((log.tenant.clone(), changed(log, &request, &statement, &log_key)));
    }
    let row = row_of(statement.tenant.as_ref(), &label, &set);
    let asked = request.encode_to_vec();
    let numbers = context.state.commit_key(lease, &row, Some(&asked), &entries).await?;
    fail_point::key_change_reached("key-change-committed");
    context.keys.took_over(&label, set).await;
    context.to_seal.notify_one();
    tracing::warn!(
        key = %statement.new, former = %statement.old, change = %kind(&request),
        "another key signs from now on; its certificate is published"
    );
    let places = logs.into_iter().zip(numbers);
    Ok(places.map(|(log, number)| Place { tenant: log.tenant, number }).collect())
}

/// Statement and signatures, for readers of this log.
async fn put_papers(context: &Context, log: &LogHead, request: &ChangeKeyRequest) -> Result<(), NoKey> {
    let path = statement_path(&Sha256Hash::of(&request.statement));
    let file = |signature: &[u8]| Signature::new(signature.to_vec()).to_file();
    let files = [
        (".txt", request.statement.clone()),
        (
            ".old.sig",
            if request.old_signature.is_empty() { Vec::new() } else { file(&request.old_signature) },
        ),
        (".new.sig", file(&request.new_signature)),
    ];
    for (ending, content) in files.into_iter().filter(|(_, content)| !content.is_empty()) {
        let key = Key::from(format!("log/{}/{path}{ending}", log.tenant));
        let put = context.staging.put_once(&key, Bytes::from(content), "a key change statement").await;
        put.map_err(|_| NoKey::Staging)?;
    }
    Ok(())
}

/// Enters the changes of key that were carried out while this log was halted, each with its papers. It
/// may be asked for at any time: what is entered already is not entered again.
///
/// # Errors
/// Staging or the state refused.
async fn catch_up(context: &Context, lease: &Held, log: &LogHead) -> Result<(), NoKey> {
    let own = context.state.key_changes(Some(&log.tenant)).await?;
    let installation = context.state.key_changes(None).await?;
    // One that has a key of its own since is not concerned by those of the installation.
    let keys = if own.is_empty() { installation } else { own };
    let known = keys.iter().position(|(row, _)| row.key_id == log.key_id);
    let missed = keys.iter().skip(known.map_or(0, |at| at + 1));
    // A first key was not changed to.
    for (row, asked) in missed.filter(|(_, asked)| !asked.is_empty()) {
        let request = ChangeKeyRequest::decode(asked.as_slice()).map_err(|_| NoKey::Certificate)?;
        let text = str::from_utf8(&request.statement).map_err(|_| NoKey::Certificate)?;
        let statement = KeyChangeStatement::parse(text).map_err(|_| NoKey::Certificate)?;
        let log_key = LogKey { name: log.origin.clone(), public: statement.new_log_key.clone() };
        put_papers(context, log, &request).await?;
        let entry = (log.tenant.clone(), changed(log, &request, &statement, &log_key));
        let numbers = context.state.commit_key(lease, row, None, &[entry]).await?;
        tracing::warn!(tenant = %log.tenant, key = row.key_id, entry = ?numbers.first(), "the log takes in a change of key");
    }
    Ok(())
}

fn kind(request: &ChangeKeyRequest) -> KeyChange {
    if request.old_signature.is_empty() { KeyChange::Replaced } else { KeyChange::Rotated }
}

/// What a log says of a change.
fn changed(log: &LogHead, request: &ChangeKeyRequest, statement: &KeyChangeStatement, key: &LogKey) -> Entry {
    let entry = KeyEntry {
        change: kind(request),
        key_id: statement.new,
        previous: Some(statement.old),
        certificate: statement.new_certificate,
        log_key: key.vkey(),
        statement: Some(Sha256Hash::of(&request.statement)),
        reason: statement.reason.clone(),
    };
    Entry { at: Timestamp::now(), tenant: log.tenant.clone(), what: What::Key(Box::new(entry)) }
}

/// What a log says of its first key.
fn first(log: &LogHead, set: &KeySet) -> Result<Entry, NoKey> {
    let certificate = Certificate::from_pem(set.signing.certificate_pem()).map_err(|_| NoKey::Certificate)?;
    let key = KeyEntry {
        change: KeyChange::First,
        key_id: set.signing.key_id(),
        previous: None,
        certificate: certificate.fingerprint(),
        log_key: LogKey { name: log.origin.clone(), public: set.log.public() }.vkey(),
        statement: None,
        reason: crate::log::anew::reason(log),
    };
    Ok(Entry { at: Timestamp::now(), tenant: log.tenant.clone(), what: What::Key(Box::new(key)) })
}
