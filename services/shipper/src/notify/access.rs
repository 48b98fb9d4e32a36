//! What ends at a known time: secrets, certificates and logins of targets, and the signing certificates
//! (F-77). Targets are asked at the start and once a day.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use delivery::{Destination, Ends, WorkList};
use domain::TenantId;
use evidence::Certificate;
use jiff::Timestamp;
use prometheus::{GaugeVec, Opts, Registry};
use targets::Expiry;

use super::memory::MemoryError;
use crate::{open_targets::OpenTargets, staging::Staging};

/// How long a target may take to say what ends.
const ANSWER: Duration = Duration::from_secs(60);

/// What of the installation's signing certificate ends.
const SIGNING: &str = "the signing certificate";

/// Something that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Whose; `None`: the installation's.
    pub tenant: Option<TenantId>,
    /// Where it is used: `target archive`, `signer`.
    pub place: String,
    /// What ends.
    pub what: String,
    /// When.
    pub at: Timestamp,
}

/// Knows what ends when.
pub struct Access {
    list: WorkList,
    targets: Arc<OpenTargets>,
    staging: Staging,
    ends: GaugeVec,
}

impl Access {
    /// Asks `targets`, keeps their answers with `list`. Registers
    /// `callseal_shipper_access_ends_timestamp_seconds`.
    ///
    /// # Errors
    /// The name of the metric is taken.
    pub fn new(
        list: WorkList,
        targets: Arc<OpenTargets>,
        staging: Staging,
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        let help = "When a secret, certificate or login ends, Unix time, by tenant, place and what it is.";
        let opts = Opts::new("callseal_shipper_access_ends_timestamp_seconds", help);
        let ends = GaugeVec::new(opts, &["tenant", "place", "what"])?;
        registry.register(Box::new(ends.clone()))?;
        Ok(Self { list, targets, staging, ends })
    }

    /// Asks every target of `existing` what ends. One that does not answer keeps what it said before.
    pub async fn ask(&self, existing: &BTreeSet<Destination>) {
        if let Err(error) = self.list.forget_expiries(existing).await {
            tracing::warn!(%error, "what ends of targets that are gone is not forgotten yet");
        }
        for destination in existing {
            let Some(asked) = self.answer(destination).await else { continue };
            let ends: Vec<Ends> =
                asked.into_iter().map(|expiry| Ends { what: expiry.what, at: expiry.at }).collect();
            if let Err(error) = self.list.note_expiries(destination, &ends).await {
                tracing::warn!(%destination, %error, "when its access ends is not noted");
            }
        }
    }

    async fn answer(&self, destination: &Destination) -> Option<Vec<Expiry>> {
        let opened = self.targets.get(destination).await?;
        let target = opened.place.storage()?;
        match tokio::time::timeout(ANSWER, target.expiries()).await {
            Ok(Ok(expiries)) => Some(expiries),
            Ok(Err(error)) => {
                tracing::info!(%destination, %error, "does not say when its access ends; asked again tomorrow");
                None
            }
            Err(_) => {
                tracing::info!(%destination, "does not say in time when its access ends; asked again tomorrow");
                None
            }
        }
    }

    /// All that ends, as far as it is known; also into the metric.
    ///
    /// # Errors
    /// The state database cannot be used.
    pub async fn endings(&self, tenants: &BTreeSet<TenantId>) -> Result<Vec<Ending>, MemoryError> {
        let mut endings = Vec::new();
        match self.list.expiries().await {
            Ok(expiries) => {
                for (Destination { tenant, name }, ends) in expiries {
                    endings.extend(ends.into_iter().map(|Ends { what, at }| Ending {
                        tenant: Some(tenant.clone()),
                        place: format!("target {name}"),
                        what,
                        at,
                    }));
                }
            }
            Err(error) => tracing::warn!(%error, "when the access to targets ends cannot be looked up"),
        }
        endings.extend(self.signing(None).await);
        for tenant in tenants {
            endings.extend(self.signing(Some(tenant)).await);
        }
        self.ends.reset();
        for Ending { tenant, place, what, at } in &endings {
            let labels =
                [tenant.as_ref().map_or("", |tenant| tenant.as_str()), place.as_str(), what.as_str()];
            self.ends.with_label_values(&labels).set(at.as_second() as f64);
        }
        Ok(endings)
    }

    /// The end of the certificate that recordings are signed with now: the newest that the signer put
    /// into staging. That of an earlier key may end.
    async fn signing(&self, tenant: Option<&TenantId>) -> Option<Ending> {
        let pem = self.staging.newest_certificate(tenant).await?;
        // Of a test, or of a form that this version does not know: it says nothing.
        let certificate = Certificate::from_pem(&pem).ok()?;
        let (place, what) = ("signer".to_owned(), SIGNING.to_owned());
        Some(Ending { tenant: tenant.cloned(), place, what, at: certificate.not_after() })
    }
}
