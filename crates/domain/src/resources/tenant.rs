//! `Tenant`: whose calls they are, in which time zone, and how a call finds its tenant.

use ipnet::IpNet;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{FieldError, FieldPath, field::Findings};
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

/// The raw form of a `Tenant`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TenantSpec {
    /// Two letters (ISO 3166-1): `DE`.
    pub country: Option<String>,
    /// Name of an IANA zone: `Europe/Berlin`; UTC by default.
    pub time_zone: Option<String>,
    /// `record` (default) or `discard`.
    pub when_undecided: Option<String>,
    /// How a call finds this tenant.
    pub sip: SipMatchSpec,
}

/// The raw form of [`SipMatch`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SipMatchSpec {
    /// Host names.
    pub domains: Vec<String>,
    /// Addresses or networks: `192.0.2.7`, `10.0.0.0/8`.
    pub sources: Vec<String>,
}

impl TenantSpec {
    /// The validated tenant called `id`, or everything that is wrong.
    pub fn validate(&self, id: TenantId) -> Result<Tenant, Vec<FieldError>> {
        let spec = FieldPath::spec();
        let mut findings = Findings::default();

        let country = self.country.clone();
        if country.as_ref().is_some_and(|c| c.len() != 2 || !c.bytes().all(|b| b.is_ascii_uppercase())) {
            findings.add(spec.key("country"), "must be two capital letters (ISO 3166-1), for example DE");
        }
        let time_zone = match &self.time_zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).unwrap_or_else(|_| {
                let reason =
                    format!("{name:?} is not a time zone; use an IANA name, for example Europe/Berlin");
                findings.add(spec.key("timeZone"), reason);
                TimeZone::UTC
            }),
        };
        let when_undecided = match self.when_undecided.as_deref() {
            None | Some("record") => WhenUndecided::Record,
            Some("discard") => WhenUndecided::Discard,
            Some(other) => {
                let reason = format!("{other:?} is not known; use record or discard");
                findings.add(spec.key("whenUndecided"), reason);
                WhenUndecided::Record
            }
        };
        let sip = self.sip.validate(&spec.key("sip"), &mut findings);
        findings.finish(Some(Tenant { id, time_zone, country, when_undecided, sip }))
    }
}

impl SipMatchSpec {
    fn validate(&self, path: &FieldPath, findings: &mut Findings) -> SipMatch {
        let mut sip = SipMatch::default();
        for (i, domain) in self.domains.iter().enumerate() {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            if domain.is_empty() || !domain.chars().all(allowed) {
                let reason =
                    format!("{domain:?} is not a host name; give it without sip: and without a port");
                findings.add(path.key("domains").index(i), reason);
            }
            sip.domains.push(domain.to_ascii_lowercase());
        }
        for (i, source) in self.sources.iter().enumerate() {
            match source.parse::<IpNet>().or_else(|_| source.parse::<std::net::IpAddr>().map(IpNet::from)) {
                Ok(network) => sip.sources.push(network.trunc()),
                Err(_) => findings.add(
                    path.key("sources").index(i),
                    format!("{source:?} is neither an address nor a network such as 10.0.0.0/8"),
                ),
            }
        }
        sip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let spec = TenantSpec {
            country: Some("Germany".into()),
            time_zone: Some("Europe/Bonn".into()),
            when_undecided: Some("maybe".into()),
            sip: SipMatchSpec {
                domains: vec!["sip:acme".into(), "a/b".into()],
                sources: vec!["10.0.0.0/99".into()],
            },
        };
        let errors = spec.validate("acme".parse().unwrap()).unwrap_err();
        let paths: Vec<_> = errors.iter().map(|e| e.path.to_string()).collect();
        assert_eq!(
            paths,
            [
                "spec.country",
                "spec.timeZone",
                "spec.whenUndecided",
                "spec.sip.domains[0]",
                "spec.sip.domains[1]",
                "spec.sip.sources[0]"
            ]
        );
    }

    #[test]
    fn a_single_address_is_a_network_of_one() {
        let spec = TenantSpec {
            sip: SipMatchSpec {
                sources: vec!["192.0.2.7".into(), "10.1.2.3/8".into()],
                ..Default::default()
            },
            ..Default::default()
        };
        let tenant = spec.validate("acme".parse().unwrap()).unwrap();
        let sources: Vec<_> = tenant.sip.sources.iter().map(ToString::to_string).collect();
        assert_eq!(sources, ["192.0.2.7/32", "10.0.0.0/8"]);
    }
}
