//! What the shipper takes from an announcement: its targets, and where its files lie.

use async_trait::async_trait;
use delivery::{Announced, DeliveryError, Intake, Poison, Reporter};
use jiff::Timestamp;
use sql::Transaction;
use wire::{Message as _, recording_v1::RecordingSealed};

use crate::{archive::Archive, fail_point, records::Records};

/// Takes announcements in, noting recordings in the database of the orders.
pub struct Announcements {
    records: Records,
    archive: Archive,
    reporter: Reporter,
}

impl Announcements {
    /// Noted in `records`, and for ever in `archive`.
    pub const fn new(records: Records, archive: Archive, reporter: Reporter) -> Self {
        Self { records, archive, reporter }
    }
}

#[async_trait]
impl Intake for Announcements {
    fn orders<'a>(&self, sealed: &'a RecordingSealed) -> Result<(&'a [String], Vec<u8>), Poison> {
        Ok((&sealed.targets, sealed.encode_to_vec()))
    }

    async fn store_in(
        &self,
        tx: &mut Transaction,
        announced: Announced<'_>,
        now: Timestamp,
    ) -> Result<bool, DeliveryError> {
        let Announced { tenant, recording, sealed } = announced;
        let indexed = self.archive.add_in(tx, tenant, recording, sealed, now).await;
        if !indexed.map_err(|error| DeliveryError::Service(error.into()))? {
            tracing::info!(%recording, "it was deleted lawfully: its announcement is not taken in once more");
            return Ok(false);
        }
        let added = self.records.add_in(tx, tenant, recording, sealed, now).await;
        added.map_err(|error| DeliveryError::Service(error.into()))
    }

    fn taken_in(&self, announced: Announced<'_>, orders: Option<usize>) {
        fail_point::reached("taken-in");
        if orders == Some(0) {
            let Announced { tenant, recording, .. } = announced;
            tracing::warn!(%recording, "its rule names no storage target: its files stay in staging");
            let problem =
                "the rule names no storage target: the files stay in staging; add a target to the rule";
            self.reporter.fault(tenant, Some(recording), "shipper", problem, false);
        }
    }
}
