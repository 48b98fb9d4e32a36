//! The announcements that come with Callseal, as `scripts/make-announcements.sh` makes them.

/// The file of a built-in announcement, to be read with
/// [`Announcement::from_file`](super::Announcement::from_file).
pub fn built_in(name: &str) -> Option<&'static [u8]> {
    let _ = name;
    None
}

/// The names of all built-in announcements.
pub fn built_in_names() -> impl ExactSizeIterator<Item = &'static str> {
    [].into_iter()
}
