//! What lies in a target already, held against what staging has.

use std::cmp::Ordering;

use evidence::log::{CheckpointError, SignedCheckpoint, tiles::TreeError};
use targets::Target;

use super::{files::names, published::Snapshot, standing::Trouble};
use crate::small_file;

/// The `checkpoint` in a target, held against the one in staging.
pub enum Theirs {
    /// There is none; what copies of earlier ones are there, ours continues.
    None,
    /// It is of a smaller tree, with so many entries, that ours continues.
    Older(u64),
    /// It is the same file.
    Same,
    /// It is of the same tree, and has other cosignatures.
    SignedOtherwise,
    /// It is of a larger tree, with so many entries.
    Newer(u64),
}

/// Compares the two.
///
/// # Errors
/// It cannot be read. Evidence is never written over: another log, or a forked state of this one, is a fault for a person.
pub async fn compare(target: &dyn Target, log: &str, ours: &Snapshot) -> Result<Theirs, Trouble> {
    let needs_person = |problem: String| Trouble { problem, needs_person: true, forked: false };
    let Some(bytes) = small_file::read(target, log, "checkpoint").await? else {
        // Whoever took it away has not taken away what the target knows of the log.
        let Some((path, copy)) = newest_copy(target, log).await? else { return Ok(Theirs::None) };
        let copy = copy.map_err(|_| needs_person(damaged(&path)))?;
        return match hold_against(log, copy, ours).await? {
            // Not further than this copy, as it is for whoever comes to it now.
            Theirs::Newer(size) => Ok(Theirs::Newer(size)),
            _ => Ok(Theirs::None),
        };
    };
    if bytes == ours.checkpoint {
        return Ok(Theirs::Same);
    }
    let Ok(theirs) = SignedCheckpoint::parse(&bytes) else {
        return Err(needs_person(damaged(&format!("{log}/checkpoint"))));
    };
    hold_against(log, theirs, ours).await
}

fn damaged(path: &str) -> String {
    format!("the file {path} in it is damaged; move it away, and it is written anew")
}

/// Its path, and what it says.
type FoundCopy = (String, Result<SignedCheckpoint, CheckpointError>);

/// The copy in the target of the checkpoint with the most entries.
async fn newest_copy(target: &dyn Target, log: &str) -> Result<Option<FoundCopy>, Trouble> {
    let folder = format!("{log}/checkpoints");
    let names = names(target, &folder).await?;
    // Their names are their sizes, all of one length; time stamps have an ending.
    let is_copy = |name: &&String| name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit());
    let Some(name) = names.iter().rev().find(is_copy) else { return Ok(None) };
    let bytes = small_file::read(target, &folder, name).await?.unwrap_or_default();
    Ok(Some((format!("{folder}/{name}"), SignedCheckpoint::parse(&bytes))))
}

/// Compares a checkpoint of the target that is not byte for byte ours.
async fn hold_against(log: &str, theirs: SignedCheckpoint, ours: &Snapshot) -> Result<Theirs, Trouble> {
    let needs_person = |problem: String| Trouble { problem, needs_person: true, forked: false };
    let (theirs, head) = (theirs.checkpoint, &ours.head);
    if theirs.origin != head.origin {
        return Err(needs_person(format!(
            "in {log} lies the log of another installation ({}); it is evidence and stays: give this target another folder, \
             or move the old archive away as a whole",
            theirs.origin
        )));
    }
    match theirs.size.cmp(&head.size) {
        Ordering::Less => match ours.root_at(theirs.size).await {
            Ok(root) if root == theirs.root => Ok(Theirs::Older(theirs.size)),
            Ok(_) => Err(not_continued(theirs.size, ours)),
            Err(error) => Err(Trouble {
                problem: format!(
                    "the published log in staging cannot be held against the one in it: {error}"
                ),
                needs_person: !matches!(error, TreeError::Read(..)),
                forked: false,
            }),
        },
        Ordering::Greater => Ok(Theirs::Newer(theirs.size)),
        Ordering::Equal if theirs.root == head.root => Ok(Theirs::SignedOtherwise),
        Ordering::Equal => Err(not_continued(theirs.size, ours)),
    }
}

/// The trouble of a target with a state of the log that the one in staging does not continue.
pub fn not_continued(size: u64, ours: &Snapshot) -> Trouble {
    let problem = format!(
        "it holds a state of the log (with {size} entries) that the signer's log (with {}) does not continue: was an older \
         backup of the signer or of staging put in place? Nothing is written over; keep this archive and ask who did it",
        ours.head.size
    );
    Trouble { problem, needs_person: true, forked: true }
}
