//! Bringing one recording to one target.

use std::sync::Arc;

use async_trait::async_trait;
use delivery::{Destination, Fault, Notice, Order, Reporter, Work};
use jiff::{Timestamp, tz::TimeZone};
use targets::{ErrorKind, Method, Outcome, Target, TargetError, sub_folder};
use wire::{
    Message as _,
    event_v1::{Shipped as ShippedEvent, event::What},
    recording_v1::{RecordingSealed, SealedFile},
};

use crate::{
    certificates, fail_point, mirror::Wakes, open_targets::OpenTargets, settle::Settler, staging::Staging,
};

/// What was brought where.
#[derive(Debug)]
pub struct Shipped {
    /// The folder within the target.
    pub folder: String,
    /// How the files were verified.
    pub verified_by: Method,
    /// When the signature was committed, Unix ms.
    pub sealed_unix_ms: i64,
}

/// The work of the shipper.
pub struct Shipping {
    targets: Arc<OpenTargets>,
    staging: Staging,
    settler: Settler,
    reporter: Reporter,
    mirrors: Wakes,
}

impl Shipping {
    /// To `targets`, out of `staging`; `mirrors` of the log are told where a recording was brought.
    pub const fn new(
        targets: Arc<OpenTargets>,
        staging: Staging,
        settler: Settler,
        reporter: Reporter,
        mirrors: Wakes,
    ) -> Self {
        Self { targets, staging, settler, reporter, mirrors }
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
            .map_err(|_| record("the order cannot be read: the state database is damaged"))?;
        let Some(opened) = self.targets.get(&order.destination).await else {
            // The engine is about to stop this worker and to orphan the order.
            let problem = "is not in the configuration any more".to_owned();
            return Err(Fault::passing(problem));
        };
        let start = Timestamp::from_millisecond(sealed.started_unix_ms)
            .map_err(|_| record("the announcement of the recording is damaged: its start is no time"))?;
        let zone = TimeZone::get(&sealed.time_zone)
            .map_err(|_| record("the announcement of the recording names a time zone that is not known"))?;
        let folder = sub_folder::expand(&opened.described.sub_folder, start, &zone).map_err(|error| {
            Fault::permanent(format!("subFolder: {error}"))
        })?;

        let mut known = opened.certificates.lock().await;
        let tenant = &order.destination.tenant;
        certificates::bring(&self.staging, tenant, &*opened.target, &mut known).await.map_err(fault)?;
        drop(known);
        // The signer lists audio first and the signature last: a signature stands in an archive only
        // when everything that it speaks for does.
        for file in &sealed.files {
            self.bring_file(order, &*opened.target, &folder, &sealed, file).await?;
            fail_point::reached("file-put");
        }
        fail_point::reached("brought");
        Ok(Shipped { folder, verified_by: Method::ReadBack, sealed_unix_ms: sealed.sealed_unix_ms })
    }

    async fn bring_file(
        &self,
        order: &Order,
        target: &dyn Target,
        folder: &str,
        sealed: &RecordingSealed,
        file: &SealedFile,
    ) -> Result<(), Fault> {
        let Some(content) = self.staging.content(sealed, file) else {
            return Err(record("the announcement of the recording is damaged: a hash has not 32 bytes"));
        };
        let put = target.put(folder, &file.name, &content).await.map_err(fault)?;
        match put.outcome {
            // It was read back to find that out.
            Outcome::AlreadyThere => return Ok(()),
            Outcome::Stored => {}
            Outcome::StoredAside => self.stored_aside(order),
        }
        target.verify(folder, &put.name, content.size(), content.sha256()).await.map_err(fault)?;
        Ok(())
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

    fn carried_out(&self, order: &Order, report: Shipped) {
        fail_point::reached("noted-done");
        self.mirrors.wake(&order.destination);
        let Destination { tenant, name } = &order.destination;
        let since_sealed_ms = Timestamp::now().as_millisecond() - report.sealed_unix_ms;
        tracing::info!(recording = %order.recording, destination = %order.destination, since_sealed_ms, "shipped");
        let shipped = ShippedEvent {
            target: name.to_string(),
            verified_by: report.verified_by.as_str().to_owned(),
            folder: report.folder,
        };
        self.reporter.event(tenant, Some(order.recording), What::Shipped(shipped));
    }

    async fn complete(&self, order: &Order) {
        match RecordingSealed::decode(order.payload.as_slice()) {
            Ok(sealed) => self.settler.settle(&sealed).await,
            Err(error) => tracing::error!(recording = %order.recording, %error, "staging is not emptied"),
        }
    }

    fn notice(&self, notice: Notice) {
        self.reporter.notice(notice);
    }
}

fn record(problem: &str) -> Fault {
    Fault::Record { problem: problem.to_owned() }
}

fn fault(error: TargetError) -> Fault {
    if let Some(cause) = std::error::Error::source(&error) {
        tracing::debug!(%error, %cause, "a target failed");
    }
    let problem = error.to_string();
    match error.kind() {
        ErrorKind::Source | ErrorKind::Name | ErrorKind::Conflict => Fault::Record { problem },
        _ => Fault::Destination { problem, permanent: error.is_permanent(), not_before: error.retry_after() },
    }
}
