//! The few small files that a target holds beside recordings and log.

use targets::{Content, ErrorKind, Target, TargetError};
use tokio::io::AsyncReadExt as _;

/// Nothing that is compared is longer.
const LONGEST: u64 = 256 * 1024;

/// A small file's bytes; `None` if there is none. Of a longer one only the beginning.
///
/// # Errors
/// It cannot be read.
pub async fn read(target: &dyn Target, folder: &str, name: &str) -> Result<Option<Vec<u8>>, TargetError> {
    let Some(reader) = target.open(folder, name).await? else { return Ok(None) };
    let mut bytes = Vec::new();
    reader.take(LONGEST).read_to_end(&mut bytes).await.map_err(|error| {
        TargetError::new(ErrorKind::Io, "a file in the target cannot be read").caused_by(error)
    })?;
    Ok(Some(bytes))
}

/// Puts `bytes` into the target's own folder as `<stem>.<ending>`, or, when others have that name, as
/// `<stem> (2).<ending>` and so on, unless they stand there already. Keys change and tenants come for as
/// long as an archive lives: there is no end to the numbers. Names are tried one by one, because the
/// folder may hold a hundred thousand recordings.
///
/// # Errors
/// The target cannot be read, or did not take it.
pub async fn put_numbered(
    target: &dyn Target,
    stem: &str,
    ending: &str,
    bytes: &[u8],
) -> Result<(), TargetError> {
    let mut number = 1;
    loop {
        let name =
            if number == 1 { format!("{stem}.{ending}") } else { format!("{stem} ({number}).{ending}") };
        match read(target, "", &name).await? {
            Some(found) if found == bytes => return Ok(()),
            Some(_) => number += 1,
            None => return target.put("", &name, &Content::from_bytes(bytes.to_vec())).await.map(drop),
        }
    }
}
