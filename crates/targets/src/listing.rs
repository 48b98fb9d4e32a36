//! What lies in a folder of a target.

use jiff::Timestamp;

/// One thing directly in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name, without the folder; sensitive as that of a recording's file.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file, or a link to one.
    File {
        /// Bytes.
        size: u64,
        /// When it was last written to, as the storage says.
        modified: Option<Timestamp>,
    },
    /// A folder. A link to one is not listed: it could lead round in a circle.
    Folder,
}
