//! Our own requests within a recording session: to ask whether the client is there, and to end it.

use std::{sync::Weak, time::Duration};

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

    /// Sends a request without a body and waits for its final answer.
    async fn ask(&self, method: Method, reason: Option<Header>) -> Option<StatusCode> {
        let srs = self.srs.upgrade()?;
        let shared = srs.dialogs.get(&self.key)?;
        let (request, connection) = {
            let mut dialog = lock(&shared);
            dialog.our_cseq += 1;
            let request = request(&srs, method, &dialog.invite, dialog.our_cseq, &dialog.connection)?;
            (request, dialog.connection.clone())
        };
        let mut request = request;
        request.headers.extend(reason.into_iter().collect());
        let key = TransactionKey::from_request(&request, TransactionRole::Client).ok()?;
        // Back the way the client's last request came: it passes every NAT and needs no DNS.
        let destination = connection.get_remote_addr().cloned();
        let mut transaction =
            Transaction::new_client(key, request, srs.endpoint.inner.clone(), Some(connection));
        transaction.destination = destination;
        let exchange = async {
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
        tokio::time::timeout(PATIENCE, exchange).await.ok().flatten()
    }
}

fn request(
    srs: &Srs,
    method: Method,
    invite: &Request,
    seq: u32,
    connection: &SipConnection,
) -> Option<Request> {
    // We were called: our From is the INVITE's To, and the other way round (RFC 3261, 12.2.1.1).
    let from = typed::From::parse(invite.to_header().ok()?.value()).ok()?;
    let to = typed::To::parse(invite.from_header().ok()?.value()).ok()?;
    let target = invite.contact_header().ok()?.typed().ok()?.uri;
    let inner = &srs.endpoint.inner;
    let transport = if connection.is_reliable() { Transport::Tcp } else { Transport::Udp };
    let ours =
        SipAddr::new(transport, std::net::SocketAddr::new(srs.address.ip(), srs.address.port()).into());
    let via = inner.get_via(Some(ours), None).ok()?;
    let call_id = invite.call_id_header().ok()?.clone();
    let mut request = inner.make_request(method, target, via, from, to, seq, Some(call_id));
    // The client's record routes, last one first, are the way back (RFC 3261, 12.1.1: same order for
    // the side that was called).
    let routes = invite.headers.iter().filter_map(|h| match h {
        Header::RecordRoute(route) => Some(Header::Route(route.value().into())),
        _ => None,
    });
    request.headers.extend(routes.collect());
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
