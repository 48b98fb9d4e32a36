//! `callseal key init`: the keys are made, once.

use keys::{CertificateSubject, KeyOptions, NewKey, RsaBits, create, create_log_key};

use super::KeyArgs;

/// What the new key is for.
#[derive(Debug, Clone, clap::Args)]
pub struct InitArgs {
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    certificate: CertificateArgs,
    /// Only the log key, beside an RSA key that an older version made.
    #[arg(long, conflicts_with_all = ["holder", "installation", "years", "bits"])]
    log: bool,
}

/// What the certificate of a new key says.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CertificateArgs {
    /// The organisation that records, in the certificate.
    #[arg(long, value_name = "NAME")]
    holder: Option<String>,
    /// The installation, in the certificate [default: callseal].
    #[arg(long, env = "CALLSEAL_INSTALLATION", value_name = "NAME")]
    installation: Option<String>,
    /// How long the certificate is valid.
    #[arg(long, default_value_t = 20)]
    years: u16,
    /// Length of the RSA key. 2048 is below what BSI TR-02102-1 asks for.
    #[arg(long, value_enum, default_value_t)]
    bits: RsaBits,
}

impl CertificateArgs {
    /// What was not said is as in `holder` and `installation`.
    pub(super) fn new_key(&self, holder: String, installation: String) -> NewKey {
        if self.bits == RsaBits::Rsa2048 {
            eprintln!("warning: {}", weak());
        }
        NewKey {
            subject: CertificateSubject {
                holder: self.holder.clone().unwrap_or(holder),
                installation: self.installation.clone().unwrap_or(installation),
                valid_from: jiff::Timestamp::now(),
                years: self.years,
            },
            bits: self.bits,
        }
    }
}

/// What is to be said of RSA-2048.
pub(super) const fn weak() -> &'static str {
    "RSA-2048 is below what BSI TR-02102-1 asks for; take 3072 if the token has it"
}

/// The certificate goes to standard output.
pub(super) fn run(args: &InitArgs) -> anyhow::Result<()> {
    let options: KeyOptions = args.key.options_for_a_new_key()?;
    let made = match args.log {
        true => create_log_key(&options, &options.key)?,
        false => {
            let new = args.certificate.new_key(String::new(), "callseal".to_owned());
            create(&options, &options.key, &new)?
        }
    };
    print!("{}", made.signing.certificate_pem());
    Ok(())
}
