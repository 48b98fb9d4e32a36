//! `callseal key`: the signing key of an installation whose services run one by one. (`callseal up`
//! with SoftHSM makes its key by itself at the first start.)

mod change;
mod check;
mod code;
mod init;
mod page;
mod place;
mod show;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Subcommand;
use keys::{CertificateSubject, certificate};

pub use self::{
    change::{ChangeArgs, ReplaceArgs, RotateArgs},
    init::InitArgs,
    place::KeyArgs,
    show::ShowArgs,
};

/// Subcommands of `callseal key`.
#[derive(Debug, Clone, Subcommand)]
pub enum KeyCommand {
    /// Makes the RSA key and the log key in the token, and the certificate. Never replaces one.
    Init(InitArgs),
    /// Prints the certificate, or its fingerprint, as a QR code, or a page to file.
    Show(ShowArgs),
    /// Prints a request for a certificate (PKCS#10), signed by the key, for a CA.
    Csr(CsrArgs),
    /// Takes the certificate that a CA issued for the key, with those of the CAs above it.
    ImportCert(ImportArgs),
    /// Makes a new key and lets it sign from now on, signed by the old key and the new.
    Rotate(RotateArgs),
    /// Like rotate, when the old key is lost: the log says for ever that it did not sign.
    Replace(ReplaceArgs),
    /// Checks key, log key and certificate. Exit code 0: all good, 1: something is wrong, 2: usage.
    Check(KeyArgs),
}

/// Whose certificate is wanted.
#[derive(Debug, Clone, clap::Args)]
pub struct CsrArgs {
    #[command(flatten)]
    key: KeyArgs,
    /// The organisation that records, in place of what the certificate says.
    #[arg(long, value_name = "NAME", requires = "installation")]
    holder: Option<String>,
    /// The installation, in place of what the certificate says.
    #[arg(long, value_name = "NAME", requires = "holder")]
    installation: Option<String>,
}

/// Which certificate.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportArgs {
    #[command(flatten)]
    key: KeyArgs,
    /// PEM file: the key's certificate first, then its issuer's, and so on.
    #[arg(value_name = "FILE")]
    certificate: PathBuf,
}

/// Carries out the subcommand; what scripts want (certificate, request) goes to standard output.
///
/// # Errors
/// The key cannot be used, made or changed; the text says why and what to do.
pub fn run(command: KeyCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeyCommand::Init(args) => init::run(&args)?,
        KeyCommand::Show(args) => show::run(&args)?,
        KeyCommand::Csr(args) => csr(args)?,
        KeyCommand::ImportCert(args) => import(&args)?,
        KeyCommand::Rotate(args) => change::rotate(&args)?,
        KeyCommand::Replace(args) => change::replace(&args)?,
        KeyCommand::Check(args) => return Ok(check::run(&args)),
    }
    Ok(ExitCode::SUCCESS)
}

fn csr(args: CsrArgs) -> anyhow::Result<()> {
    let options = args.key.options()?;
    let key = keys::open_signing(&options, &options.key)?;
    let subject = args.holder.zip(args.installation).map(|(holder, installation)| CertificateSubject {
        holder,
        installation,
        // A request says nothing of validity: the CA does.
        valid_from: jiff::Timestamp::now(),
        years: 0,
    });
    print!("{}", certificate::request(key.as_ref(), subject.as_ref())?);
    Ok(())
}

fn import(args: &ImportArgs) -> anyhow::Result<()> {
    let file = &args.certificate;
    let pem = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let options = args.key.options()?;
    keys::import_certificate(&options, &options.key, &pem)?;
    let key = keys::open_signing(&options, &options.key)?;
    print!("{}", key.certificate_pem());
    eprintln!("signer publishes it at its next start; the certificate before it stays valid proof");
    Ok(())
}
