//! SMB messages over a byte stream, and what is held against them on the way.
//!
//! The crate `smb2` leaves two words out of its NEGOTIATE request (MS-SMB2 2.2.3) that decide whether
//! a server may insist: that the client can encrypt, without which a server that wants encryption
//! refuses every session, and that it wants signing, without which a server takes unsigned requests in
//! its name. They are put in here. The request is not signed, but from SMB 3.1.1 on all keys hang on a
//! hash over it: so what really went over the wire is kept ([`Wire::negotiation`]), for the hash to be
//! made from.

use std::{
    io,
    sync::{
        Arc, Mutex as Lock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use smb2::{
    Error, Result,
    transport::{ReceiveProgress, TransportReceive, TransportSend},
    types::flags::{Capabilities, SecurityMode},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split},
    sync::Mutex,
};
use tunnel::Stream;

/// Where fields of a NEGOTIATE request stand, behind a header of 64 bytes.
const SECURITY_MODE: usize = 64 + 4;
const CAPABILITIES: usize = 64 + 8;
/// What each message begins with: plain, encrypted.
const PLAIN: &[u8] = b"\xfeSMB";
const ENCRYPTED: &[u8] = b"\xfdSMB";
/// What the answer of a server begins with that only speaks SMB 1 (MS-CIFS 2.2.3.1).
const SMB_1: &[u8] = b"\xffSMB";
/// Messages up to this length go out in one piece with the length before them.
const SHORT: usize = 64 * 1024;

/// What was said when the protocol was agreed on, byte by byte.
#[derive(Debug, Default, Clone)]
pub(super) struct Negotiation {
    pub(super) request: Vec<u8>,
    pub(super) response: Vec<u8>,
}

/// What the first word of the server shows it to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// It has said nothing.
    Nothing,
    /// SMB 1.
    Smb1,
    /// SMB 2 or 3.
    Smb,
    /// No SMB at all.
    SomethingElse,
}

/// One connection.
pub(super) struct Wire {
    from: Mutex<ReadHalf<Stream>>,
    to: Mutex<WriteHalf<Stream>>,
    progress: Arc<ReceiveProgress>,
    signing_required: bool,
    negotiation: Lock<Negotiation>,
    spoke_nonsense: AtomicBool,
    encrypted_only: AtomicBool,
}

impl Wire {
    /// A connection over `stream`; with `signing_required` the server is told to take nothing unsigned.
    pub(super) fn new(stream: Stream, signing_required: bool) -> Self {
        let (from, to) = split(stream);
        Self {
            from: Mutex::new(from),
            to: Mutex::new(to),
            progress: Arc::new(ReceiveProgress::new()),
            signing_required,
            negotiation: Lock::default(),
            spoke_nonsense: AtomicBool::new(false),
            encrypted_only: AtomicBool::new(false),
        }
    }

    /// What was said when the protocol was agreed on.
    pub(super) fn negotiation(&self) -> Negotiation {
        self.negotiation.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the server has shown itself to be.
    pub(super) fn speaks(&self) -> Speaks {
        let said = self.negotiation().response;
        match said.get(..4) {
            Some(PLAIN | ENCRYPTED) => Speaks::Smb,
            Some(SMB_1) => Speaks::Smb1,
            None if said.is_empty() && !self.spoke_nonsense.load(Ordering::Relaxed) => Speaks::Nothing,
            _ => Speaks::SomethingElse,
        }
    }

    /// From now on nothing that is not encrypted goes out or is taken in.
    pub(super) fn encrypted_only(&self) {
        self.encrypted_only.store(true, Ordering::Release);
    }

    fn must_be_encrypted(&self, message: &[u8]) -> Result<()> {
        if self.encrypted_only.load(Ordering::Acquire) && !message.starts_with(ENCRYPTED) {
            return Err(Error::invalid_data("a message that is not encrypted on an encrypted connection"));
        }
        Ok(())
    }

    /// The message as it goes out, if it is the request with which everything begins.
    fn completed(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut kept = self.negotiation.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.request.is_empty() {
            return None;
        }
        let mut request = message.to_vec();
        complete(&mut request, self.signing_required);
        kept.request.clone_from(&request);
        Some(request)
    }

    fn note_answer(&self, message: &[u8]) {
        let mut kept = self.negotiation.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.response.is_empty() {
            kept.response = message.to_vec();
        }
    }
}

/// Says in a NEGOTIATE request that the client can encrypt and, where it does, that it wants signing.
fn complete(request: &mut [u8], signing_required: bool) {
    if !request.starts_with(PLAIN) {
        return;
    }
    if let Some(capabilities) = request.get_mut(CAPABILITIES..CAPABILITIES + 4) {
        set(capabilities, &Capabilities::ENCRYPTION.to_le_bytes());
    }
    if signing_required && let Some(mode) = request.get_mut(SECURITY_MODE..SECURITY_MODE + 2) {
        set(mode, &SecurityMode::SIGNING_REQUIRED.to_le_bytes());
    }
}

fn set(field: &mut [u8], bits: &[u8]) {
    field.iter_mut().zip(bits).for_each(|(byte, bits)| *byte |= bits);
}

#[async_trait]
impl TransportSend for Wire {
    async fn send(&self, message: &[u8]) -> Result<()> {
        self.must_be_encrypted(message)?;
        let completed = self.completed(message);
        let message = completed.as_deref().unwrap_or(message);
        let length = u32::try_from(message.len()).ok().filter(|length| *length < 1 << 24);
        let length = length.ok_or_else(|| Error::invalid_data("a message is too long"))?.to_be_bytes();
        let mut to = self.to.lock().await;
        if message.len() <= SHORT {
            to.write_all(&[&length, message].concat()).await?;
        } else {
            to.write_all(&length).await?;
            to.write_all(message).await?;
        }
        Ok(to.flush().await?)
    }
}

#[async_trait]
impl TransportReceive for Wire {
    async fn receive(&self) -> Result<Vec<u8>> {
        let mut from = self.from.lock().await;
        let mut length = [0; 4];
        from.read_exact(&mut length).await.map_err(end)?;
        let length = u32::from_be_bytes(length);
        if length >= 1 << 24 {
            self.spoke_nonsense.store(true, Ordering::Relaxed);
            return Err(Error::invalid_data("what the server says is no SMB"));
        }
        let length = length as usize;
        let mut message = vec![0; length];
        self.progress.begin_frame(length);
        let mut filled = 0;
        while filled < length {
            let read = from.read(&mut message[filled..]).await?;
            if read == 0 {
                return Err(Error::Disconnected);
            }
            filled += read;
            self.progress.record(read);
        }
        self.progress.end_frame();
        self.note_answer(&message);
        self.must_be_encrypted(&message)?;
        Ok(message)
    }

    fn receive_progress(&self) -> Option<Arc<ReceiveProgress>> {
        Some(Arc::clone(&self.progress))
    }
}

fn end(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::Disconnected,
        _ => Error::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use smb2::{
        msg::negotiate::{NegotiateContext, NegotiateRequest},
        pack::{Guid, Pack as _, ReadCursor, Unpack as _, WriteCursor},
        types::Dialect,
    };

    use super::*;

    fn request() -> NegotiateRequest {
        NegotiateRequest {
            security_mode: SecurityMode::new(SecurityMode::SIGNING_ENABLED),
            capabilities: Capabilities::new(Capabilities::DFS | Capabilities::LARGE_MTU),
            client_guid: Guid { data1: 1, data2: 2, data3: 3, data4: [4; 8] },
            dialects: Dialect::ALL.to_vec(),
            negotiate_contexts: vec![NegotiateContext::Encryption { ciphers: vec![1, 2] }],
        }
    }

    fn completed(signing_required: bool) -> NegotiateRequest {
        let mut message = vec![0; 64];
        message[..4].copy_from_slice(PLAIN);
        let mut body = WriteCursor::new();
        request().pack(&mut body);
        message.extend(body.into_inner());
        complete(&mut message, signing_required);
        NegotiateRequest::unpack(&mut ReadCursor::new(&message[64..])).unwrap()
    }

    #[test]
    fn the_first_request_says_that_we_can_encrypt_and_want_signing_and_nothing_else_changes() {
        let can = Capabilities::DFS | Capabilities::LARGE_MTU | Capabilities::ENCRYPTION;
        let offered = completed(false);
        assert_eq!(offered, NegotiateRequest { capabilities: Capabilities::new(can), ..request() });
        let required = completed(true);
        let mode = SecurityMode::SIGNING_ENABLED | SecurityMode::SIGNING_REQUIRED;
        assert_eq!(required, NegotiateRequest { security_mode: SecurityMode::new(mode), ..offered });
    }
}
