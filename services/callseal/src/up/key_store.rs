//! The keys of `callseal up`: in an HSM or a cloud key service, or in SoftHSM under the data folder.

use std::{
    env,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use evidence::Certificate;
use keys::{
    CertificateSubject, KeyError, KeyOptions, KeySet, NewKey, RsaBits, create, create_log_key, open, softhsm,
};

use super::UpArgs;

const TOKEN: &str = "callseal";
const CERTIFICATE_YEARS: u16 = 20;
/// Written when the key is there: from then on no key is ever made.
const CERTIFICATE: &str = "callseal.pem";

/// SoftHSM reads where its tokens lie from the environment, once, when its module is loaded. So a
/// process that will use it starts itself anew with the variable set, and with `variable` set to the
/// data folder so that it finds the same one. Returns only if that is not needed: an HSM is named, or
/// the environment is there.
///
/// # Errors
/// The program cannot be started again.
pub fn enter_environment(hsm: Option<&Path>, variable: &str, data: &Path) -> anyhow::Result<()> {
    let folder = key_folder(data)?;
    let conf = softhsm::conf_path(&folder);
    // By its name as well: after a loss the file need not be there.
    let is_entered = env::var_os(softhsm::CONF_VARIABLE).is_some_and(|value| value == *conf);
    if hsm.is_some() || is_entered || softhsm::is_selected(&folder) {
        return Ok(());
    }
    if !data.join(CERTIFICATE).exists() {
        softhsm::write_conf(&folder)?;
    }
    let program = env::current_exe().context("the path of this program is unknown")?;
    let mut again = Command::new(program);
    again.args(env::args_os().skip(1)).env(softhsm::CONF_VARIABLE, conf).env(variable, data);
    Err(again.exec()).context("the program cannot be started with the environment that SoftHSM needs")
}

fn key_folder(data: &Path) -> anyhow::Result<PathBuf> {
    Ok(std::path::absolute(data).context("the data folder has no absolute path")?.join("keys"))
}

/// How the signer reaches its keys. On the very first start with SoftHSM they are made. When there is a
/// key, its certificate is written to `<data>/callseal.pem`; from then on a missing key never makes a
/// new one, since what a replacement signed would break the chain of proof, and never stops the start:
/// calls are recorded and wait for it.
///
/// # Errors
/// At the first start, the module, the token or a key is missing, or the PIN is wrong; the text says
/// which.
pub fn prepare(args: &UpArgs) -> anyhow::Result<KeyOptions> {
    let certificate = args.data.join(CERTIFICATE);
    let (is_first, is_softhsm) = (!certificate.exists(), args.keys.is_softhsm());
    let options = match (is_softhsm, is_first) {
        (false, _) => args.keys.clone(),
        (true, true) => args.keys.clone().in_softhsm(&softhsm::prepare(&key_folder(&args.data)?, TOKEN)?),
        // As it was prepared; nothing is made in its place.
        (true, false) => KeyOptions {
            pkcs11_token: TOKEN.to_owned(),
            pkcs11_pin_file: Some(key_folder(&args.data)?.join("pin")),
            ..args.keys.clone()
        },
    };
    let opened = match open(&options, &options.key) {
        Err(KeyError::KeyMissing { .. } | KeyError::CertificateMissing { .. }) if is_softhsm && is_first => {
            make_first(args, &options)
        }
        // Made by an earlier version, if nothing was signed with a log key yet.
        Err(KeyError::LogKeyMissing { .. }) if is_softhsm && !has_logs(args) => {
            create_log_key(&options, &options.key)
        }
        other => other,
    };
    match opened {
        // A CA may have issued another one; but if that is not the key that it was, the signer says so.
        Ok(keys) if is_first || is_of(&certificate, &keys) => {
            std::fs::write(&certificate, keys.signing.certificate_pem())
                .with_context(|| format!("the certificate cannot be written to {}", certificate.display()))?
        }
        Err(error) if is_first => return Err(error).context("there is no key to sign recordings with"),
        // The signer says it, and tries again.
        Ok(_) | Err(_) => {}
    }
    Ok(options)
}

fn is_of(certificate: &Path, keys: &KeySet) -> bool {
    let known = std::fs::read_to_string(certificate).ok().and_then(|pem| Certificate::from_pem(&pem).ok());
    known.is_some_and(|known| known.public_key().id() == keys.signing.key_id())
}

/// Logs lie in staging as soon as one checkpoint was signed.
fn has_logs(args: &UpArgs) -> bool {
    args.data.join("staging/log").exists()
}

fn make_first(args: &UpArgs, options: &KeyOptions) -> Result<KeySet, KeyError> {
    let subject = CertificateSubject {
        holder: String::new(),
        installation: args.installation.clone(),
        valid_from: jiff::Timestamp::now(),
        years: CERTIFICATE_YEARS,
    };
    create(options, &options.key, &NewKey { subject, bits: RsaBits::default() })
}
