//! The heads of logs that recordings hold in their proofs, outside of memory.

use domain::{RecordingId, TenantId};
use jiff::Timestamp;

use super::super::{
    VerifyError,
    packed::{Packer, Unpacker},
    proof::Proven,
    sorter::{Sorted, Sorter},
};
use crate::Sha256Hash;

/// The heads of the log that recordings hold in their proofs, to be compared with the log.
pub(in crate::verify) struct Heads(Sorter);

impl Heads {
    pub(in crate::verify) fn new() -> Self {
        Self(Sorter::new())
    }

    pub(in crate::verify) fn add(
        &mut self,
        archive: u64,
        recording: RecordingId,
        proven: &Proven,
    ) -> Result<(), VerifyError> {
        let Proven { tenant, checkpoint, at, .. } = proven;
        let record = Packer::default().number(archive).text(tenant.as_str()).number(checkpoint.size);
        let record = record.hash(&checkpoint.root).time(*at).recording(recording).text(&checkpoint.origin);
        self.0.push(&record.done()).map_err(VerifyError::Temporary)
    }

    pub(in crate::verify) fn sorted(self) -> Result<SortedHeads, VerifyError> {
        let mut heads = SortedHeads { sorted: self.0.finish().map_err(VerifyError::Temporary)?, next: None };
        heads.advance()?;
        Ok(heads)
    }
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) archive: u64,
    pub(super) tenant: String,
    pub(super) size: u64,
    pub(super) root: Sha256Hash,
    pub(super) at: Timestamp,
    pub(super) recording: RecordingId,
    pub(super) origin: String,
}

/// By archive, tenant and size.
pub(in crate::verify) struct SortedHeads {
    sorted: Sorted,
    next: Option<Head>,
}

impl SortedHeads {
    pub(super) fn advance(&mut self) -> Result<(), VerifyError> {
        let record = self.sorted.next().map_err(VerifyError::Temporary)?;
        self.next = record.and_then(|record| {
            let mut fields = Unpacker(&record);
            Some(Head {
                archive: fields.number()?,
                tenant: fields.text()?.to_owned(),
                size: fields.number()?,
                root: fields.hash()?,
                at: fields.time()?,
                recording: fields.recording()?,
                origin: fields.text()?.to_owned(),
            })
        });
        Ok(())
    }

    /// The next one of this log; those of logs before it are passed over, they are not here.
    pub(super) fn next_of(&mut self, archive: u64, tenant: &TenantId) -> Result<Option<&Head>, VerifyError> {
        let wanted = (archive, tenant.as_str());
        while self.next.as_ref().is_some_and(|head| (head.archive, head.tenant.as_str()) < wanted) {
            self.advance()?;
        }
        Ok(self.next.as_ref().filter(|head| (head.archive, head.tenant.as_str()) == wanted))
    }
}
