//! Where the keys lie, as signer, `callseal up` and `callseal key` are told; and opening them there.

use std::{num::NonZeroU16, path::PathBuf, sync::Arc};

use crate::{
    CertificateSubject, CloudError, KeyError, KeyName, KeySet, SigningKey,
    aws::{self, AwsOptions},
    azure::{self, AzureOptions},
    cloud::{self, CloudOptions, Keeping},
    pkcs11::{self, Pin, Pkcs11Options},
    softhsm::{self, SoftHsmToken},
};

/// The environment variable that may hold the PIN where there is no file with it.
pub const PIN_VARIABLE: &str = "CALLSEAL_PKCS11_PIN";

/// What keeps the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum KeyProvider {
    /// A token behind PKCS#11: an HSM, a smart card, SoftHSM.
    #[default]
    Pkcs11,
    /// Azure Key Vault or Azure Managed HSM.
    Azure,
    /// AWS Key Management Service.
    Aws,
}

/// Where the keys lie.
#[derive(Debug, Clone, clap::Args)]
pub struct KeyOptions {
    /// What keeps the keys.
    #[arg(
        long,
        env = "CALLSEAL_KEY_PROVIDER",
        value_enum,
        default_value_t,
        value_name = "PROVIDER",
        help_heading = "Signing key"
    )]
    pub key_provider: KeyProvider,
    /// PKCS#11 library of the HSM; without it SoftHSM's is looked for.
    #[arg(long, env = "CALLSEAL_PKCS11_MODULE", value_name = "FILE", help_heading = "Signing key")]
    pub pkcs11_module: Option<PathBuf>,
    /// Label of the token.
    #[arg(
        long,
        env = "CALLSEAL_PKCS11_TOKEN",
        default_value = "callseal",
        value_name = "LABEL",
        help_heading = "Signing key"
    )]
    pub pkcs11_token: String,
    /// File that holds the PIN. Without it, the environment variable CALLSEAL_PKCS11_PIN does.
    #[arg(long, env = "CALLSEAL_PKCS11_PIN_FILE", value_name = "FILE", help_heading = "Signing key")]
    pub pkcs11_pin_file: Option<PathBuf>,
    /// The key: its label, or id: and its id in hexadecimal digits.
    #[arg(
        long = "pkcs11-key",
        visible_alias = "key",
        env = "CALLSEAL_PKCS11_KEY",
        default_value = "callseal",
        value_name = "LABEL",
        help_heading = "Signing key"
    )]
    pub key: KeyName,
    /// How many sessions may be open in the token at once, each signing by itself.
    #[arg(
        long,
        env = "CALLSEAL_PKCS11_SESSIONS",
        default_value = "8",
        value_name = "NUMBER",
        help_heading = "Signing key"
    )]
    pub pkcs11_sessions: NonZeroU16,
    /// What cloud key services have in common.
    #[command(flatten)]
    pub cloud: CloudOptions,
    /// Azure Key Vault.
    #[command(flatten)]
    pub azure: AzureOptions,
    /// AWS KMS.
    #[command(flatten)]
    pub aws: AwsOptions,
}

impl Default for KeyOptions {
    fn default() -> Self {
        Self {
            key_provider: KeyProvider::default(),
            pkcs11_module: None,
            pkcs11_token: "callseal".to_owned(),
            pkcs11_pin_file: None,
            key: KeyName::label("callseal"),
            pkcs11_sessions: pkcs11::SESSIONS,
            cloud: CloudOptions::default(),
            azure: AzureOptions::default(),
            aws: AwsOptions::default(),
        }
    }
}

impl KeyOptions {
    /// The same, with a token of SoftHSM in place of what was named.
    #[must_use]
    pub fn in_softhsm(self, token: &SoftHsmToken) -> Self {
        Self {
            key_provider: KeyProvider::Pkcs11,
            pkcs11_module: Some(token.module.clone()),
            pkcs11_token: token.label.clone(),
            pkcs11_pin_file: Some(token.pin_file.clone()),
            ..self
        }
    }

    /// True if the keys are in a token and no library is named: then it is SoftHSM's.
    pub fn is_softhsm(&self) -> bool {
        self.key_provider == KeyProvider::Pkcs11 && self.pkcs11_module.is_none()
    }

    /// How to reach that key in a cloud's key service.
    fn keeping<'a>(&'a self, key: &'a KeyName) -> Result<Keeping<'a>, CloudError> {
        let ca = self.cloud.key_service_ca.as_deref();
        let service = match self.key_provider {
            KeyProvider::Azure => azure::connect(&self.azure, ca)?,
            KeyProvider::Aws => aws::connect(&self.aws, ca)?,
            KeyProvider::Pkcs11 => return Err(CloudError::Setting("a token is no key service".to_owned())),
        };
        Ok(Keeping { service, options: &self.cloud, key, is_first: *key == self.key })
    }

    /// How to reach that key in the token.
    ///
    /// # Errors
    /// No PKCS#11 library was named, and SoftHSM is not installed.
    pub fn pkcs11(&self, key: &KeyName) -> Result<Pkcs11Options, KeyError> {
        let module = self.pkcs11_module.clone().or_else(softhsm::find_module);
        Ok(Pkcs11Options {
            module: module.ok_or(KeyError::NotSaid("no PKCS#11 library was found: give --pkcs11-module"))?,
            token_label: self.pkcs11_token.clone(),
            pin: match &self.pkcs11_pin_file {
                Some(file) => Pin::File(file.clone()),
                None => Pin::Variable(PIN_VARIABLE.to_owned()),
            },
            key: key.clone(),
            sessions: self.pkcs11_sessions,
        })
    }
}

/// What a new key is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What its certificate says.
    pub subject: CertificateSubject,
    /// Length of the RSA modulus.
    pub bits: RsaBits,
}

/// Lengths of an RSA key that Callseal makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum RsaBits {
    /// Below what BSI TR-02102-1 asks for since 2024; for HSMs that have no more.
    #[value(name = "2048")]
    Rsa2048,
    /// The least that BSI TR-02102-1 recommends.
    #[default]
    #[value(name = "3072")]
    Rsa3072,
    /// Twice as slow to sign, and no easier to defend.
    #[value(name = "4096")]
    Rsa4096,
}

impl RsaBits {
    /// As a number.
    pub const fn count(self) -> u16 {
        match self {
            Self::Rsa2048 => 2048,
            Self::Rsa3072 => 3072,
            Self::Rsa4096 => 4096,
        }
    }
}

/// Opens both keys of that name and makes sure that they sign. Makes none. Blocking.
///
/// # Errors
/// Library, token, PIN or one of the keys; the text says which, and what to do.
pub fn open(options: &KeyOptions, key: &KeyName) -> Result<KeySet, KeyError> {
    match options.key_provider {
        KeyProvider::Pkcs11 => pkcs11::open(&options.pkcs11(key)?),
        KeyProvider::Azure | KeyProvider::Aws => cloud::open(options.keeping(key)?),
    }
}

/// Opens the RSA key alone, whether or not it has a log key beside it. Blocking.
///
/// # Errors
/// As [`open`].
pub fn open_signing(options: &KeyOptions, key: &KeyName) -> Result<Arc<dyn SigningKey>, KeyError> {
    match options.key_provider {
        KeyProvider::Pkcs11 => Ok(Arc::new(pkcs11::Pkcs11Key::open(&options.pkcs11(key)?)?)),
        KeyProvider::Azure | KeyProvider::Aws => cloud::open_signing(options.keeping(key)?),
    }
}

/// Makes both keys and the certificate, and opens them. A key is never replaced. Blocking.
///
/// # Errors
/// There is something of that name already, or the keys cannot be made.
pub fn create(options: &KeyOptions, key: &KeyName, new: &NewKey) -> Result<KeySet, KeyError> {
    match options.key_provider {
        KeyProvider::Pkcs11 => pkcs11::create(&options.pkcs11(key)?, new),
        KeyProvider::Azure | KeyProvider::Aws => cloud::create(options.keeping(key)?, new),
    }
}

/// Makes the log key beside an RSA key that has none, and opens both. Blocking.
///
/// # Errors
/// There is one already, there is no RSA key, or it cannot be made.
pub fn create_log_key(options: &KeyOptions, key: &KeyName) -> Result<KeySet, KeyError> {
    match options.key_provider {
        KeyProvider::Pkcs11 => pkcs11::create_log_key(&options.pkcs11(key)?),
        KeyProvider::Azure | KeyProvider::Aws => cloud::create_log_key(options.keeping(key)?),
    }
}

/// Keeps another certificate of the key, issued by a CA, with the certificates of the CAs above it. The
/// one before it stays. Blocking.
///
/// # Errors
/// The key cannot be opened, the certificate is not one of it, or it cannot be stored.
pub fn import_certificate(options: &KeyOptions, key: &KeyName, pem: &str) -> Result<(), KeyError> {
    match options.key_provider {
        KeyProvider::Pkcs11 => pkcs11::import_certificate(&options.pkcs11(key)?, pem),
        KeyProvider::Azure | KeyProvider::Aws => cloud::import_certificate(options.keeping(key)?, pem),
    }
}
