//! `Tenant`: whose calls they are, in which time zone, and how a call finds its tenant.

use ipnet::IpNet;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::TenantId;

/// A validated `Tenant`.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its name.
    pub id: TenantId,
    /// The zone of folders, `Datetime` and schedules.
    pub time_zone: TimeZone,
    /// ISO 3166-1 alpha-2 country of numbers written without a country code.
    pub country: Option<String>,
    /// What happens to a call that rules could not decide about in time.
    pub when_undecided: WhenUndecided,
    /// How a call finds this tenant.
    pub sip: SipMatch,
}

/// Which SIP requests belong to a tenant. With a single tenant every call is its own.
#[derive(Debug, Clone, Default)]
pub struct SipMatch {
    /// Hosts of the Request-URI or the To header, lower case.
    pub domains: Vec<String>,
    /// Addresses the requests come from.
    pub sources: Vec<IpNet>,
}

/// What happens to a call about which there is no decision (rules away, budget spent).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WhenUndecided {
    /// Record it: legal duty.
    Record,
    /// Wipe it: consent.
    Discard,
}
