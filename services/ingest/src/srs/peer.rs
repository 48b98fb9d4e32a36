//! Our own requests within a recording session: to ask whether the client is there, and to end it.

use std::{
    sync::{Mutex, Weak},
    time::Duration,
};

use async_trait::async_trait;
use rsipstack::{
    sip::{
        Header, HeadersExt, Method, Request, SipMessage, StatusCode, StatusCodeKind, ToTypedHeader,
        Transport, typed,
    },
    transaction::{
        Transaction,
        key::{TransactionKey, TransactionRole},
    },
    transport::{SipAddr, SipConnection},
};
use wire::call_v1::EndReason;

use super::{
    Srs,
    dialog::{DialogKey, lock},
};
use crate::call::Peer;

/// How long the client may take to answer us. Media has been missing for long by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// The client of one dialog.
pub struct DialogPeer {
    srs: Weak<Srs>,
    key: DialogKey,
}

impl DialogPeer {
    /// The client of the dialog `key`.
    pub fn new(srs: Weak<Srs>, key: DialogKey) -> Self {
        Self { srs, key }
    }

    async fn ask(&self, method: Method, reason: Option<Header>) -> Option<StatusCode> {
        let srs = self.srs.upgrade()?;
        let dialog = srs.dialogs.get(&self.key)?;
        ask(&srs, &dialog, method, reason.into_iter().collect()).await
    }
}

/// How the other end of a dialog is reached.
pub(super) struct Way {
    /// The INVITE that made the dialog, our tag in its To header.
    pub invite: Request,
    /// The connection that its last request came by.
    pub connection: SipConnection,
}

/// A dialog within which we can ask something.
pub(super) trait Reachable {
    /// How its other end is reached by now.
    fn way(&self) -> Way;
    /// The number of our next request.
    fn next_cseq(&mut self) -> u32;
}

/// Sends a request without a body within a dialog and waits for its final answer.
pub(super) async fn ask<D: Reachable>(
    srs: &Srs,
    dialog: &Mutex<D>,
    method: Method,
    headers: Vec<Header>,
) -> Option<StatusCode> {
    let Way { invite, connection } = lock(dialog).way();
    let next_cseq = || lock(dialog).next_cseq();
    // Back the way the client's last request came: that passes every NAT and needs no DNS.
    let back = request(srs, method, &invite, next_cseq(), connection.transport(), headers.clone())?;
    let destination = connection.get_remote_addr().cloned();
    let is_stream = connection.is_reliable();
    match exchange(srs, back, Some(connection), destination).await {
        // The connection may be long gone while the client is there: a new one to its Contact.
        None | Some(StatusCode::ServiceUnavailable) if is_stream => {
            let anew = request(srs, method, &invite, next_cseq(), Transport::Tcp, headers)?;
            exchange(srs, anew, None, None).await
        }
        answer => answer,
    }
}

/// One client transaction, within [`PATIENCE`].
async fn exchange(
    srs: &Srs,
    request: Request,
    connection: Option<SipConnection>,
    destination: Option<SipAddr>,
) -> Option<StatusCode> {
    let key = TransactionKey::from_request(&request, TransactionRole::Client).ok()?;
    let mut transaction = Transaction::new_client(key, request, srs.endpoint.inner.clone(), connection);
    transaction.destination = destination;
    let answered = async {
        transaction.send().await.ok()?;
        loop {
            match transaction.receive().await? {
                SipMessage::Response(r) if r.status_code.kind() != StatusCodeKind::Provisional => {
                    return Some(r.status_code);
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.ok().flatten()
}

fn request(
    srs: &Srs,
    method: Method,
    invite: &Request,
    seq: u32,
    transport: Transport,
    headers: Vec<Header>,
) -> Option<Request> {
    // We were called: our From is the INVITE's To, and the other way round (RFC 3261, 12.2.1.1).
    let from = typed::From::parse(invite.to_header().ok()?.value()).ok()?;
    let to = typed::To::parse(invite.from_header().ok()?.value()).ok()?;
    let target = invite.contact_header().ok()?.typed().ok()?.uri;
    let inner = &srs.endpoint.inner;
    let via = inner.get_via(Some(SipAddr::new(transport, srs.address.into())), None).ok()?;
    let call_id = invite.call_id_header().ok()?.clone();
    let mut request = inner.make_request(method, target, via, from, to, seq, Some(call_id));
    // The record routes in their order are the way back (RFC 3261, section 12.1.1).
    let routes = invite.headers.iter().filter_map(|h| match h {
        Header::RecordRoute(route) => Some(Header::Route(route.value().into())),
        _ => None,
    });
    request.headers.extend(routes.chain(headers).collect());
    Some(request)
}

#[async_trait]
impl Peer for DialogPeer {
    async fn still_knows_the_call(&self) -> bool {
        match self.ask(Method::Options, None).await {
            // Any answer but "which call?" and those that stand for no answer shows that it lives.
            Some(status) => !matches!(u16::from(status), 404 | 408 | 410 | 480 | 481 | 503),
            None => false,
        }
    }

    async fn hang_up(&self, reason: EndReason) {
        let text = match reason {
            EndReason::Silent => "neither media nor signalling",
            EndReason::NoAck => "the answer was not acknowledged",
            _ => "the recorder stops",
        };
        let reason = Header::Other("Reason".to_owned(), format!("SIP;cause=503;text=\"{text}\""));
        let _ = self.ask(Method::Bye, Some(reason)).await;
        self.forget();
    }

    fn forget(&self) {
        if let Some(srs) = self.srs.upgrade() {
            srs.dialogs.remove(&self.key);
        }
    }
}
