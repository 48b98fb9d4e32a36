//! Names that Windows keeps from files and folders.

/// Whether Windows takes `name` for a device, whatever ending it has: `CON`, `nul.txt`, `Com1`
/// (Microsoft, "Naming Files, Paths, and Namespaces").
pub(super) fn is_device(name: &str) -> bool {
    let lower = name.to_lowercase();
    let stem = lower.split('.').next().unwrap_or_default().trim_end();
    let port = |prefix| {
        stem.strip_prefix(prefix).is_some_and(|n: &str| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())
    };
    matches!(stem, "con" | "prn" | "aux" | "nul") || port("com") || port("lpt")
}

/// Whether a folder of a Windows server can be called `name`: no device, no character that is kept for other
/// things, and neither blank nor full stop at the end, which Windows cuts off.
pub(super) fn is_possible(name: &str) -> bool {
    let kept = |c: char| c.is_control() || "\"*:<>?|\\/".contains(c);
    !(name.is_empty() || is_device(name) || name.ends_with(['.', ' ']) || name.contains(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_known_by_their_stem_in_any_letters() {
        for device in ["CON", "con.txt", "Lpt1", "AUX .wav", "nul", "com0"] {
            assert!(is_device(device), "{device}");
        }
        for name in ["console", "come", "com77", "2026", "a.con"] {
            assert!(is_possible(name), "{name}");
        }
        for name in ["", "a:b", "a.", "a ", "PRN", "a\u{7}"] {
            assert!(!is_possible(name), "{name:?}");
        }
    }
}
