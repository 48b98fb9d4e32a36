//! Secrets in plain text that others on the machine can read (F-81).

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use domain::resources::Kind;

use crate::{Loaded, Problem};

/// Rights of the group and of everybody to read.
const OTHERS_READ: u32 = 0o044;

impl Loaded {
    /// A warning for each Secret with values in plain text whose file group or others may read. `dir` is
    /// the folder that was read.
    pub fn exposed(&self, dir: &Path) -> Vec<Problem> {
        let plain = self.places.iter().filter(|(key, place)| key.kind == Kind::Secret && place.plain);
        let open = plain.filter(|(_, place)| {
            let found = fs::metadata(dir.join(&place.file));
            found.is_ok_and(|found| found.permissions().mode() & OTHERS_READ != 0)
        });
        let mut warnings: Vec<Problem> = open
            .map(|(key, place)| Problem {
                file: place.file.clone(),
                line: place.line,
                column: 1,
                kind: key.kind.to_string(),
                name: key.name.to_string(),
                field: String::new(),
                reason: "holds values in plain text that others on this machine can read: seal them by \
                         callseal seal-secret, or set the file's rights by chmod 600"
                    .to_owned(),
            })
            .collect();
        warnings.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        warnings
    }
}
