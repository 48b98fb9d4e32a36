//! What mirrors do to a target's files.

use std::collections::{BTreeMap, BTreeSet};

use delivery::Destination;
use targets::{Content, Kind, Outcome, Target, TargetError};

use super::standing::Trouble;
use crate::small_file::read;

const NOTE: &str = "archive.txt";
const HEADING: &str = "Callseal archive\n";
const SCRIPT: &str = "verify.sh";

/// Folder and name of a path.
pub fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Every file below a folder of the target, by its path below it, with its size in bytes.
///
/// # Errors
/// The target cannot be listed.
pub async fn below(target: &dyn Target, top: &str) -> Result<BTreeMap<String, u64>, TargetError> {
    let mut found = BTreeMap::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for listed in target.list(&format!("{top}/{folder}")).await? {
            let path = format!("{folder}{}", listed.name);
            match listed.kind {
                Kind::Folder => folders.push(format!("{path}/")),
                Kind::File { size, .. } => drop(found.insert(path, size)),
            }
        }
    }
    Ok(found)
}

/// Names of the files directly in a folder of the target.
///
/// # Errors
/// The target cannot be listed.
pub async fn names(target: &dyn Target, folder: &str) -> Result<BTreeSet<String>, TargetError> {
    Ok(target.list(folder).await?.into_iter().map(|listed| listed.name).collect())
}

/// Puts a file of the log that never changes. Another one of its name is kept, and is a fault: somebody
/// else writes there.
///
/// # Errors
/// The target did not take it, or another file has its name.
pub async fn put_for_ever(target: &dyn Target, path: &str, content: &Content) -> Result<(), Trouble> {
    let (folder, name) = split(path);
    let put = target.put(folder, name, content).await?;
    if put.outcome == Outcome::StoredAside {
        target.remove(folder, &put.name).await?;
        return Err(Trouble {
            problem: "a different file has the name of a checkpoint or of a statement of the log; both are evidence: \
                      look who wrote it, and move it away"
                .to_owned(),
            needs_person: true,
            forked: false,
        });
    }
    Ok(())
}

/// Says in `archive.txt` whose archive it is. Tenants, and targets of one, may share a folder: each has
/// two lines. Whoever writes at the same time may win; who lost finds that at the next change of the log.
///
/// # Errors
/// The target did not take it.
pub async fn bring_note(target: &dyn Target, destination: &Destination) -> Result<(), TargetError> {
    let Destination { tenant, name } = destination;
    let own = format!("Tenant: {tenant}\nTarget: {name}\n");
    let there = read(target, "", NOTE).await?.unwrap_or_default();
    let there = String::from_utf8(there).unwrap_or_default();
    let others = there.strip_prefix(HEADING).unwrap_or_default();
    if there.starts_with(HEADING) && format!("\n{others}").contains(&format!("\n{own}")) {
        return Ok(());
    }
    target.replace("", NOTE, &Content::from_bytes(format!("{HEADING}{others}{own}"))).await
}

/// Brings `verify.sh`. One of an older version gives way: it is a tool, no evidence.
///
/// # Errors
/// The target did not take it.
pub async fn bring_script(target: &dyn Target) -> Result<(), TargetError> {
    let script = evidence::VERIFY_SH.as_bytes();
    if read(target, "", SCRIPT).await?.is_some_and(|there| there == script) {
        return Ok(());
    }
    target.replace("", SCRIPT, &Content::from_bytes(script)).await
}
