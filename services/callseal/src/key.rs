//! `callseal key`: the signing key of an installation whose services run one by one. (`callseal up`
//! with SoftHSM makes its key by itself at the first start.)

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, Subcommand};
use keys::{CertificateSubject, Pin, Pkcs11Key, Pkcs11Options, SigningKey, create_key, softhsm};

use crate::up::enter_environment;

/// Subcommands of `callseal key`.
#[derive(Debug, Clone, Subcommand)]
pub enum KeyCommand {
    /// Makes an RSA-3072 key in the token, and its certificate. Never replaces one.
    Init(InitArgs),
    /// Prints the certificate.
    Show(KeyArgs),
}

/// Which key.
#[derive(Debug, Clone, Args)]
pub struct KeyArgs {
    /// PKCS#11 library of the HSM.
    #[arg(long, env = "CALLSEAL_PKCS11_MODULE", value_name = "FILE", conflicts_with = "softhsm")]
    pub pkcs11_module: Option<PathBuf>,
    /// Label of the token.
    #[arg(long, env = "CALLSEAL_PKCS11_TOKEN", default_value = "callseal", value_name = "LABEL")]
    pub pkcs11_token: String,
    /// File that holds the PIN.
    #[arg(long, env = "CALLSEAL_PKCS11_PIN_FILE", value_name = "FILE", conflicts_with = "softhsm")]
    pub pkcs11_pin_file: Option<PathBuf>,
    /// Label of the key.
    #[arg(long, env = "CALLSEAL_PKCS11_KEY", default_value = "callseal", value_name = "LABEL")]
    pub pkcs11_key: String,
    /// Instead of an HSM: SoftHSM, with its token in the folder `keys` of this one. Its programs are
    /// then started with SOFTHSM2_CONF=DIR/keys/softhsm2.conf and the PIN file DIR/keys/pin.
    #[arg(long, env = "CALLSEAL_SOFTHSM", value_name = "DIR")]
    pub softhsm: Option<PathBuf>,
}

/// What the new key is for.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    #[command(flatten)]
    key: KeyArgs,
    /// The organisation that records, in the certificate.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub holder: String,
    /// The installation, in the certificate.
    #[arg(long, env = "CALLSEAL_INSTALLATION", default_value = "callseal", value_name = "NAME")]
    pub installation: String,
    /// How long the certificate is valid.
    #[arg(long, default_value_t = 20)]
    pub years: u16,
}

/// Carries out the subcommand; the certificate goes to standard output.
///
/// # Errors
/// The token cannot be used, or holds such a key already.
pub fn run(command: KeyCommand) -> anyhow::Result<ExitCode> {
    let key = match command {
        KeyCommand::Init(args) => {
            let subject = CertificateSubject {
                holder: args.holder.clone(),
                installation: args.installation.clone(),
                valid_from: jiff::Timestamp::now(),
                years: args.years,
            };
            create_key(&args.key.options()?, &subject)?
        }
        KeyCommand::Show(args) => Pkcs11Key::open(&args.options()?)?,
    };
    print!("{}", key.certificate_pem());
    Ok(ExitCode::SUCCESS)
}

impl KeyArgs {
    fn options(&self) -> anyhow::Result<Pkcs11Options> {
        if let Some(folder) = &self.softhsm {
            enter_environment(None, "CALLSEAL_SOFTHSM", folder)?;
            let folder = std::path::absolute(folder)?.join("keys");
            return Ok(softhsm::prepare(&folder, &self.pkcs11_token)?.key(&self.pkcs11_key));
        }
        let needed = "give --pkcs11-module and --pkcs11-pin-file, or --softhsm";
        Ok(Pkcs11Options {
            module: self.pkcs11_module.clone().context(needed)?,
            token_label: self.pkcs11_token.clone(),
            pin: Pin::File(self.pkcs11_pin_file.clone().context(needed)?),
            key_label: self.pkcs11_key.clone(),
        })
    }
}
