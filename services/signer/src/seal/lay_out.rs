//! Files of sealed recordings to staging, many recordings at once; see [`announce`](super::announce),
//! step 1.

use std::collections::{BTreeMap, HashMap};

use domain::{RecordingId, TenantId};
use evidence::{HashedFile, Section};
use futures::{StreamExt, stream};
use object_store::path::Path as Key;
use wire::recording_v1::SealedFile;

use super::{
    announce::{AnnounceError, time_stamp},
    earlier::{self, Later},
};
use crate::{
    context::Context,
    log::proof,
    staging::{NewFile, Put},
    state::outbox::Unsent,
};

/// Recordings whose files are written and made durable together: what takes its time is the disk's sync.
const TOGETHER: usize = 64;
/// Questions to a time-stamp authority at the same time.
const STAMPS_AT_ONCE: usize = 16;

/// Rows that could not be laid out, and why.
pub type Failed = Vec<(RecordingId, AnnounceError)>;

/// A row with its files, to be put.
struct Work {
    row: Unsent,
    files: Vec<NewFile>,
}

/// Puts the files of each row: those that lie in staging now, and those that could not be put there. A
/// row that waits for its time stamp is in neither.
pub async fn lay_out(context: &Context, rows: Vec<Unsent>) -> (Vec<Unsent>, Failed) {
    // First what may make a row wait.
    let stamped = |row: Unsent| async move { time_stamp(context, &row).await.map(|stamp| (row, stamp)) };
    let stamped = stream::iter(rows).map(stamped).buffered(STAMPS_AT_ONCE);
    let rows: Vec<(Unsent, Option<Vec<u8>>)> = stamped.filter_map(std::future::ready).collect().await;
    let (mut there, mut failed) = (Vec::new(), Vec::new());
    let mut proofs = proofs(context, rows.iter().map(|(row, _)| row), &mut failed).await;
    let mut work: Vec<Work> = Vec::with_capacity(rows.len());
    for (row, stamp) in rows {
        let Some(proof) = proofs.remove(&row.recording) else { continue };
        match earlier::or_new(context, &row, proof, stamp).await {
            Ok(later) => work.push(with_files(row, later)),
            Err(error) => failed.push((row.recording, error)),
        }
    }
    while !work.is_empty() {
        let some: Vec<Work> = work.drain(..work.len().min(TOGETHER)).collect();
        let (rows, files): (Vec<Unsent>, Vec<Vec<NewFile>>) =
            some.into_iter().map(|Work { row, files }| (row, files)).unzip();
        let outcomes = context.staging.put_groups(files, &context.metrics.cpu).await;
        for (row, outcome) in rows.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => there.push(row),
                Err(error) => failed.push((row.recording, error.into())),
            }
        }
    }
    (there, failed)
}

/// The log's proof of each row (`None`: the log does not know it). Rows whose proof cannot be made are
/// missing; why, is among the `failed`.
async fn proofs(
    context: &Context,
    rows: impl Iterator<Item = &Unsent>,
    failed: &mut Failed,
) -> HashMap<RecordingId, Option<Vec<u8>>> {
    let mut by_tenant: BTreeMap<&str, Vec<RecordingId>> = BTreeMap::new();
    for row in rows {
        by_tenant.entry(&row.message.tenant).or_default().push(row.recording);
    }
    let mut all = HashMap::new();
    for (tenant, recordings) in by_tenant {
        let made = match tenant.parse::<TenantId>() {
            Ok(tenant) => proof::of_all(context, &tenant, &recordings).await,
            Err(_) => Ok(HashMap::new()),
        };
        let mut made = match made {
            Ok(made) => made,
            Err(error) => {
                // One speaks for all of them.
                failed.extend(recordings.first().map(|one| (*one, error.into())));
                continue;
            }
        };
        for recording in recordings {
            match made.remove(&recording).transpose() {
                Ok(proof) => drop(all.insert(recording, proof)),
                Err(error) => failed.push((recording, error.into())),
            }
        }
    }
    all
}

/// The files of a row; those that come after the signature are named in its message.
fn with_files(mut row: Unsent, later: Vec<Later>) -> Work {
    let prepared = std::mem::take(&mut row.prepared);
    let texts = [
        (Section::Info, prepared.info),
        (Section::Journal, prepared.journal),
        (Section::HashList, prepared.hash_list),
        (Section::Signature, prepared.signature_file),
    ];
    let mut files = Vec::with_capacity(texts.len() + later.len());
    for (section, content) in texts {
        let put = Put::Once("a sealed file");
        files.push(NewFile { key: key_of(&row, section), content: content.into(), put });
    }
    for Later { section, what, content } in later {
        let file = HashedFile::of(format!("{}{section}", row.message.base_name), &content);
        let sha256 = file.sha256.as_bytes().to_vec();
        row.message.files.push(SealedFile { name: file.name, size: file.size, sha256 });
        files.push(NewFile { key: key_of(&row, section), content: content.into(), put: Put::Once(what) });
    }
    Work { row, files }
}

/// Where a file of a row lies.
pub(super) fn key_of(row: &Unsent, section: Section) -> Key {
    Key::from(row.message.staging_key(&format!("{}{section}", row.message.base_name)))
}
