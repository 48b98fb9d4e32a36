//! One session with an SMB server, and the share in it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::resources::{SmbEncryption, SmbSigning, SmbTarget};
use smb2::{
    Session, Tree,
    client::{Cipher, connection::Connection as Smb2},
    crypto::kdf::PreauthHasher,
    types::{Dialect, SessionId, flags::Capabilities},
};
use tokio::time::timeout;
use tunnel::Tunnel;

use super::{fault::Server, wire::Wire};
use crate::{ErrorKind, TargetError};

/// How long agreeing on the protocol, logging in and finding the share may take together.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// A server that does not answer a request for so long is away. A slow disk's flush fits in.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of all files together that are under way at once: so much memory, and what a way of 30 ms
/// needs for 4 Gbit/s.
const UNDER_WAY: u64 = 16 << 20;

/// Clones speak over the same connection.
pub(super) struct Connection {
    smb: Smb2,
    tree: Arc<Tree>,
    server: Server,
    broken: AtomicBool,
}

impl Connection {
    /// Connects, logs in and opens the share. `previous`: the session that this one takes the place of,
    /// so that the server lets go of the files which that one still has open.
    pub(super) async fn open(
        target: &SmbTarget,
        tunnel: Option<&Tunnel>,
        previous: Option<SessionId>,
        server: &Server,
    ) -> Result<Self, TargetError> {
        let stream = tunnel::dial(tunnel, &target.host, target.port).await?;
        let wire = Arc::new(Wire::new(stream, target.signing == SmbSigning::Required));
        let mut smb =
            Smb2::from_transport(Box::new(Arc::clone(&wire)), Box::new(Arc::clone(&wire)), &*target.host);
        smb.set_response_timeout(Some(REQUEST_TIMEOUT));
        smb.set_write_budget(UNDER_WAY);
        if let Some(previous) = previous {
            smb.set_previous_session_id(previous);
        }
        let opening = log_in(&mut smb, &wire, target, server);
        let tree = timeout(LOGIN_TIMEOUT, opening).await.map_err(|error| server.unreachable(error))??;
        Ok(Self { smb, tree: Arc::new(tree), server: server.clone(), broken: AtomicBool::new(false) })
    }

    pub(super) const fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    /// A handle to speak through.
    pub(super) fn smb(&self) -> Smb2 {
        self.smb.clone()
    }

    pub(super) fn session_id(&self) -> SessionId {
        self.smb.session_id()
    }

    pub(super) fn is_usable(&self) -> bool {
        !self.broken.load(Ordering::Relaxed) && !self.smb.is_disconnected()
    }

    /// Says a fault in words. A connection that failed once is not used again.
    pub(super) fn fault(&self, doing: &str, error: &smb2::Error) -> TargetError {
        let error = self.server.fault(doing, error);
        if error.kind() == ErrorKind::Unreachable {
            self.broken.store(true, Ordering::Relaxed);
        }
        error
    }
}

async fn log_in(
    smb: &mut Smb2,
    wire: &Wire,
    target: &SmbTarget,
    server: &Server,
) -> Result<Tree, TargetError> {
    if let Err(error) = smb.negotiate().await {
        return Err(server.no_agreement(&error, wire.speaks()));
    }
    // The hash is to be over what went over the wire, not over what `smb2` had in mind.
    let said = wire.negotiation();
    smb.with_preauth_hasher_mut(|hash| {
        *hash = PreauthHasher::new();
        hash.update(&said.request);
        hash.update(&said.response);
    });
    let cipher = cipher(smb);
    if target.encryption == SmbEncryption::Required && cipher.is_none() {
        return Err(server.cannot_encrypt());
    }
    let login = Session::setup(smb, &target.user, target.password.expose(), &target.domain).await;
    let session = login.map_err(|error| server.login_refused(&error))?;
    let encrypt = match target.encryption {
        SmbEncryption::Required | SmbEncryption::Offered => true,
        SmbEncryption::Off => session.should_encrypt,
    };
    if encrypt {
        encrypt_from_now_on(smb, wire, &session, cipher);
    }
    // A guest has no key to sign or encrypt with.
    if target.encryption == SmbEncryption::Required && !smb.should_encrypt() {
        return Err(server.cannot_encrypt());
    }
    if target.signing == SmbSigning::Required && !session.should_sign && !smb.should_encrypt() {
        return Err(server.does_not_sign());
    }
    let tree = Tree::connect(smb, &target.share).await;
    let tree = tree.map_err(|error| server.no_share(&error))?;
    if tree.encrypt_data {
        encrypt_from_now_on(smb, wire, &session, cipher);
        if !smb.should_encrypt() {
            return Err(server.cannot_encrypt());
        }
    }
    Ok(tree)
}

/// How the server would encrypt, if it can. Before SMB 3.1.1 there is one way (MS-SMB2 3.3.5.4).
fn cipher(smb: &Smb2) -> Option<Cipher> {
    let agreed = smb.params()?;
    match agreed.dialect {
        Dialect::Smb3_1_1 => agreed.cipher,
        Dialect::Smb3_0 | Dialect::Smb3_0_2 if agreed.capabilities.contains(Capabilities::ENCRYPTION) => {
            Some(Cipher::Aes128Ccm)
        }
        _ => None,
    }
}

/// Switches encryption on, if both sides have what it takes.
fn encrypt_from_now_on(smb: &mut Smb2, wire: &Wire, session: &Session, cipher: Option<Cipher>) {
    if !smb.should_encrypt()
        && session.should_sign
        && let (Some(cipher), Some(to_server), Some(from_server)) =
            (cipher, &session.encryption_key, &session.decryption_key)
    {
        smb.activate_encryption(to_server.clone(), from_server.clone(), cipher);
    }
    if smb.should_encrypt() {
        wire.encrypted_only();
    }
}
