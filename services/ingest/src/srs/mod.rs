//! The signalling side: SIP over UDP and TCP.
//!
//! Only rsipstack's transports and transactions are used; the dialogs are ours. A recorder's dialogs
//! are simple, and must survive what a general layer treats as fatal: a missing ACK while media
//! comes, gaps in CSeq, a TCP connection that a malformed message closed.
//!
//! Each request is answered by a function that does not wait for anything ([`Srs::answer`]), in the
//! order in which requests came; sending the answer and retransmitting it is a task of its own.

mod consent;
mod datagram;
mod dialog;
mod in_dialog;
mod invite;
pub mod listen;
mod peer;
mod reply;
mod request;

use std::{
    net::{IpAddr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::resources::Resources;
use rsipstack::{
    EndpointBuilder,
    sip::{Header, HeadersExt, Method, SipMessage, StatusCode},
    transaction::{Endpoint, Transaction, endpoint::EndpointOption},
    transport::{SipConnection, TransportLayer},
};
use tokio_util::sync::CancellationToken;

use crate::{call::Calls, consent::ConsentCalls, metrics::Metrics};
use consent::ConsentDialogs;
use dialog::Dialogs;
use listen::Listening;
use reply::Reply;
use request::Incoming;

/// Where the resources in force are looked up.
pub type ResourcesInForce = Arc<dyn Fn() -> Arc<Resources> + Send + Sync>;

/// How signalling behaves.
#[derive(Debug, Clone)]
pub struct SrsOptions {
    /// Our address in SDP and Contact; else the one that the client reaches us by.
    pub advertise: Option<IpAddr>,
    /// T1 of RFC 3261: the estimated round trip.
    pub t1: Duration,
}

/// The session recording server's SIP side.
pub struct Srs {
    endpoint: Endpoint,
    dialogs: Dialogs,
    calls: Arc<Calls>,
    consent_dialogs: ConsentDialogs,
    consent_calls: Arc<ConsentCalls>,
    resources: ResourcesInForce,
    options: SrsOptions,
    address: SocketAddr,
    draining: AtomicBool,
    metrics: Metrics,
    broken: CancellationToken,
}

impl Srs {
    /// Begins to answer on the sockets of `listening`. `stop` ends it at once: drain first.
    ///
    /// # Errors
    /// The SIP stack refuses to start.
    pub async fn start(
        listening: Listening,
        calls: Arc<Calls>,
        consent_calls: Arc<ConsentCalls>,
        resources: ResourcesInForce,
        options: SrsOptions,
        stop: CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        let metrics = calls.metrics.clone();
        let transports = TransportLayer::new(stop.clone());
        // Calls outlast silent connections; dead ones are found by TCP keep-alive.
        transports.set_stream_idle_timeout(Duration::ZERO);
        transports.add_transport(
            listen::udp_transport(listening.udp, metrics.sip_malformed.clone(), stop.clone()).await?,
        );
        let endpoint = EndpointBuilder::new()
            .with_user_agent(concat!("Callseal/", env!("CARGO_PKG_VERSION")))
            .with_cancel_token(stop.clone())
            .with_option(EndpointOption {
                t1: options.t1,
                t1x64: options.t1 * 64,
                ..EndpointOption::default()
            })
            .with_transport_layer(transports)
            .build();
        let mut requests = endpoint.incoming_transactions()?;
        let inner = endpoint.inner.clone();
        tokio::spawn(listen::accept(listening.tcp, listening.address, inner.clone(), stop.clone()));
        let broken = CancellationToken::new();
        let tell = broken.clone().drop_guard();
        tokio::spawn(async move {
            // Dropped by a panic too.
            let _tell = tell;
            inner.serve().await
        });
        let address = listening.address;
        let draining = AtomicBool::new(false);
        let srs = Arc::new(Self {
            endpoint,
            dialogs: Dialogs::default(),
            calls,
            consent_dialogs: ConsentDialogs::default(),
            consent_calls,
            resources,
            options,
            address,
            draining,
            metrics,
            broken,
        });
        let pump = srs.clone();
        tokio::spawn(async move {
            loop {
                let transaction = tokio::select! {
                    transaction = requests.recv() => transaction,
                    () = stop.cancelled() => return,
                };
                let Some(transaction) = transaction else { return };
                // A request that makes us panic must cost its sender alone.
                let reply =
                    catch_unwind(AssertUnwindSafe(|| pump.answer(&transaction))).unwrap_or_else(|_| {
                        tracing::error!("a request was answered 500: please report this as a bug");
                        Reply::new(StatusCode::ServerInternalError)
                    });
                tokio::spawn(send(transaction, reply));
            }
        });
        Ok(srs)
    }

    /// Waits for what should never be: the SIP stack has stopped by itself.
    pub async fn broken(&self) {
        self.broken.cancelled().await;
    }

    /// From now on new calls are sent elsewhere; those that live go on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn resources(&self) -> Arc<Resources> {
        (self.resources)()
    }

    fn answer(self: &Arc<Self>, transaction: &Transaction) -> Reply {
        let Some(connection) = &transaction.connection else {
            return Reply::new(StatusCode::ServerInternalError);
        };
        let incoming = Incoming { request: &transaction.original, connection };
        let method = transaction.original.method;
        let reply = if incoming.is_cut() {
            self.metrics.sip_malformed.inc();
            Reply::refusal(StatusCode::MessageTooLarge, "the message is too large for UDP: use TCP")
        } else if let Some(our_tag) = incoming.to_tag() {
            self.in_consent_dialog(&incoming, &our_tag).unwrap_or_else(|| self.in_dialog(&incoming, our_tag))
        } else {
            match method {
                Method::Invite => self.invite(&incoming),
                Method::Options if self.is_draining() => Reply::overloaded("this recorder is being stopped"),
                Method::Options => Reply::ok().with_abilities(),
                Method::Bye | Method::Update | Method::Info | Method::PRack => {
                    Reply::new(StatusCode::CallTransactionDoesNotExist)
                }
                _ => Reply::refusal(StatusCode::MethodNotAllowed, "this is a session recording server")
                    .with("Allow", reply::ALLOW),
            }
        };
        if method == Method::Invite && u16::from(reply.status.clone()) >= 300 {
            let status = u16::from(reply.status.clone());
            self.metrics.refused.with_label_values(&[status.to_string()]).inc();
            tracing::warn!(status, source = %incoming.source().ip(), why = reply.why(), "an INVITE was refused");
        }
        reply
    }

    /// Our Contact in a recording session (RFC 7866, section 6.2).
    fn contact(&self, address: IpAddr, connection: &SipConnection) -> String {
        let at = SocketAddr::new(address, self.address.port());
        let transport = if connection.is_reliable() { ";transport=tcp" } else { "" };
        format!("<sip:callseal@{at}{transport}>;+sip.srs")
    }
}

/// Sends an answer and stays until the transaction is over: answers to INVITE are retransmitted
/// until they are acknowledged.
async fn send(mut transaction: Transaction, reply: Reply) {
    let Reply { status, mut headers, sdp, to_tag, acknowledged: mut tell } = reply;
    let is_invite = transaction.original.method == Method::Invite;
    if let (Some(tag), Ok(to)) = (to_tag, transaction.original.to_header().cloned()) {
        transaction.original.headers.unique_push(Header::To(to.with_tag(tag.into())));
    }
    headers.retain(|h| !h.value().is_empty());
    if transaction.reply_with(status, headers, sdp.map(String::into_bytes)).await.is_err() {
        // The connection is gone: the client repeats its request over another one, or the reaper
        // ends the call. Media may be coming already.
        // The error's text holds the Call-ID.
        tracing::warn!("an answer could not be sent: the connection is gone");
    }
    if !is_invite {
        return;
    }
    while let Some(message) = transaction.receive().await {
        if matches!(&message, SipMessage::Request(request) if request.method == Method::Ack)
            && let Some(tell) = tell.take()
        {
            tell(true);
        }
    }
    if let Some(tell) = tell {
        tell(false);
    }
}
