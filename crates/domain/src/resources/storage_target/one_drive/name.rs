//! Names that OneDrive and SharePoint take.

use super::super::windows_name::is_device;

/// Why a file or folder cannot be called so. Does not hold the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing, `.` or `..`.
    #[error("a level must not be empty, \".\" or \"..\"")]
    Level,
    /// A character that is kept for other things.
    #[error("OneDrive cannot have the character {0:?} in a name")]
    Character(char),
    /// White space at either end, or a full stop at the end.
    #[error("OneDrive cannot have a name that begins or ends with a space or ends with a full stop")]
    Edge,
    /// A name that Windows or SharePoint keeps for itself.
    #[error("OneDrive keeps this name for itself (CON, NUL, desktop.ini, ~$…, _vti_ and the like)")]
    Kept,
    /// More than 255 characters.
    #[error("OneDrive takes at most 255 characters in a name")]
    Long,
}

/// Whether a file or folder of a drive may be called `name`.
///
/// # Errors
/// It may not; Microsoft's "Restrictions and limitations in OneDrive and SharePoint".
pub fn check(name: &str) -> Result<(), InvalidName> {
    if matches!(name, "" | "." | "..") {
        return Err(InvalidName::Level);
    }
    if let Some(bad) = name.chars().find(|c| c.is_control() || "\"*:<>?/\\|".contains(*c)) {
        return Err(InvalidName::Character(bad));
    }
    if name.trim() != name || name.ends_with('.') {
        return Err(InvalidName::Edge);
    }
    // Counted as UTF-16, as everything on that side.
    if name.encode_utf16().count() > 255 {
        return Err(InvalidName::Long);
    }
    let lower = name.to_lowercase();
    let kept = matches!(lower.as_str(), ".lock" | "desktop.ini") || lower.contains("_vti_");
    if is_device(name) || kept || lower.starts_with("~$") { Err(InvalidName::Kept) } else { Ok(()) }
}
