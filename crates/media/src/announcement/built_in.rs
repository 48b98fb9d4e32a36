//! The announcements that come with Callseal, as `scripts/make-announcements.sh` makes them; the
//! texts stand there.

/// One table for both functions: a name and the file of that name.
macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../announcements/", $name, ".mp3")))),+]
    };
}

/// In the order in which they are listed.
const FILES: &[(&str, &[u8])] = files![
    "de/opt-in",
    "de/opt-in-1",
    "de/opt-out",
    "de/opt-out-1",
    "de/no-choice",
    "de/outbound",
    "de/granted",
    "de/denied",
    "en/opt-in",
    "en/opt-in-1",
    "en/opt-out",
    "en/opt-out-1",
    "en/no-choice",
    "en/outbound",
    "en/granted",
    "en/denied",
    "fr/opt-in",
    "fr/opt-in-1",
    "fr/opt-out",
    "fr/opt-out-1",
    "fr/no-choice",
    "fr/outbound",
    "fr/granted",
    "fr/denied",
    "notice-tone",
];

/// The MP3 file of a built-in announcement, to be read with
/// [`Announcement::from_file`](super::Announcement::from_file). `<language>/<what it says>` for
/// `de`, `en` and `fr`:
///
/// | | |
/// |---|---|
/// | `opt-in`, `opt-out` | asks, and names any key |
/// | `opt-in-1`, `opt-out-1` | the same with the key 1 |
/// | `no-choice` | says that the call is recorded |
/// | `outbound` | the same to somebody who was called |
/// | `granted`, `denied` | the outcome (F-23) |
///
/// and `notice-tone`, two soft notes.
pub fn built_in(name: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, file)| *file)
}

/// The names of all built-in announcements.
pub fn built_in_names() -> impl ExactSizeIterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Announcement, Codec};

    #[test]
    fn every_built_in_announcement_plays_and_says_something_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for name in built_in_names() {
            let file = built_in(name).unwrap();
            let announcement =
                Announcement::from_file(file).unwrap_or_else(|error| panic!("{name}: {error}"));
            let seconds = announcement.duration().as_secs_f32();
            let expected = if name == "notice-tone" { 0.3..1.0 } else { 2.0..16.0 };
            assert!(expected.contains(&seconds), "{name} takes {seconds} s");
            assert!(announcement.encoded(Codec::Pcma).frame_count() > 0);
            assert!(seen.insert(announcement.sha256()), "{name} is a copy");
        }
        assert_eq!(built_in("de/nothing"), None);
    }

    #[test]
    fn every_language_has_the_same_announcements_and_all_together_are_small() {
        let of = |language: &str| -> Vec<&str> {
            built_in_names().filter_map(|name| name.strip_prefix(language)?.strip_prefix('/')).collect()
        };
        assert_eq!(of("de"), of("en"));
        assert_eq!(of("de"), of("fr"));
        assert_eq!(of("de").len(), 8);
        let bytes: usize = FILES.iter().map(|(_, file)| file.len()).sum();
        assert!(bytes < 1_500_000, "{bytes}");
    }
}
