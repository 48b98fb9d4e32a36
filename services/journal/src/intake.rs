//! What the journal takes from an announcement: its journals and the row.

use delivery::{Announced, Intake, Poison};
use wire::{Message as _, recording_v1::RecordingSealed};

use crate::fail_point;

/// Takes announcements in.
pub struct Announcements;

impl Intake for Announcements {
    fn orders<'a>(&self, sealed: &'a RecordingSealed) -> Result<(&'a [String], Vec<u8>), Poison> {
        fail_point::reached("announced");
        let row = sealed.row.as_ref().ok_or_else(|| Poison("it has no journal row".to_owned()))?;
        Ok((&sealed.journals, row.encode_to_vec()))
    }

    fn taken_in(&self, _: Announced<'_>, _: Option<usize>) {
        fail_point::reached("taken-in");
    }
}
