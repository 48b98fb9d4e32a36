//! Which log keys and checkpoints can be believed.

use std::io;

use crate::{
    Signature,
    log::{
        LogFiles, LogKey, LogKeyStatement, LogProblem, SignedCheckpoint, StatementError, problem::FileTrouble,
    },
    verify::Keyring,
};

/// A checkpoint or a statement is a few hundred bytes, with many witnesses a few thousand.
const LONGEST: usize = 100_000;

pub(super) fn unreadable(path: &str, error: &io::Error) -> LogProblem {
    LogProblem::File { path: path.to_owned(), trouble: FileTrouble::Unreadable(error.to_string()) }
}

fn read(files: &dyn LogFiles, path: &str) -> Result<Option<Vec<u8>>, LogProblem> {
    match files.read(path) {
        Ok(Some(bytes)) if bytes.len() > LONGEST => {
            Err(LogProblem::File { path: path.to_owned(), trouble: FileTrouble::Damaged })
        }
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// The log keys that statements signed with a trusted certificate name; and what is wrong with others.
pub(crate) fn log_keys(files: &dyn LogFiles, trusted: &Keyring) -> (Vec<LogKey>, Vec<LogProblem>) {
    let names = match files.list("keys") {
        Ok(names) => names,
        Err(error) => return (Vec::new(), vec![unreadable("keys", &error)]),
    };
    let (mut keys, mut problems) = (Vec::new(), Vec::new());
    for name in names.iter().filter(|name| is_statement(name)) {
        match statement(files, &format!("keys/{name}"), trusted) {
            Ok(statement) => keys.push(statement.key),
            Err(problem) => problems.push(problem),
        }
    }
    (keys, problems)
}

/// `<8 hexadecimal digits>.txt`; beside them lie signatures and statements of changes.
fn is_statement(name: &str) -> bool {
    let digits = name.strip_suffix(".txt");
    digits.is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn statement(files: &dyn LogFiles, path: &str, trusted: &Keyring) -> Result<LogKeyStatement, LogProblem> {
    let bad = |error| LogProblem::BadStatement { path: path.to_owned(), error };
    let bytes = read(files, path)?.unwrap_or_default();
    let text = std::str::from_utf8(&bytes).map_err(|_| bad(StatementError::Format))?;
    let statement = LogKeyStatement::parse(text).map_err(bad)?;
    let Some(certificate) = trusted.of_key(statement.signed_by) else {
        return Err(LogProblem::StatementNotTrusted { path: path.to_owned(), key: statement.signed_by });
    };
    let signature = read(files, &format!("{path}.SHA256withRSA.sig"))?.unwrap_or_default();
    let good = Signature::parse(&signature)
        .is_ok_and(|signature| certificate.public_key().verify(&bytes, &signature).is_ok());
    if good { Ok(statement) } else { Err(LogProblem::StatementNotSigned { path: path.to_owned() }) }
}

/// The checkpoint at `path`, if there is one and one of `keys` signed it.
pub(super) fn checkpoint(
    files: &dyn LogFiles,
    path: &str,
    keys: &[LogKey],
) -> Result<Option<SignedCheckpoint>, LogProblem> {
    let Some(bytes) = read(files, path)? else { return Ok(None) };
    let signed = SignedCheckpoint::parse(&bytes)
        .map_err(|error| LogProblem::BadCheckpoint { path: path.to_owned(), error })?;
    let own = |key: &LogKey| key.name == signed.checkpoint.origin && signed.is_signed_by(key);
    if keys.iter().any(own) { Ok(Some(signed)) } else { Err(LogProblem::NotSigned { path: path.to_owned() }) }
}

/// The sizes of which there are copies of checkpoints, from the smallest up.
pub(super) fn copies(files: &dyn LogFiles) -> Result<Vec<u64>, LogProblem> {
    let names = files.list("checkpoints").map_err(|error| unreadable("checkpoints", &error))?;
    let mut sizes: Vec<u64> =
        names.iter().filter(|name| name.len() == 20).filter_map(|name| name.parse().ok()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    Ok(sizes)
}
