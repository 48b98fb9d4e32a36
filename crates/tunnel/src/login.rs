//! Logging in: by password, or by private key.

use std::sync::Arc;

use domain::resources::{SshAuth, SshServer};
use russh::{
    client::{AuthResult, Handle},
    keys::{
        self, PrivateKey, PrivateKeyWithHashAlg, decode_secret_key,
        ssh_key::{self, encoding},
    },
};

use crate::{Place, SshError, handshake::PinnedServer, short_key};

pub(crate) async fn log_in(
    ssh: &mut Handle<PinnedServer>,
    server: &SshServer,
    place: &Place,
) -> Result<(), SshError> {
    let (method, answer) = match &server.auth {
        SshAuth::Password(password) => {
            ("password", ssh.authenticate_password(&server.user, password.expose()).await)
        }
        SshAuth::Key { private_key, passphrase } => {
            let passphrase = passphrase.as_ref().map(|p| p.expose().as_str());
            let key = decode(private_key.expose(), passphrase).map_err(|e| place.unusable_key(&e))?;
            let hash = ssh.best_supported_rsa_hash().await.map_err(|e| place.unreachable(e))?.flatten();
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
            ("private key", ssh.authenticate_publickey(&server.user, key).await)
        }
    };
    match answer.map_err(|error| place.unreachable(error))? {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { .. } => Err(place.login_refused(method)),
    }
}

/// A passphrase that the key does not need does no harm.
fn decode(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, keys::Error> {
    decode_secret_key(text, passphrase)
        .or_else(|error| decode_secret_key(text, None).map_err(|_| error))
        .or_else(|error| match error {
            keys::Error::SshKey(ssh_key::Error::Encoding(encoding::Error::Length)) => {
                short_key::decode(text, passphrase).map_err(|_| error)
            }
            error => Err(error),
        })
}
