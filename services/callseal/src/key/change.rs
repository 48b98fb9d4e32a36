//! `callseal key rotate` and `replace`: from now on another key signs.
//!
//! Order: 1 new keys in the token, 2 statement signed by the old key and the new, 3 signer takes it and
//! writes it into the logs. What breaks off after 1 is done again with the same words: the new keys are
//! then there and are taken as they are; until 3 they have signed nothing but the statement.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use bus::subjects::SIGNER_CHANGE_KEY;
use domain::TenantId;
use evidence::{Certificate, KeyChangeStatement};
use keys::{CloudError, KeyError, KeyName, KeyOptions, KeySet, SigningKey, certificate};
use wire::evidence_v1::{ChangeKeyRequest, ChangeKeyResponse};

use super::{KeyArgs, init::CertificateArgs, show::with_colons};
use crate::asking::AskArgs;

/// How long signer may take: it writes an entry into the log of each tenant.
const PATIENCE: Duration = Duration::from_secs(60);

/// The new key, and where signer is.
#[derive(Debug, Clone, clap::Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    key: KeyArgs,
    /// Label of the new key; it is made if it is not there.
    #[arg(long, value_name = "LABEL")]
    new_key: String,
    #[command(flatten)]
    certificate: CertificateArgs,
    /// Why, for people who read the log; without names and numbers.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The tenant whose own key it is; without it, the installation's key changes.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// NATS server; `callseal up` names it in its ready line.
    #[arg(long, env = "CALLSEAL_NATS", default_value = "nats://127.0.0.1:4222", value_name = "URL")]
    nats: String,
    /// Data folder of a `callseal up` that runs on this machine; counts before --nats. Where no HSM is
    /// named, the key is the one of its SoftHSM.
    #[arg(long, env = "CALLSEAL_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Which key is followed by which.
#[derive(Debug, Clone, clap::Args)]
pub struct RotateArgs {
    #[command(flatten)]
    change: ChangeArgs,
}

/// Which key is lost, and which takes its place.
#[derive(Debug, Clone, clap::Args)]
pub struct ReplaceArgs {
    #[command(flatten)]
    change: ChangeArgs,
    /// Certificate of the lost key (PEM): from the archive, or callseal.pem of the data folder.
    #[arg(long, value_name = "FILE")]
    old_certificate: PathBuf,
}

/// The old key signs the change, too.
pub(super) fn rotate(args: &RotateArgs) -> anyhow::Result<()> {
    let args = &args.change;
    let options = args.key_options(KeyArgs::options)?;
    let old = keys::open_signing(&options, &options.key).map_err(hint_at_replace)?;
    let old_certificate = Certificate::from_pem(old.certificate_pem())?;
    let new = args.new_keys(&options, old.certificate_pem())?;
    args.change(&old_certificate, Some(old), &new)
}

/// The old key signs nothing any more.
pub(super) fn replace(args: &ReplaceArgs) -> anyhow::Result<()> {
    let file = &args.old_certificate;
    let pem = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let old_certificate = Certificate::from_pem(&pem)?;
    let args = &args.change;
    // The token, too, may be lost.
    let options = args.key_options(KeyArgs::options_for_a_new_key)?;
    if let Ok(old) = keys::open_signing(&options, &options.key)
        && old.key_id() == old_certificate.public_key().id()
    {
        bail!("the old key is there and signs: change it by `callseal key rotate`, which both keys sign");
    }
    let new = args.new_keys(&options, &pem)?;
    args.change(&old_certificate, None, &new)
}

fn hint_at_replace(error: KeyError) -> anyhow::Error {
    anyhow::Error::new(error)
        .context("the old key cannot sign the change; if it is lost for good, use `callseal key replace`")
}

impl ChangeArgs {
    fn key_options(&self, of: impl Fn(&KeyArgs) -> anyhow::Result<KeyOptions>) -> anyhow::Result<KeyOptions> {
        let mut key = self.key.clone();
        if key.softhsm.is_none() && key.options.is_softhsm() && key.options.pkcs11_pin_file.is_none() {
            key.softhsm.clone_from(&self.data);
        }
        ensure!(
            key.options.key != KeyName::from(self.new_key.as_str()),
            "--new-key needs another label than the old key's"
        );
        of(&key)
    }

    /// The new keys: made, or from an earlier try. What is not said of the certificate is as in the old.
    fn new_keys(&self, options: &KeyOptions, old_pem: &str) -> anyhow::Result<KeySet> {
        let label = KeyName::label(&self.new_key);
        let (holder, installation) = certificate::holder_and_installation(old_pem)?;
        let new = self.certificate.new_key(holder, installation);
        match keys::create(options, &label, &new) {
            Err(KeyError::KeyExists { .. } | KeyError::Cloud(CloudError::KeyExists { .. })) => {
                eprintln!("the key '{label}' is there already; it is taken as it is");
                Ok(keys::open(options, &label)?)
            }
            made => Ok(made?),
        }
    }

    fn change(
        &self,
        old_certificate: &Certificate,
        old: Option<Arc<dyn SigningKey>>,
        new: &KeySet,
    ) -> anyhow::Result<()> {
        let certificate = Certificate::from_pem(new.signing.certificate_pem())?;
        let statement = KeyChangeStatement {
            tenant: self.tenant.clone(),
            old: old_certificate.public_key().id(),
            new: new.signing.key_id(),
            new_certificate: certificate.fingerprint(),
            new_log_key: new.log.public(),
            at: jiff::Timestamp::now(),
            reason: self.reason.clone(),
        };
        let text = statement.to_text()?.into_bytes();
        let signed = |key: &dyn SigningKey| key.sign(&text).map(|signature| signature.as_bytes().to_vec());
        let request = ChangeKeyRequest {
            tenant: self.tenant.as_ref().map(ToString::to_string).unwrap_or_default(),
            key: self.new_key.clone(),
            certificate_pem: new.signing.certificate_pem().to_owned(),
            old_signature: old.map(|old| signed(old.as_ref())).transpose()?.unwrap_or_default(),
            new_signature: signed(new.signing.as_ref())?,
            statement: text,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let response = runtime.block_on(self.ask(&request))?;
        ensure!(response.problem.is_empty(), "signer did not take the new key: {}", response.problem);
        println!("from now on the key '{}' signs", self.new_key);
        println!("key id       {}", statement.new);
        println!("fingerprint  {}", with_colons(statement.new_certificate));
        for place in &response.places {
            println!("log          {} entry {}", place.tenant, place.index);
        }
        for tenant in &response.pending {
            println!(
                "pending      {tenant}: its log is halted (`callseal log state` says why); the change is entered when it goes on"
            );
        }
        println!("keep the old certificate: it proves what was signed until now");
        Ok(())
    }

    async fn ask(&self, request: &ChangeKeyRequest) -> anyhow::Result<ChangeKeyResponse> {
        let bus = AskArgs::new(self.nats.clone(), self.data.clone()).connect().await?;
        let answer = bus.request(SIGNER_CHANGE_KEY, request, PATIENCE).await;
        answer.context(
            "signer does not answer; nothing was changed, or ask again with the same words to be sure",
        )
    }
}
