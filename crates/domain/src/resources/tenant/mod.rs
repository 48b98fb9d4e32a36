//! `Tenant`: whose calls they are, in which time zone, and how a call finds its tenant.

mod api;
pub mod evidence;
pub mod notifications;
mod numbers;

pub use api::{Api, ApiSpec};
pub use evidence::{Evidence, EvidenceSpec};
use ipnet::IpNet;
use jiff::tz::TimeZone;
pub use notifications::{EmailNotices, EmailNoticesSpec, Notifications, NotificationsSpec};
pub use numbers::{Numbering, NumberingSpec};
use serde::{Deserialize, Serialize};

use super::{FieldError, FieldPath, field::Findings};
use crate::{ResourceName, TenantId};

/// The header with the PBX's call id, where the tenant does not say.
const CALL_ID_HEADER: &str = "X-Call-ID";

/// The keys that stop a recording, where the tenant does not say (F-32).
const STOP_CODE: &str = "*1";

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
    /// How its PBX writes numbers.
    pub numbers: Numbering,
    /// The SIP header with the PBX's call id.
    pub call_id_header: String,
    /// The keys by which an own user stops a recording (F-32); `None`: no keys do.
    pub stop_code: Option<String>,
    /// Tones within the speech count as keys, too.
    pub in_band_keys: bool,
    /// The rule under which `force` records a call that no rule matches (F-16).
    pub forced_calls_rule: Option<ResourceName>,
    /// Who may use the API.
    pub api: Api,
    /// Its own key, time stamps and witnesses.
    pub evidence: Evidence,
    /// Who is told of what is wrong.
    pub notifications: Notifications,
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
    /// How its PBX writes numbers.
    pub numbers: NumberingSpec,
    /// The SIP header with the PBX's call id; `X-Call-ID` by default.
    pub call_id_header: Option<String>,
    /// 1 to 8 keys; `*1` by default, `""` for none.
    pub stop_code: Option<String>,
    /// `false` by default.
    pub in_band_keys: bool,
    /// Name of a rule.
    pub forced_calls_rule: Option<String>,
    /// Who may use the API.
    pub api: ApiSpec,
    /// Its own key, time stamps and witnesses.
    pub evidence: EvidenceSpec,
    /// Who is told of what is wrong.
    pub notifications: NotificationsSpec,
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
    /// The validated tenant called `id`, or everything that is wrong. Whether `forcedCallsRule` and
    /// the API's secrets exist is seen only when all resources of the tenant are together.
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
        let numbers = self.numbers.validate(&spec.key("numbers"), &mut findings);
        let call_id_header = self.call_id_header.clone().unwrap_or_else(|| CALL_ID_HEADER.to_owned());
        if !is_header_name(&call_id_header) {
            let reason = "must be the name of a SIP header, for example X-Call-ID";
            findings.add(spec.key("callIdHeader"), reason);
        }
        let stop_code = self.stop_code.clone().unwrap_or_else(|| STOP_CODE.to_owned());
        if stop_code.len() > 8 || !stop_code.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#')) {
            let reason = "must be 1 to 8 keys of 0-9, * and #, in quotes; \"\" switches it off";
            findings.add(spec.key("stopCode"), reason);
        }
        let rule = self.forced_calls_rule.as_deref();
        let forced_calls_rule = findings.parse(spec.key("forcedCallsRule"), rule);
        let evidence = self.evidence.validate(&spec.key("evidence"), &mut findings);
        findings.finish(Some(Tenant {
            id,
            time_zone,
            country,
            when_undecided,
            sip,
            numbers,
            call_id_header,
            stop_code: Some(stop_code).filter(|code| !code.is_empty()),
            in_band_keys: self.in_band_keys,
            forced_calls_rule,
            api: self.api.unresolved(),
            evidence,
            notifications: self.notifications.unresolved(),
        }))
    }
}

/// A token of RFC 3261, section 25.1.
fn is_header_name(text: &str) -> bool {
    let sign = |b: u8| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b);
    !text.is_empty() && text.bytes().all(sign)
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
            numbers: NumberingSpec {
                international_prefix: Some(String::new()),
                national_prefix: Some("0".into()),
                area_code: Some("07031".into()),
                outside_line: Some("0-".into()),
                extension_digits: Some(0),
            },
            call_id_header: Some("X-Call-ID:".into()),
            stop_code: Some("stop".into()),
            forced_calls_rule: Some("The Rule".into()),
            ..Default::default()
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
                "spec.sip.sources[0]",
                "spec.numbers.internationalPrefix",
                "spec.numbers.outsideLine",
                "spec.numbers.areaCode",
                "spec.numbers.extensionDigits",
                "spec.callIdHeader",
                "spec.stopCode",
                "spec.forcedCallsRule",
            ]
        );
    }

    #[test]
    fn f32_the_stop_code_is_star_one_unless_the_tenant_says_otherwise() {
        let code = |code: Option<&str>| {
            let spec = TenantSpec { stop_code: code.map(str::to_owned), ..Default::default() };
            spec.validate("acme".parse().unwrap()).unwrap().stop_code
        };
        assert_eq!(code(None).as_deref(), Some("*1"));
        assert_eq!(code(Some("#77#")).as_deref(), Some("#77#"));
        assert_eq!(code(Some("")), None);
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
