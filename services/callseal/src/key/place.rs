//! Where the key lies, at the command line.

use std::path::PathBuf;

use keys::{KeyOptions, softhsm};

use crate::up::enter_environment;

/// Which key.
#[derive(Debug, Clone, clap::Args)]
pub struct KeyArgs {
    /// Where the keys lie, as signer is told.
    #[command(flatten)]
    pub options: KeyOptions,
    /// Instead of an HSM: SoftHSM, with its token in the folder `keys` of this one. Its programs are
    /// then started with SOFTHSM2_CONF=DIR/keys/softhsm2.conf and the PIN file DIR/keys/pin.
    #[arg(
        long,
        env = "CALLSEAL_SOFTHSM",
        value_name = "DIR",
        conflicts_with_all = ["pkcs11_module", "pkcs11_pin_file"],
        help_heading = "Signing key"
    )]
    pub softhsm: Option<PathBuf>,
}

impl KeyArgs {
    /// How to reach a key that is there. Makes nothing, also no token.
    pub(super) fn options(&self) -> anyhow::Result<KeyOptions> {
        self.with_token(softhsm::existing)
    }

    /// The same where a key is about to be made: a token of SoftHSM is made if there is none.
    pub(super) fn options_for_a_new_key(&self) -> anyhow::Result<KeyOptions> {
        self.with_token(softhsm::prepare)
    }

    fn with_token(
        &self,
        token: impl Fn(&std::path::Path, &str) -> Result<softhsm::SoftHsmToken, keys::KeyError>,
    ) -> anyhow::Result<KeyOptions> {
        let Some(folder) = &self.softhsm else { return Ok(self.options.clone()) };
        enter_environment(None, "CALLSEAL_SOFTHSM", folder)?;
        let folder = std::path::absolute(folder)?.join("keys");
        let token = token(&folder, &self.options.pkcs11_token)?;
        Ok(self.options.clone().in_softhsm(&token))
    }
}
