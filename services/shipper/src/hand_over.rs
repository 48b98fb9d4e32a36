//! Handing one recording over to a place that keeps nothing: a mailbox, a program (F-85).
//!
//! Order, and what a crash leaves behind:
//! 1. the place takes the recording. Crash: it gets it again, since nobody can ask it. A mail carries the
//!    same `Message-ID` then; recipients who were noted as having it are left out;
//! 2. the order is noted as done, and in the same transaction that nothing is kept there.

use std::sync::Arc;

use delivery::{Fault, HANDED_OVER, Order, VerifiedFile};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;
use targets::{Dispatch, Enclosed, HandedOver, Kept, Parcel, sub_folder};
use wire::recording_v1::RecordingSealed;

use crate::{
    bookmark::KeptBookmark,
    fail_point,
    open_targets::Opened,
    ship::{Shipped, Shipping, ending, fault},
};

/// The row of the work list that speaks for all files of a recording that is handed over.
const EVERYTHING: &str = "all files";

impl Shipping {
    /// Hands the recording of `order` over.
    pub(crate) async fn hand_over(
        &self,
        order: &Order,
        sealed: &RecordingSealed,
        dispatch: &dyn Dispatch,
        opened: &Opened,
    ) -> Result<Shipped, Fault> {
        let parcel = self.parcel(order, sealed, opened)?;
        let outcome = dispatch.dispatch(&parcel).await;
        fail_point::reached("handed-over");
        let HandedOver { how, complaint, said } = match outcome {
            Ok(handed_over) => handed_over,
            Err(error) => {
                if let Some(said) = error.said() {
                    self.keep_said(order, said).await;
                }
                return Err(fault(error));
            }
        };
        if let Some(said) = &said {
            self.keep_said(order, said).await;
        }
        if let Some(problem) = complaint {
            tracing::warn!(recording = %order.recording, destination = %order.destination, "{problem}");
            let place = self.reporter.place(&order.destination);
            self.reporter.fault(&order.destination.tenant, Some(order.recording), &place, &problem, false);
        }
        let noted = VerifiedFile {
            file: EVERYTHING.to_owned(),
            stored_name: String::new(),
            verified_by: HANDED_OVER.to_owned(),
            at: Timestamp::now(),
        };
        Ok(Shipped {
            folder: String::new(),
            files: vec![noted],
            sealed_unix_ms: sealed.sealed_unix_ms,
            place: String::new(),
            handed_over: Some(how),
        })
    }

    /// What a program said is for people who ask for it: it may hold numbers.
    async fn keep_said(&self, order: &Order, said: &str) {
        if let Err(error) = self.list.keep_note(order, said).await {
            tracing::warn!(recording = %order.recording, %error, "what a script said is lost");
        }
    }

    fn parcel(&self, order: &Order, sealed: &RecordingSealed, opened: &Opened) -> Result<Parcel, Fault> {
        let (start, zone) = start_of(sealed)?;
        let mut files = Vec::with_capacity(sealed.files.len());
        for (index, file) in sealed.files.iter().enumerate() {
            let content = self.staging.content(sealed, file).ok_or_else(|| {
                Fault::record("the announcement of the recording is damaged: a hash has not 32 bytes")
            })?;
            let content = content.paced(Arc::clone(&opened.pace));
            files.push(Enclosed { name: file.name.clone(), ending: ending(sealed, index), content });
        }
        let memory = KeptBookmark::new(self.list.clone(), self.vault.clone(), order, EVERYTHING);
        Ok(Parcel {
            tenant: order.destination.tenant.clone(),
            target: order.destination.name.clone(),
            recording: order.recording,
            start,
            duration_ms: sealed.duration_ms,
            kept: self.kept(order, sealed, start, &zone),
            zone,
            language: self.targets.language(&order.destination.tenant),
            files,
            journal: journal(sealed),
            memory: Arc::new(memory),
        })
    }

    /// The recording's other targets, as far as they keep it, as the configuration describes them now.
    fn kept(&self, order: &Order, sealed: &RecordingSealed, start: Timestamp, zone: &TimeZone) -> Vec<Kept> {
        let described = self.targets.described(&order.destination.tenant, &sealed.targets);
        let kept = described.into_iter().filter(|target| target.keeps());
        let placed = kept.filter_map(|target| {
            let folder = sub_folder::expand(&target.sub_folder, start, zone).ok()?;
            Some(Kept { target: target.name.to_string(), folder })
        });
        placed.collect()
    }
}

/// When a recording began, and by whose clock.
pub(crate) fn start_of(sealed: &RecordingSealed) -> Result<(Timestamp, TimeZone), Fault> {
    let start = Timestamp::from_millisecond(sealed.started_unix_ms)
        .map_err(|_| Fault::record("the announcement of the recording is damaged: its start is no time"))?;
    let zone = TimeZone::get(&sealed.time_zone).map_err(|_| {
        Fault::record("the announcement of the recording names a time zone that is not known")
    })?;
    Ok((start, zone))
}

/// The recording's row of the journal (F-91), its columns by name, and its id.
fn journal(sealed: &RecordingSealed) -> String {
    let row = sealed.row.clone().unwrap_or_default();
    json!({
        "recording": sealed.recording_id,
        "basefilename": row.base_file_name,
        "direction": row.direction,
        "time": row.time_unix_ms,
        "callid": row.call_id,
        "callername": row.caller_name,
        "caller": row.caller,
        "callee": row.callee,
        "setting": row.setting,
        "signature": row.signature,
    })
    .to_string()
}
