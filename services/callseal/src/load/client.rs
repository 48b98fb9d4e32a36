//! The SIP side of the recording client: one endpoint, on one port, for all calls.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
    time::Duration,
};

use rsipstack::{
    EndpointBuilder,
    dialog::{dialog::DialogState, dialog_layer::DialogLayer},
    sip::{self, Header, Method, Param, SipMessage, StatusCode, Transport, Uri},
    transaction::{Endpoint, Transaction, TransactionReceiver, endpoint::MessageInspector},
    transport::{SipAddr, TcpListenerConnection, TransportLayer, udp::UdpConnection},
};
use tokio_util::sync::CancellationToken;

use super::pacer::Pacer;

/// How SIP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SipTransport {
    /// Datagrams: what fits into 8 KB.
    Udp,
    /// One connection for all calls.
    Tcp,
}

impl fmt::Display for SipTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

/// Where the recorder is and how it is spoken to.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The recorder's SIP address.
    pub server: SocketAddr,
    /// UDP or TCP.
    pub transport: SipTransport,
    /// Our own address; `None`: the one that the system would use towards the recorder.
    pub local: Option<IpAddr>,
    /// Host of the request URI, by which the recorder finds the tenant; `None`: the recorder's address.
    pub request_host: Option<String>,
}

impl ClientOptions {
    /// Options for a recorder at `server`, with everything else as usual.
    pub fn new(server: SocketAddr, transport: SipTransport) -> Self {
        Self { server, transport, local: None, request_host: None }
    }
}

/// A running recording client. Ends with [`shut_down`](Self::shut_down) or when dropped.
pub struct Client {
    pub(super) dialogs: Arc<DialogLayer>,
    pub(super) server: SipAddr,
    pub(super) transport: SipTransport,
    pub(super) local: IpAddr,
    pub(super) contact: Uri,
    pub(super) request_host: sip::HostWithPort,
    pub(super) pacer: Pacer,
    cancel: CancellationToken,
}

impl Client {
    /// Opens the SIP port and starts the media thread.
    ///
    /// # Errors
    /// If the system gives no socket or thread, or the request host is none.
    pub async fn start(options: ClientOptions) -> anyhow::Result<Self> {
        let local = match options.local {
            Some(local) => local,
            None => address_towards(options.server)?,
        };
        let cancel = CancellationToken::new();
        let layer = TransportLayer::new(cancel.clone());
        let kind = match options.transport {
            SipTransport::Udp => {
                let own = SocketAddr::new(local, 0);
                layer.add_transport(
                    UdpConnection::create_connection(own, None, Some(cancel.child_token())).await?.into(),
                );
                Transport::Udp
            }
            SipTransport::Tcp => {
                // The stack wants to know the port before it binds it.
                let own = TcpListener::bind((local, 0))?.local_addr()?;
                layer.add_transport(TcpListenerConnection::new(own, None).await?.into());
                Transport::Tcp
            }
        };
        let endpoint = EndpointBuilder::new()
            .with_cancel_token(cancel.clone())
            .with_transport_layer(layer)
            .with_user_agent(concat!("callseal-load/", env!("CARGO_PKG_VERSION")))
            .with_inspector(Box::new(RecordingClientContact))
            .build();
        let contact = contact(&endpoint, kind)?;
        let dialogs = Arc::new(DialogLayer::new(endpoint.inner.clone()));
        tokio::spawn(serve_requests(endpoint.incoming_transactions()?, Arc::clone(&dialogs)));
        tokio::spawn(async move { endpoint.serve().await });
        let request_host = match options.request_host {
            Some(host) => sip::HostWithPort::try_from(host)?,
            None => options.server.into(),
        };
        let server = SipAddr::new(kind, options.server.into());
        let pacer = Pacer::start()?;
        let transport = options.transport;
        Ok(Self { dialogs, server, transport, local, contact, request_host, pacer, cancel })
    }

    /// How late an RTP packet was sent at worst.
    pub fn worst_pacing_delay(&self) -> Duration {
        self.pacer.worst_delay()
    }

    /// Closes the SIP port. Calls that were not hung up are left to the recorder.
    pub fn shut_down(&self) {
        self.cancel.cancel();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// The own address that the system would use to reach `server`; nothing is sent.
fn address_towards(server: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if server.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    let probe = UdpSocket::bind((any, 0))?;
    probe.connect(server)?;
    Ok(probe.local_addr()?.ip())
}

fn contact(endpoint: &Endpoint, kind: Transport) -> anyhow::Result<Uri> {
    let own = endpoint.get_addrs().into_iter().next().ok_or_else(|| anyhow::anyhow!("no SIP socket"))?;
    // A Contact that names its transport is taken as it is.
    let params = if kind == Transport::Udp { Vec::new() } else { vec![Param::Transport(kind)] };
    Ok(Uri {
        scheme: Some(sip::Scheme::Sip),
        auth: Some(sip::Auth { user: "src".to_owned(), password: None }),
        host_with_port: own.addr,
        params,
        headers: Vec::new(),
    })
}

/// Adds the feature tag of a recording client (RFC 7866 § 6.1.1) to the Contact of what is sent: the
/// stack's own Contact has no room for header parameters.
struct RecordingClientContact;

impl MessageInspector for RecordingClientContact {
    fn before_send(&self, mut message: SipMessage, _: Option<&SipAddr>) -> SipMessage {
        if let SipMessage::Request(request) = &mut message
            && matches!(request.method, Method::Invite | Method::Update)
        {
            for header in request.headers.iter_mut() {
                if let Header::Contact(contact) = header
                    && !contact.value().contains("+sip.src")
                {
                    contact.replace(format!("{};+sip.src", contact.value()));
                }
            }
        }
        message
    }

    fn after_received(&self, message: SipMessage, _: Option<&SipAddr>) -> SipMessage {
        message
    }
}

/// What the recorder asks of its own accord: BYE and UPDATE within calls, OPTIONS outside.
async fn serve_requests(mut requests: TransactionReceiver, dialogs: Arc<DialogLayer>) {
    while let Some(request) = requests.recv().await {
        tokio::spawn(serve_request(request, Arc::clone(&dialogs)));
    }
}

async fn serve_request(mut request: Transaction, dialogs: Arc<DialogLayer>) {
    let outcome = match dialogs.match_dialog(&request) {
        Some(mut dialog) => Box::pin(dialog.handle(&mut request)).await,
        None if request.original.method == Method::Options => request.reply(StatusCode::OK).await,
        None if request.original.method == Method::Ack => Ok(()),
        None => request.reply(StatusCode::CallTransactionDoesNotExist).await,
    };
    if let Err(error) = outcome {
        // Its text may hold addresses.
        tracing::debug!(%error, "a request of the recorder could not be answered");
    }
}

/// Answers what the stack leaves to the application; true if the dialog has ended.
pub(super) async fn follow(state: DialogState) -> bool {
    let request = match state {
        DialogState::Terminated(..) => return true,
        DialogState::Updated(_, _, handle)
        | DialogState::Info(_, _, handle)
        | DialogState::Options(_, _, handle)
        | DialogState::Notify(_, _, handle)
        | DialogState::Message(_, _, handle) => handle,
        _ => return false,
    };
    // The transaction may be over already.
    let _ = request.reply(StatusCode::OK).await;
    false
}
