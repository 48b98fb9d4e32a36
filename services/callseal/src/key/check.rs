//! `callseal key check`: would a recording be sealed now? (F-57)

use std::process::ExitCode;

use evidence::{Certificate, log::LogPublicKey};
use jiff::{Timestamp, ToSpan};
use keys::{KeyError, KeyFault, SigningKey};

use super::{KeyArgs, init::weak};

/// Something is wrong with a key.
const FAULT: u8 = 1;
/// The key was not named, or its software is not there.
const USAGE: u8 = 2;
/// A certificate that ends sooner is named.
const SOON_DAYS: i64 = 90;

/// What was found.
#[derive(Default)]
struct Findings {
    faults: Vec<KeyFault>,
}

impl Findings {
    fn good(&self, what: &str, how: &str) {
        println!("{what:<12} ok     {how}");
    }

    fn note(&self, what: &str, how: &str) {
        println!("{what:<12} note   {how}");
    }

    fn fault(&mut self, what: &str, fault: KeyFault, how: &str) {
        println!("{what:<12} FAULT  ({fault}) {how}");
        self.faults.push(fault);
    }

    fn error(&mut self, what: &str, error: &KeyError) {
        let cause = std::error::Error::source(error).map(|cause| format!(" ({cause})")).unwrap_or_default();
        self.fault(what, error.fault(), &format!("{error}{cause}"));
    }

    /// One line at the end says it all.
    fn verdict(&self) -> ExitCode {
        if self.faults.is_empty() {
            println!("verdict: recordings can be sealed with this key");
            return ExitCode::SUCCESS;
        }
        println!("verdict: something is wrong; recordings are made and wait until it is put right");
        ExitCode::from(if self.faults.contains(&KeyFault::Setup) { USAGE } else { FAULT })
    }
}

/// Prints each thing that was checked, then the verdict.
pub(super) fn run(args: &KeyArgs) -> ExitCode {
    let options = match args.options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(USAGE);
        }
    };
    let mut findings = Findings::default();
    match keys::open_signing(&options, &options.key) {
        Ok(key) => {
            key_itself(&mut findings, key.as_ref());
            match keys::open(&options, &options.key).map(|set| set.log) {
                // Opening signs, and verifies what it signed.
                Ok(log) => match log.public() {
                    LogPublicKey::Ed25519(_) => findings.good("log key", "Ed25519, signs"),
                    LogPublicKey::P256(_) => findings.good("log key", "ECDSA P-256, signs"),
                },
                Err(error) => findings.error("log key", &error),
            }
        }
        Err(error) => findings.error("key", &error),
    }
    findings.verdict()
}

fn key_itself(findings: &mut Findings, key: &dyn SigningKey) {
    match key.check() {
        Ok(()) => findings.good("key", &format!("signs; its signature was verified; id {}", key.key_id())),
        Err(error) => findings.error("key", &error),
    }
    let certificate = match Certificate::from_pem(key.certificate_pem()) {
        Ok(certificate) => certificate,
        Err(error) => return findings.fault("certificate", KeyFault::Integrity, &error.to_string()),
    };
    match certificate.public_key().bits() {
        ..3000 => findings.note("length", weak()),
        bits => findings.good("length", &format!("RSA-{bits}")),
    }
    let (now, until) = (Timestamp::now(), certificate.not_after());
    let soon = now.checked_add((24 * SOON_DAYS).hours()).unwrap_or(now);
    if certificate.not_before() > now {
        let from = certificate.not_before();
        findings.fault(
            "certificate",
            KeyFault::Key,
            &format!("valid only from {from:.0}: is the clock right?"),
        );
    } else if until < now {
        let text = format!(
            "expired on {until:.0}. What it signed before stays proven; for what comes, import a new \
             certificate of the same key (callseal key csr, import-cert) or change the key (rotate)"
        );
        findings.fault("certificate", KeyFault::Key, &text);
    } else if until < soon {
        findings.note("certificate", &format!("valid only until {until:.0}: get the next one"));
    } else {
        findings.good("certificate", &format!("valid until {until:.0}"));
    }
    findings.good("fingerprint", &super::show::with_colons(certificate.fingerprint()));
}
