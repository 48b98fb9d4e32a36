//! Which programs may be run: files of the one folder that the operator allows.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::{ErrorKind, TargetError};

/// May be written by everybody.
const BY_ALL: u32 = 0o002;
/// May be executed by somebody.
const EXECUTABLE: u32 = 0o111;

/// The path of the program called `command`, if it may be run.
pub(super) fn program(scripts: Option<&Path>, command: &str) -> Result<PathBuf, TargetError> {
    let refused = |sentence: String| Err(TargetError::new(ErrorKind::Incomplete, sentence));
    let Some(folder) = scripts else {
        return refused(
            "no script may be run: whoever operates Callseal allows a folder of them by --scripts".into(),
        );
    };
    // The configuration was checked already; but this is the place that starts programs.
    if command.is_empty() || command.starts_with('.') || command.contains(['/', '\0']) {
        return refused("the script's name is not that of a file in the folder of --scripts".into());
    }
    let absolute = fs::canonicalize(folder)
        .map_err(|error| of_system("the folder of --scripts cannot be used", error))?;
    let writable = fs::metadata(&absolute).map(|found| found.permissions().mode() & BY_ALL != 0);
    if writable.map_err(|error| of_system("the folder of --scripts cannot be used", error))? {
        return refused(
            "the folder of --scripts may be written by everybody: chmod o-w takes that away".into(),
        );
    }
    let program = absolute.join(command);
    let found = match fs::symlink_metadata(&program) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return refused("the script is not in the folder of --scripts".into());
        }
        found => found.map_err(|error| of_system("the script cannot be looked at", error))?,
    };
    // A link would lead out of the folder.
    if !found.is_file() {
        return refused("the script is not a file: links and folders are not run".into());
    }
    let mode = found.permissions().mode();
    if mode & EXECUTABLE == 0 {
        return refused("the script may not be executed: chmod +x allows it".into());
    }
    if mode & BY_ALL != 0 {
        return refused("the script may be written by everybody: chmod o-w takes that away".into());
    }
    Ok(program)
}

pub(super) fn of_system(sentence: &str, error: io::Error) -> TargetError {
    TargetError::new(ErrorKind::Incomplete, sentence).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn only_an_executable_file_of_the_folder_that_not_everybody_can_write_is_run() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, outside) = (dir.path().join("scripts"), dir.path().join("outside"));
        fs::create_dir(&folder).unwrap();
        fs::write(&outside, "#!/bin/sh\n").unwrap();
        set_mode(&outside, 0o755);
        let good = folder.join("to-crm");
        fs::copy(&outside, &good).unwrap();
        fs::create_dir(folder.join("below")).unwrap();
        std::os::unix::fs::symlink(&outside, folder.join("link")).unwrap();
        let refused = |scripts: Option<&Path>, command: &str| {
            let error = program(scripts, command).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Incomplete);
            error.to_string()
        };
        assert_eq!(program(Some(&folder), "to-crm").unwrap(), fs::canonicalize(&good).unwrap());
        for (scripts, command, why) in [
            (None, "to-crm", "no script may be run"),
            (Some(&*folder), "../outside", "is not that of a file"),
            (Some(&folder), ".hidden", "is not that of a file"),
            (Some(&folder), "missing", "is not in the folder"),
            (Some(&folder), "below", "is not a file"),
            (Some(&folder), "link", "is not a file"),
            (Some(&dir.path().join("nowhere")), "to-crm", "cannot be used"),
        ] {
            assert!(refused(scripts, command).contains(why), "{command}");
        }
        set_mode(&good, 0o644);
        assert!(refused(Some(&folder), "to-crm").contains("may not be executed"));
        set_mode(&good, 0o757);
        assert!(refused(Some(&folder), "to-crm").contains("may be written by everybody"));
        set_mode(&good, 0o755);
        set_mode(&folder, 0o777);
        assert!(refused(Some(&folder), "to-crm").contains("the folder of --scripts may be written"));
    }
}
