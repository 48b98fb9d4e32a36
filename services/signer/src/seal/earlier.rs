//! The files that come after the signature, the log's proof and the time stamp, are made once. A repeat
//! after a crash would make others: under a later checkpoint, of a later time. So it takes those that lie
//! in staging already, if they prove the same. Others are never written over and never delivered: nobody
//! but the signer writes there.

use std::{fs, io};

use domain::TenantId;
use evidence::{Section, Sha256Hash, timestamp::TimeStampToken};

use super::{announce::AnnounceError, lay_out::key_of};
use crate::{context::Context, log::proof, staging::StagingError, state::outbox::Unsent};

/// A file that comes after the signature.
pub struct Later {
    /// Which one.
    pub section: Section,
    /// What it is called in errors.
    pub what: &'static str,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// The files of a row that were just made, or those in their place that lie in staging already.
///
/// # Errors
/// [`StagingError::Different`] if those prove something else; or it cannot be found out.
pub async fn or_new(
    context: &Context,
    row: &Unsent,
    proof: Option<Vec<u8>>,
    stamp: Option<Vec<u8>>,
) -> Result<Vec<Later>, AnnounceError> {
    let new = [
        (Section::LogProof, "the proof that a recording stands in the log", proof),
        (Section::TimeStamp, "the time stamp of a recording", stamp),
    ];
    let mut files = Vec::with_capacity(new.len());
    for (section, what, content) in new {
        let Some(mut content) = content else { continue };
        // Mostly there is none: that is asked without a way to another thread.
        if let Some(there) = earlier(context, row, section)?
            && there != content
        {
            let is_as_good = match section {
                Section::LogProof => is_proof(context, row, &there, &content).await?,
                _ => is_stamp(row, &there),
            };
            if !is_as_good {
                return Err(StagingError::Different(what).into());
            }
            content = there;
        }
        files.push(Later { section, what, content });
    }
    Ok(files)
}

fn earlier(context: &Context, row: &Unsent, section: Section) -> Result<Option<Vec<u8>>, StagingError> {
    match fs::read(context.staging.path(&key_of(row, section))?) {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let source = error.into();
            Err(StagingError::Read(object_store::Error::Generic { store: "the staging folder", source }))
        }
    }
}

async fn is_proof(context: &Context, row: &Unsent, there: &[u8], ours: &[u8]) -> Result<bool, AnnounceError> {
    let Ok(tenant) = row.message.tenant.parse::<TenantId>() else { return Ok(false) };
    Ok(proof::is_as_good(context, &tenant, there, ours).await?)
}

fn is_stamp(row: &Unsent, there: &[u8]) -> bool {
    let hash = Sha256Hash::of(&row.prepared.hash_list);
    TimeStampToken::from_der(there).is_ok_and(|token| token.claimed_hash() == Some(&hash))
}
