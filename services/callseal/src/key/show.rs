//! `callseal key show`: the certificate, for people and for scripts (F-55).

use std::{fs, path::PathBuf};

use anyhow::Context;
use evidence::{Certificate, Sha256Hash};
use keys::{SigningKey, certificate::holder_and_installation};

use super::{KeyArgs, code::QrCode, page};

/// What is wanted; nothing said: the certificate.
#[derive(Debug, Clone, clap::Args)]
pub struct ShowArgs {
    #[command(flatten)]
    key: KeyArgs,
    /// The certificate, PEM.
    #[arg(long)]
    pem: bool,
    /// The certificate and those of the CAs above it, PEM.
    #[arg(long, conflicts_with = "pem")]
    chain: bool,
    /// SHA-256 fingerprint of the certificate, as openssl x509 -fingerprint -sha256 shows it.
    #[arg(long)]
    fingerprint: bool,
    /// The certificate as a QR code on the terminal.
    #[arg(long)]
    qr: bool,
    /// The certificate as a QR code, written to this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// A page for the printer (HTML), written to this file.
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

pub(super) fn run(args: &ShowArgs) -> anyhow::Result<()> {
    let options = args.key.options()?;
    let key = keys::open_signing(&options, &options.key)?;
    let certificate = Certificate::from_pem(key.certificate_pem())?;
    let nothing_said = !args.fingerprint && !args.qr && args.svg.is_none() && args.page.is_none();
    if args.pem || args.chain || nothing_said {
        print!("{}", key.certificate_pem());
    }
    if args.chain {
        print!("{}", key.chain_pem());
    }
    if args.fingerprint {
        println!("{}", with_colons(certificate.fingerprint()));
    }
    if args.qr {
        print!("{}", of_certificate(key.as_ref(), &certificate)?.to_terminal());
    }
    if let Some(file) = &args.svg {
        write(file, &of_certificate(key.as_ref(), &certificate)?.to_svg())?;
    }
    if let Some(file) = &args.page {
        let code = of_certificate(key.as_ref(), &certificate)?;
        let (holder, installation) = holder_and_installation(key.certificate_pem())?;
        write(file, &page::html((&holder, &installation), &certificate, key.certificate_pem(), &code))?;
    }
    Ok(())
}

/// The certificate; where a CA wrote more into it than a QR code holds, its fingerprint.
fn of_certificate(key: &dyn SigningKey, certificate: &Certificate) -> anyhow::Result<QrCode> {
    match QrCode::of(key.certificate_pem()) {
        Ok(code) => Ok(code),
        Err(_) => {
            eprintln!("the certificate is too long for a QR code: this is its SHA-256 fingerprint");
            QrCode::of(&with_colons(certificate.fingerprint()))
                .context("there is no QR code of a fingerprint")
        }
    }
}

fn write(file: &PathBuf, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

/// Upper case, a colon between bytes: as openssl shows fingerprints.
pub(super) fn with_colons(hash: Sha256Hash) -> String {
    hash.as_bytes().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}
