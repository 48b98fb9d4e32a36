//! Bringing one recording to one target.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use delivery::{
    DeliveryError, Destination, Fault, Manners, Notice, Order, Reporter, VerifiedFile, Work, WorkList,
};
use domain::resources::StorageKind;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sql::Transaction;
use targets::{ErrorKind, Place, Target, TargetError, sub_folder};
use vault::Vault;
use wire::{
    Message as _,
    event_v1::{Shipped as ShippedEvent, ShippedFile, event::What},
    recording_v1::{RecordingSealed, SealedFile},
};

use crate::{
    archive::{Archive, Brought},
    bookmark::KeptBookmark,
    certificates, fail_point,
    hand_over::start_of,
    mirror::Wakes,
    open_targets::{OpenTargets, Opened},
    settle::Settler,
    staging::Staging,
};

/// From this size on (bytes) a file is noted as verified at once; of smaller ones the next attempt
/// reads again what it is not told of, which costs less than a write to the state database each.
const LARGE: u64 = 256 * 1024;

/// How a recording is handed over to a mailbox or a program: nobody can ask there afterwards whether it has it,
/// so what has begun may end; and it waits for an answer rather than transfers, and lets others transfer.
const HANDING_OVER: Manners =
    Manners { finishes_within: Duration::from_secs(15), counts_for: Some(Duration::from_secs(20)) };

/// What was brought where.
#[derive(Debug)]
pub struct Shipped {
    /// The folder within the target.
    pub folder: String,
    /// The files, in the order in which they came there.
    pub files: Vec<VerifiedFile>,
    /// When the signature was committed, Unix ms.
    pub sealed_unix_ms: i64,
    /// A word for the target and folder as they were described.
    pub place: String,
    /// How it was handed over to a place that keeps nothing; `None`: it is kept.
    pub handed_over: Option<String>,
}

/// The work of the shipper.
pub struct Shipping {
    pub(crate) targets: Arc<OpenTargets>,
    pub(crate) staging: Staging,
    pub(crate) list: WorkList,
    archive: Archive,
    pub(crate) vault: Vault,
    settler: Settler,
    pub(crate) reporter: Reporter,
    mirrors: Wakes,
}

/// Where the files of an order go.
struct Way<'a> {
    order: &'a Order,
    sealed: &'a RecordingSealed,
    opened: &'a Opened,
    target: &'a dyn Target,
    folder: &'a str,
}

/// The parts that [`Shipping`] works with.
pub struct Parts {
    /// Where recordings are brought.
    pub targets: Arc<OpenTargets>,
    /// Where they come from.
    pub staging: Staging,
    /// Knows how far each file is.
    pub list: WorkList,
    /// Knows what lies where.
    pub archive: Archive,
    /// Seals what is kept of unfinished uploads.
    pub vault: Vault,
    /// Empties staging.
    pub settler: Settler,
    /// Tells people.
    pub reporter: Reporter,
    /// Mirrors of the log, told where a recording was brought.
    pub mirrors: Wakes,
}

impl Shipping {
    /// Made of these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { targets, staging, list, archive, vault, settler, reporter, mirrors } = parts;
        Self { targets, staging, list, archive, vault, settler, reporter, mirrors }
    }

    /// A file with the same name and another content stands at the target.
    fn stored_aside(&self, order: &Order) {
        tracing::warn!(recording = %order.recording, destination = %order.destination, "a different file has its name");
        let problem = "a different file of the same name stands there already; it was kept, and the recording's file got \
                       the suffix (2); look who else writes into this folder";
        let place = self.reporter.place(&order.destination);
        self.reporter.fault(&order.destination.tenant, Some(order.recording), &place, problem, false);
    }

    async fn bring(&self, order: &Order) -> Result<Shipped, Fault> {
        let sealed = RecordingSealed::decode(order.payload.as_slice())
            .map_err(|_| Fault::record("the order cannot be read: the state database is damaged"))?;
        let Some(opened) = self.targets.get(&order.destination).await else {
            // The engine is about to stop this worker and to orphan the order.
            return Err(Fault::passing("is not in the configuration any more"));
        };
        let target = match &opened.place {
            Place::Storage(target) => target,
            Place::Dispatch(dispatch) => return self.hand_over(order, &sealed, &**dispatch, &opened).await,
        };
        let (start, zone) = start_of(&sealed)?;
        let folder = sub_folder::expand(&opened.described.sub_folder, start, &zone)
            .map_err(|error| Fault::permanent(format!("subFolder: {error}")))?;

        let mut known = opened.certificates.lock().await;
        let tenant = &order.destination.tenant;
        certificates::bring(&self.staging, tenant, &**target, &mut known).await.map_err(fault)?;
        drop(known);
        // What is known of files from earlier attempts holds only where those have brought them.
        let place = place(&opened.described.kind, &folder);
        let order = &order.at_place(place.clone());
        let way = Way { order, sealed: &sealed, opened: &opened, target: &**target, folder: &folder };
        let files = self.bring_files(&way).await?;
        // A crash before this is noted: it is done once more, which changes nothing.
        let names: Vec<String> = files.iter().map(|file| file.stored_name.clone()).collect();
        target.complete(&folder, &names).await.map_err(fault)?;
        fail_point::reached("brought");
        Ok(Shipped { folder, files, sealed_unix_ms: sealed.sealed_unix_ms, place, handed_over: None })
    }

    /// The signer lists audio first and the signature last: a signature stands in an archive only when
    /// everything that it speaks for does. What an earlier attempt verified is passed over.
    async fn bring_files(&self, way: &Way<'_>) -> Result<Vec<VerifiedFile>, Fault> {
        let mut there = self.list.verified_files(way.order).await.unwrap_or_else(|error| {
            tracing::warn!(recording = %way.order.recording, %error, "all of its files are looked at again");
            Vec::new()
        });
        // From here on: verified, but not noted yet.
        let mut noted = there.len();
        for (index, file) in way.sealed.files.iter().enumerate() {
            let ending = ending(way.sealed, index);
            if there.iter().any(|known| known.file == ending) {
                continue;
            }
            match self.bring_file(way, file, ending).await {
                Ok(verified) => there.push(verified),
                Err(fault) => {
                    self.note(way.order, &there[noted..]).await;
                    return Err(fault);
                }
            }
            fail_point::reached("file-put");
            if file.size >= LARGE {
                self.note(way.order, &there[noted..]).await;
                noted = there.len();
                fail_point::reached("file-noted");
            }
        }
        Ok(there)
    }

    async fn note(&self, order: &Order, files: &[VerifiedFile]) {
        if let Err(error) = self.list.note_verified(order, files).await {
            tracing::warn!(recording = %order.recording, %error, "what is verified will be looked at again");
        }
    }

    async fn bring_file(
        &self,
        way: &Way<'_>,
        file: &SealedFile,
        ending: String,
    ) -> Result<VerifiedFile, Fault> {
        let Way { order, sealed, opened, target, folder } = way;
        let Some(content) = self.staging.content(sealed, file) else {
            return Err(Fault::record(
                "the announcement of the recording is damaged: a hash has not 32 bytes",
            ));
        };
        let bookmark = KeptBookmark::new(self.list.clone(), self.vault.clone(), order, &ending);
        let content = content.paced(Arc::clone(&opened.pace)).with_bookmark(Arc::new(bookmark));
        // A storage with locks keeps it from being removed.
        let content = match kept_until(sealed) {
            Some(until) => content.keep_until(until),
            None => content,
        };
        let pace = &opened.pace;
        let put = pace.reading_back(target.put(folder, &file.name, &content)).await.map_err(fault)?;
        fail_point::reached("file-stored");
        if put.name != file.name {
            self.stored_aside(order);
        }
        let method = match put.compared_by {
            // It was compared to find out that it is there.
            Some(method) => method,
            None => {
                let verify = target.verify(folder, &put.name, content.size(), content.sha256());
                pace.reading_back(verify).await.map_err(fault)?.method
            }
        };
        let verified_by = method.as_str().to_owned();
        Ok(VerifiedFile { file: ending, stored_name: put.name, verified_by, at: Timestamp::now() })
    }
}

/// Until when a recording has to be kept, as it was sealed; `None`: for ever, or it may be erased before: then
/// no lock may stand against that.
fn kept_until(sealed: &RecordingSealed) -> Option<Timestamp> {
    let kept = !sealed.erasable && sealed.keep_until_unix_ms > 0;
    kept.then(|| Timestamp::from_millisecond(sealed.keep_until_unix_ms).ok()).flatten()
}

/// A word for a folder of a target as it is described now. Another description, be it of the way there
/// alone, makes another word: what is looked at once more than needed does no harm.
pub(crate) fn place(kind: &StorageKind, folder: &str) -> String {
    // `Debug` leaves secrets out; nothing else of it is shown either.
    hex::encode(&Sha256::digest(format!("{kind:?} {folder}"))[..16])
}

/// What the name of a recording's file ends with: `.wav`, `_hash.txt`. It holds no number.
pub(crate) fn ending(sealed: &RecordingSealed, index: usize) -> String {
    let name = sealed.files.get(index).map_or("", |file| &file.name);
    match name.strip_prefix(sealed.base_name.as_str()) {
        Some(ending) if !sealed.base_name.is_empty() && !ending.is_empty() => ending.to_owned(),
        _ => format!("file {}", index + 1),
    }
}

#[async_trait]
impl Work for Shipping {
    type Report = Shipped;

    async fn carry_out(&self, order: &Order) -> Result<Shipped, Fault> {
        match self.bring(order).await {
            // No recording is to be set aside because the disk of all of them is away.
            Err(Fault::Record { .. }) if !self.staging.is_there().await => {
                let problem =
                    "the staging folder holds nothing of the signer's: is its disk mounted?".to_owned();
                Err(Fault::passing(problem))
            }
            outcome => outcome,
        }
    }

    fn manners(&self, order: &Order) -> Manners {
        if self.targets.keeps(&order.destination) { Manners::default() } else { HANDING_OVER }
    }

    async fn store_done_in(
        &self,
        tx: &mut Transaction,
        order: &Order,
        shipped: &Shipped,
        _now: Timestamp,
    ) -> Result<(), DeliveryError> {
        self.list.note_verified_in(tx, order, &shipped.files).await?;
        if shipped.handed_over.is_some() {
            return Ok(());
        }
        let sealed = RecordingSealed::decode(order.payload.as_slice())
            .map_err(|error| DeliveryError::Service(Box::new(error)))?;
        let brought = Brought { folder: &shipped.folder, place: &shipped.place, files: &shipped.files };
        self.archive.brought_in(tx, order, &sealed, &brought).await
    }

    fn carried_out(&self, order: &Order, report: Shipped) {
        fail_point::reached("noted-done");
        if report.handed_over.is_none() {
            self.mirrors.wake(&order.destination);
        }
        let Destination { tenant, name } = &order.destination;
        let since_sealed_ms = Timestamp::now().as_millisecond() - report.sealed_unix_ms;
        let done = report.handed_over.as_deref().unwrap_or("shipped");
        tracing::info!(recording = %order.recording, destination = %order.destination, since_sealed_ms, "{done}");
        let methods: BTreeSet<&str> = report.files.iter().map(|file| file.verified_by.as_str()).collect();
        let verified_by = methods.into_iter().collect::<Vec<_>>().join(", ");
        let told = |file: VerifiedFile| ShippedFile { file: file.file, verified_by: file.verified_by };
        let files = report.files.into_iter().map(told).collect();
        let handed_over = report.handed_over.is_some();
        let shipped =
            ShippedEvent { target: name.to_string(), verified_by, folder: report.folder, files, handed_over };
        self.reporter.event(tenant, Some(order.recording), What::Shipped(shipped));
    }

    async fn complete(&self, order: &Order) {
        match RecordingSealed::decode(order.payload.as_slice()) {
            Ok(sealed) => {
                if let Some(problem) = self.settler.completed(&sealed).await {
                    tracing::warn!(recording = %order.recording, "{problem}");
                    let tenant = &order.destination.tenant;
                    self.reporter.fault(tenant, Some(order.recording), "shipper", problem, false);
                }
            }
            Err(error) => tracing::error!(recording = %order.recording, %error, "staging is not emptied"),
        }
    }

    fn notice(&self, notice: Notice) {
        self.reporter.notice(notice);
    }
}

/// Whose fault it is that a target failed.
pub(crate) fn fault(error: TargetError) -> Fault {
    if let Some(cause) = std::error::Error::source(&error) {
        tracing::debug!(%error, %cause, "a target failed");
    }
    let problem = error.to_string();
    match error.kind() {
        // A lock: of the one file that has the name.
        ErrorKind::Source
        | ErrorKind::Name
        | ErrorKind::Conflict
        | ErrorKind::Locked
        | ErrorKind::Refused => Fault::Record { problem },
        kind => Fault::Destination {
            problem,
            permanent: error.is_permanent() || kind == ErrorKind::Full,
            not_before: error.retry_after(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_an_ending_that_holds_no_number() {
        let base = "20261122-091530.123Z_in_+4970_x";
        let named = |name: String| SealedFile { name, ..SealedFile::default() };
        let files = vec![named(format!("{base}.wav")), named("+4930 something else".to_owned())];
        let sealed = RecordingSealed { base_name: base.to_owned(), files, ..RecordingSealed::default() };
        assert_eq!([ending(&sealed, 0), ending(&sealed, 1)], [".wav", "file 2"]);
    }
}
