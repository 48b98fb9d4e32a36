//! What a tenant wants beyond the signature: its own key, time stamps (RFC 3161), witnesses (F-58).

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::SignedDuration;
use serde::Deserialize;

use crate::{
    ResourceName,
    resources::{FieldPath, field::Findings, pem::check_certificates},
};

/// How often a checkpoint is stamped where the tenant does not say.
const EVERY: Duration = Duration::from_secs(3600);

/// A time-stamp authority is somebody else's machine: it is not asked more often than this.
const LEAST_EVERY: Duration = Duration::from_secs(1);

/// The name of a note's key type "timestamped Ed25519 cosignature" (C2SP tlog-cosignature).
const COSIGNATURE_V1: u8 = 0x04;

/// What a tenant wants beyond the signature. Default: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Label of the key that signs this tenant's recordings and log; `None`: the installation's.
    pub signing_key: Option<ResourceName>,
    /// Who says when a recording existed.
    pub time_stamps: Option<TimeStamps>,
    /// Who watches that the log is never rewritten.
    pub witnesses: Witnesses,
}

/// A time-stamp authority (RFC 3161) and what it stamps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeStamps {
    /// Where requests are posted: `http://…` or `https://…`.
    pub url: String,
    /// The authority's root certificates, PEM; one or more.
    pub authorities: String,
    /// What is stamped.
    pub stamp: Stamp,
    /// At most one checkpoint in this time is stamped.
    pub every: Duration,
}

/// What is stamped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stamp {
    /// Checkpoints of the log, and with them everything the log holds.
    #[default]
    Checkpoints,
    /// Checkpoints, and each recording's hash list.
    Recordings,
}

impl std::str::FromStr for Stamp {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "checkpoints" => Ok(Self::Checkpoints),
            "recordings" => Ok(Self::Recordings),
            _ => Err(()),
        }
    }
}

/// The witnesses that cosign checkpoints (C2SP tlog-witness).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witnesses {
    /// So many of them have to cosign; fewer are a fault that is alarmed. 0: none has to.
    pub quorum: usize,
    /// All of them are asked.
    pub members: Vec<Witness>,
}

/// One witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// What it is called in logs and metrics.
    pub name: ResourceName,
    /// Its submission prefix, without the last `/`: `add-checkpoint` comes behind it.
    pub url: String,
    /// Its public key as C2SP signed-note writes it (type 0x04): `name+hash+base64`.
    pub key: String,
}

/// The raw form of [`Evidence`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EvidenceSpec {
    /// Label of a key.
    pub signing_key: Option<String>,
    /// A time-stamp authority.
    pub time_stamps: Option<TimeStampsSpec>,
    /// Witnesses.
    pub witnesses: Option<WitnessesSpec>,
}

/// The raw form of [`TimeStamps`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TimeStampsSpec {
    /// `http://…` or `https://…`.
    pub url: String,
    /// PEM.
    pub authorities: String,
    /// `checkpoints` (default) or `recordings`.
    pub stamp: Option<String>,
    /// `30m`, `1h`; an hour by default.
    pub every: Option<String>,
}

/// The raw form of [`Witnesses`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WitnessesSpec {
    /// 1 by default.
    pub quorum: Option<i64>,
    /// At least one.
    pub members: Vec<WitnessSpec>,
}

/// The raw form of a [`Witness`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WitnessSpec {
    /// A name of its own.
    pub name: String,
    /// `http://…` or `https://…`.
    pub url: String,
    /// `name+hash+base64`.
    pub key: String,
}

impl EvidenceSpec {
    /// What is wrong with the one at `path` is noted.
    pub(super) fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Evidence {
        let signing_key = findings.parse(path.key("signingKey"), self.signing_key.as_deref());
        let time_stamps = &path.key("timeStamps");
        let time_stamps = self.time_stamps.as_ref().map(|spec| spec.validate(time_stamps, findings));
        let witnesses = &path.key("witnesses");
        let witnesses = self.witnesses.as_ref().map(|spec| spec.validate(witnesses, findings));
        Evidence { signing_key, time_stamps, witnesses: witnesses.unwrap_or_default() }
    }
}

impl TimeStampsSpec {
    fn validate(&self, path: &FieldPath, findings: &mut Findings) -> TimeStamps {
        check_url(&self.url, path.key("url"), findings);
        if let Err(reason) = check_certificates(&self.authorities) {
            findings.add(path.key("authorities"), reason);
        }
        let stamp = self
            .stamp
            .as_deref()
            .and_then(|text| findings.choose(path.key("stamp"), text, "checkpoints or recordings"));
        let every = self.every.as_deref().and_then(|text| {
            let every = text.parse::<SignedDuration>().ok().and_then(|every| Duration::try_from(every).ok());
            if every.is_none_or(|every| every < LEAST_EVERY) {
                let reason = format!("{text:?} is not a time of a second or more, for example 30m or 1h");
                findings.add(path.key("every"), reason);
            }
            every
        });
        TimeStamps {
            url: self.url.clone(),
            authorities: self.authorities.clone(),
            stamp: stamp.unwrap_or_default(),
            every: every.unwrap_or(EVERY),
        }
    }
}

impl WitnessesSpec {
    fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Witnesses {
        let quorum = self.quorum.unwrap_or(1);
        if self.members.is_empty() {
            findings.add(path.key("members"), "must name at least one witness");
        } else if usize::try_from(quorum).ok().is_none_or(|quorum| quorum > self.members.len()) {
            let reason = format!("must be 0 to {}, the number of members", self.members.len());
            findings.add(path.key("quorum"), reason);
        }
        // The same witness under two names would count twice towards the quorum.
        let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
        let mut members = Vec::new();
        for (i, spec) in self.members.iter().enumerate() {
            let path = path.key("members").index(i);
            if !names.insert(&spec.name) {
                findings.add(path.key("name"), format!("{:?} stands here twice", spec.name));
            }
            if !keys.insert(&spec.key) {
                findings.add(path.key("key"), "is the key of another witness, too; each needs its own");
            }
            members.extend(spec.validate(&path, findings));
        }
        Witnesses { quorum: usize::try_from(quorum).unwrap_or_default(), members }
    }
}

impl WitnessSpec {
    fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Option<Witness> {
        check_url(&self.url, path.key("url"), findings);
        if !is_witness_key(&self.key) {
            let reason = "is not a witness' key such as \"witness.example+01234567+BA…\"; `callseal witness key` shows it";
            findings.add(path.key("key"), reason);
        }
        let name = findings.parse(path.key("name"), Some(&self.name))?;
        Some(Witness { name, url: self.url.trim_end_matches('/').to_owned(), key: self.key.clone() })
    }
}

/// Notes what is wrong with a URL. Its text is not repeated: somebody may have put a password there.
fn check_url(url: &str, path: FieldPath, findings: &mut Findings) {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let visible = url.bytes().all(|b| b.is_ascii_graphic());
    if host.is_none_or(|host| host.is_empty() || host.starts_with(':')) || !visible {
        findings.add(path, "must be a URL that begins with https:// or http://");
    } else if host.is_some_and(|host| host.contains('@')) {
        findings.add(path, "must hold no user name and no password");
    } else if url.contains(['?', '#']) {
        findings.add(path, "must not hold ? or #");
    }
}

/// The form of a witness' key: `name+8 hexadecimal digits+base64 of 0x04 and 32 bytes`.
fn is_witness_key(text: &str) -> bool {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let name_good = !name.is_empty() && !name.contains(char::is_whitespace);
    let hash_good = hash.len() == 8 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let key = BASE64_STANDARD.decode(key).unwrap_or_default();
    name_good && hash_good && key.len() == 33 && key[0] == COSIGNATURE_V1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::FieldError;

    /// A self-signed certificate.
    const PEM: &str = include_str!("evidence/authority.pem");

    fn witness_key(byte: u8) -> String {
        let mut key = [byte; 33];
        key[0] = COSIGNATURE_V1;
        format!("witness.example/w{byte}+0badc0de+{}", BASE64_STANDARD.encode(key))
    }

    fn good() -> EvidenceSpec {
        let member = |name: &str, byte| WitnessSpec {
            name: name.into(),
            url: "https://witness.example/w1/".into(),
            key: witness_key(byte),
        };
        EvidenceSpec {
            signing_key: Some("acme-2026".into()),
            time_stamps: Some(TimeStampsSpec {
                url: "http://tsa.example:8080/tsr".into(),
                authorities: format!("Issuer: somebody\n{PEM}\n{PEM}"),
                stamp: Some("recordings".into()),
                every: Some("30m".into()),
            }),
            witnesses: Some(WitnessesSpec {
                quorum: None,
                members: vec![member("auditor", 1), member("council", 2)],
            }),
        }
    }

    fn validated(spec: &EvidenceSpec) -> Result<Evidence, Vec<FieldError>> {
        let mut findings = Findings::default();
        let evidence = spec.validate(&FieldPath::spec().key("evidence"), &mut findings);
        findings.finish(Some(evidence))
    }

    #[test]
    fn f58_a_tenant_has_its_own_key_authority_and_witnesses() {
        let evidence = validated(&good()).unwrap();
        let stamps = evidence.time_stamps.unwrap();
        assert_eq!(evidence.signing_key.unwrap().to_string(), "acme-2026");
        assert_eq!((stamps.stamp, stamps.every), (Stamp::Recordings, Duration::from_secs(1800)));
        assert_eq!((evidence.witnesses.quorum, evidence.witnesses.members.len()), (1, 2));
        assert_eq!(evidence.witnesses.members[0].url, "https://witness.example/w1");
    }

    #[test]
    fn what_is_left_out_is_nothing_or_an_hour() {
        assert_eq!(validated(&EvidenceSpec::default()).unwrap(), Evidence::default());
        let mut spec = good();
        let stamps = spec.time_stamps.as_mut().unwrap();
        (stamps.stamp, stamps.every) = (None, None);
        let stamps = validated(&spec).unwrap().time_stamps.unwrap();
        assert_eq!((stamps.stamp, stamps.every), (Stamp::Checkpoints, EVERY));
    }

    #[test]
    fn each_wrong_value_is_named_where_it_stands() {
        type Change = fn(&mut EvidenceSpec);
        let cases: &[(&str, &str, Change)] = &[
            ("signingKey", "a resource name must be", |e| e.signing_key = Some("Acme Key".into())),
            ("timeStamps.url", "must be a URL", |e| {
                e.time_stamps.as_mut().unwrap().url = "tsa.example".into()
            }),
            ("timeStamps.url", "must be a URL", |e| {
                e.time_stamps.as_mut().unwrap().url = "https://:80/".into()
            }),
            ("timeStamps.url", "no password", |e| {
                e.time_stamps.as_mut().unwrap().url = "https://me:secret@tsa.example/".into();
            }),
            ("timeStamps.url", "must not hold", |e| {
                e.time_stamps.as_mut().unwrap().url = "https://a/?b".into()
            }),
            ("timeStamps.authorities", "root certificate as PEM", |e| {
                e.time_stamps.as_mut().unwrap().authorities = "MIIB".into();
            }),
            ("timeStamps.authorities", "not whole", |e| {
                e.time_stamps.as_mut().unwrap().authorities = PEM[..200].into();
            }),
            ("timeStamps.authorities", "not whole", |e| {
                let lines: Vec<_> = PEM.lines().collect();
                let missing: Vec<_> = [&lines[..2], &lines[3..]].concat();
                e.time_stamps.as_mut().unwrap().authorities = missing.join("\n");
            }),
            ("timeStamps.stamp", "use checkpoints or recordings", |e| {
                e.time_stamps.as_mut().unwrap().stamp = Some("all".into());
            }),
            ("timeStamps.every", "for example 30m", |e| {
                e.time_stamps.as_mut().unwrap().every = Some("often".into());
            }),
            ("timeStamps.every", "a second or more", |e| {
                e.time_stamps.as_mut().unwrap().every = Some("-1h".into());
            }),
            ("witnesses.members", "at least one", |e| e.witnesses.as_mut().unwrap().members.clear()),
            ("witnesses.quorum", "0 to 2", |e| e.witnesses.as_mut().unwrap().quorum = Some(3)),
            ("witnesses.quorum", "0 to 2", |e| e.witnesses.as_mut().unwrap().quorum = Some(-1)),
            ("witnesses.members[1].name", "twice", |e| {
                e.witnesses.as_mut().unwrap().members[1].name = "auditor".into();
            }),
            ("witnesses.members[1].key", "another witness", |e| {
                e.witnesses.as_mut().unwrap().members[1].key = witness_key(1);
            }),
            ("witnesses.members[0].key", "callseal witness key", |e| {
                e.witnesses.as_mut().unwrap().members[0].key = "witness.example+0badc0de+AAAA".into();
            }),
            ("witnesses.members[0].url", "must be a URL", |e| {
                e.witnesses.as_mut().unwrap().members[0].url = "ftp://witness.example".into();
            }),
        ];
        for (path, reason, change) in cases {
            let mut spec = good();
            change(&mut spec);
            let errors = validated(&spec).unwrap_err();
            let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
            assert!(
                matches!(&*texts, [text] if text.starts_with(&format!("spec.evidence.{path}: ")) && text.contains(reason)),
                "{path} {reason}: {texts:?}"
            );
            assert!(!texts[0].contains("secret"), "{}", texts[0]);
        }
    }
}
