//! The signing key of `callseal up`: an HSM by its PKCS#11 module, or SoftHSM under the data folder.

use std::{
    env,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use anyhow::Context;
use keys::{
    KeyError, SigningKey,
    pkcs11::{CertificateSubject, Pin, Pkcs11Key, Pkcs11Options, create_key},
    softhsm,
};

use super::UpArgs;

const TOKEN: &str = "callseal";
const CERTIFICATE_YEARS: u16 = 20;

/// SoftHSM reads where its tokens lie from the environment, once, when its module is loaded. So a
/// process that will use it starts itself anew with the variable set, and with `variable` set to the
/// data folder so that it finds the same one. Returns only if that is not needed: an HSM is named, or
/// the environment is there.
///
/// # Errors
/// The program cannot be started again.
pub fn enter_environment(hsm: Option<&Path>, variable: &str, data: &Path) -> anyhow::Result<()> {
    let folder = key_folder(data)?;
    if hsm.is_some() || softhsm::is_selected(&folder) {
        return Ok(());
    }
    softhsm::write_conf(&folder)?;
    let program = env::current_exe().context("the path of this program is unknown")?;
    let mut again = Command::new(program);
    again
        .args(env::args_os().skip(1))
        .env(softhsm::CONF_VARIABLE, softhsm::conf_path(&folder))
        .env(variable, data);
    Err(again.exec()).context("the program cannot be started with the environment that SoftHSM needs")
}

fn key_folder(data: &Path) -> anyhow::Result<PathBuf> {
    Ok(std::path::absolute(data).context("the data folder has no absolute path")?.join("keys"))
}

/// Opens the signing key. On the very first start with SoftHSM it is made, and its certificate is
/// written to `<data>/callseal.pem`; from then on a missing key is a fault, never a reason for a new
/// one: recordings signed by a replacement would break the chain of proof.
///
/// # Errors
/// The module, the token or the key is missing, or the PIN is wrong; the text says which.
pub fn open(args: &UpArgs) -> anyhow::Result<Arc<dyn SigningKey>> {
    let certificate = args.data.join("callseal.pem");
    let options = match (&args.pkcs11_module, &args.pkcs11_token, &args.pkcs11_pin_file) {
        (Some(module), Some(token), Some(pin_file)) => Pkcs11Options {
            module: module.clone(),
            token_label: token.clone(),
            pin: Pin::File(pin_file.clone()),
            key_label: args.pkcs11_key.clone(),
        },
        _ => {
            let options = softhsm::prepare(&key_folder(&args.data)?, TOKEN)?.key(&args.pkcs11_key);
            if !certificate.exists() {
                create_first_key(args, &options)?;
            }
            options
        }
    };
    let key = Pkcs11Key::open(&options)?;
    std::fs::write(&certificate, key.certificate_pem())
        .with_context(|| format!("the certificate cannot be written to {}", certificate.display()))?;
    Ok(Arc::new(key))
}

fn create_first_key(args: &UpArgs, options: &Pkcs11Options) -> anyhow::Result<()> {
    let subject = CertificateSubject {
        holder: String::new(),
        installation: args.installation.clone(),
        valid_from: jiff::Timestamp::now(),
        years: CERTIFICATE_YEARS,
    };
    match create_key(options, &subject) {
        // A crash between making the key and writing the certificate: the key is the one to use.
        Ok(_) | Err(KeyError::KeyExists { .. }) => Ok(()),
        Err(error) => Err(error).context("the signing key cannot be made"),
    }
}
