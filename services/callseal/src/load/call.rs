//! One recording call: INVITE, speech, BYE, and the account of it.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use domain::Side;
use rsipstack::{
    dialog::{dialog::DialogStateReceiver, invitation::InviteOption, invite_dialog::InviteDialog},
    sip::{self, Header, Response, StatusCodeKind, Uri},
};
use siprec::{
    DataMode, MediaDirection, Offer, OwnOrigin, Payload,
    writer::{RecordingRequest, WrittenParticipant, WrittenStream},
};

use super::{
    CallReport, CallSpec, Client, Codec, PartySpec, SipTransport, StreamReport, StreamSpec, client,
    pacer::{Sender, lock},
    rtp::RtpSource,
};

/// Below the 8192 bytes at which receivers cut a datagram, with room for a proxy's headers.
const MAX_UDP_BODY_BYTES: usize = 6500;

/// Why a call did not come about or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum CallFailure {
    /// A final response other than 2xx.
    #[error("the recorder refused the call: {status} {reason}")]
    Rejected {
        /// SIP status code.
        status: u16,
        /// The status line's text.
        reason: String,
    },
    /// No final response in time.
    #[error("the recorder did not answer")]
    NoAnswer,
    /// The 200 has no SDP, or not one line for each of ours.
    #[error("the recorder's answer has no usable SDP")]
    BadAnswer,
    /// A stream without audio cannot be played.
    #[error("a stream of the call has no audio")]
    NoAudio,
    /// The INVITE would be cut on the way.
    #[error("the INVITE's body has {0} bytes, too many for SIP over UDP: use TCP")]
    TooLargeForUdp(usize),
    /// No socket for RTP.
    #[error("no socket for RTP could be opened")]
    Socket(#[from] io::Error),
    /// The SIP stack gave up.
    #[error("the SIP stack could not carry out the request")]
    Sip(#[source] Box<rsipstack::Error>),
}

impl From<rsipstack::Error> for CallFailure {
    fn from(error: rsipstack::Error) -> Self {
        Self::Sip(Box::new(error))
    }
}

/// A call that was answered. Dropped without [`bye`](Self::bye) it just falls silent.
pub struct Call<'a> {
    client: &'a Client,
    dialog: InviteDialog,
    request: RecordingRequest,
    legs: Vec<Leg>,
    /// Set when the recorder hung up.
    ended: Arc<AtomicBool>,
    answered_after: Duration,
}

struct Leg {
    spec: StreamSpec,
    sender: Arc<Mutex<Sender>>,
    is_refused: bool,
}

impl<'a> Call<'a> {
    /// Places a call and waits for its answer.
    ///
    /// # Errors
    /// If it is refused or not answered, or cannot be sent.
    pub async fn invite(client: &'a Client, spec: CallSpec) -> Result<Self, CallFailure> {
        let mut sockets = Vec::with_capacity(spec.streams.len());
        for stream in &spec.streams {
            if stream.audio.is_empty() {
                return Err(CallFailure::NoAudio);
            }
            sockets.push(UdpSocket::bind((client.local, 0))?);
        }
        let request = recording_request(client, &spec, &sockets)?;
        let invite = invite_option(client, &spec, &request)?;
        let (states, receiver) = client.dialogs.new_dialog_state_channel();
        let started = Instant::now();
        let (dialog, response) = Box::pin(client.dialogs.do_invite(invite, states)).await?;
        let answered_after = started.elapsed();
        let answer = accepted(response)?;
        let ended = Arc::new(AtomicBool::new(false));
        tokio::spawn(follow(receiver, Arc::clone(&ended)));
        let call = |legs| Self { client, dialog, request, legs, ended, answered_after };
        match legs(spec.streams, sockets, &answer) {
            Ok(legs) => Ok(call(legs)),
            Err(failure) => {
                // Answered nonetheless: it must not stay.
                let _ = call(Vec::new()).bye().await;
                Err(failure)
            }
        }
    }

    /// Sends all streams for `duration`, in real time. Returns earlier if the recorder hangs up.
    pub async fn play(&mut self, duration: Duration) {
        let packets = packets_in(duration);
        let playing: Vec<_> = self
            .legs
            .iter()
            .filter(|leg| !leg.is_refused)
            .map(|leg| self.client.pacer.play(Arc::clone(&leg.sender), packets, Arc::clone(&self.ended)))
            .collect();
        for finished in playing {
            // An error means that the pacer is gone, and nothing more will be sent.
            let _ = finished.await;
        }
    }

    /// Sends nothing for `duration` while the media clock goes on, as on hold.
    pub async fn rest(&mut self, duration: Duration) {
        tokio::time::sleep(duration).await;
        for leg in &self.legs {
            lock(&leg.sender).source.skip(packets_in(duration));
        }
    }

    /// Holds (`inactive`) or resumes (`sendonly`) all streams by a re-INVITE; gives the status.
    ///
    /// # Errors
    /// If there is no final response.
    pub async fn reinvite(&mut self, direction: MediaDirection) -> Result<u16, CallFailure> {
        self.request.origin.version += 1;
        for stream in &mut self.request.streams {
            stream.direction = direction;
        }
        let (content_type, body) = self.request.body(DataMode::Complete);
        let headers = vec![Header::ContentType(content_type.into())];
        let response = Box::pin(self.dialog.reinvite(Some(headers), Some(body))).await?;
        response.map(|r| r.status_code.code()).ok_or(CallFailure::NoAnswer)
    }

    /// Tells the recorder by UPDATE, with metadata alone, that the call's second participant is now
    /// somebody else; gives the status.
    ///
    /// # Errors
    /// If there is no final response.
    pub async fn rename_callee(&mut self, callee: &PartySpec) -> Result<u16, CallFailure> {
        if let Some(participant) = self.request.participants.get_mut(1) {
            participant.aor = callee.aor().into();
            participant.name = callee.name.clone();
        }
        let headers = vec![
            Header::ContentType("application/rs-metadata+xml".into()),
            Header::ContentDisposition("recording-session".into()),
        ];
        let body = self.request.metadata(DataMode::Partial).into_bytes();
        let response = Box::pin(self.dialog.update(Some(headers), Some(body))).await?;
        response.map(|r| r.status_code.code()).ok_or(CallFailure::NoAnswer)
    }

    /// The SIP Call-ID of the recording session.
    pub fn sip_call_id(&self) -> String {
        self.dialog.id().call_id
    }

    /// True if the recorder hung up.
    pub fn was_ended_by_recorder(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Hangs up and gives the account.
    ///
    /// # Errors
    /// If the recorder does not answer the BYE.
    pub async fn bye(self) -> Result<CallReport, CallFailure> {
        for leg in &self.legs {
            let mut sender = lock(&leg.sender);
            for datagram in sender.source.flush() {
                sender.send(&datagram);
            }
        }
        let was_ended_by_recorder = self.was_ended_by_recorder();
        let started = Instant::now();
        let outcome = Box::pin(self.dialog.bye()).await;
        let bye_after = started.elapsed();
        // The stack keeps dialogs until it is told.
        self.client.dialogs.remove_dialog(&self.dialog.id());
        outcome?;
        Ok(self.report(bye_after, was_ended_by_recorder))
    }

    /// Falls silent without a BYE, as a PBX that lost its power; gives the account.
    pub fn abandon(self) -> CallReport {
        self.client.dialogs.remove_dialog(&self.dialog.id());
        self.report(Duration::ZERO, false)
    }

    fn report(&self, bye_after: Duration, was_ended_by_recorder: bool) -> CallReport {
        let streams = self.legs.iter().map(|leg| {
            let account = lock(&leg.sender).source.account().clone();
            StreamReport {
                label: leg.spec.label.clone(),
                side: leg.spec.side,
                codec: leg.spec.codec,
                audio: Arc::clone(&leg.spec.audio),
                is_refused: leg.is_refused,
                packets: account.packets,
                lost: account.lost,
                datagrams: account.datagrams,
                payload_bytes: account.payload_bytes,
                send_errors: account.send_errors,
                first_timestamp: account.first_timestamp,
            }
        });
        CallReport {
            sip_call_id: self.sip_call_id(),
            streams: streams.collect(),
            answered_after: self.answered_after,
            bye_after,
            was_ended_by_recorder,
        }
    }
}

fn packets_in(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis() / 20).unwrap_or(u32::MAX)
}

fn recording_request(
    client: &Client,
    spec: &CallSpec,
    sockets: &[UdpSocket],
) -> io::Result<RecordingRequest> {
    let party = |p: &PartySpec| WrittenParticipant { aor: p.aor().into(), name: p.name.clone() };
    let mut streams = Vec::with_capacity(sockets.len());
    for (stream, socket) in spec.streams.iter().zip(sockets) {
        let codec = match stream.codec {
            Codec::Pcma => Payload::pcma(),
            Codec::Pcmu => Payload::pcmu(),
        };
        streams.push(WrittenStream {
            label: stream.label.clone(),
            port: socket.local_addr()?.port(),
            direction: MediaDirection::SendOnly,
            payloads: vec![codec, Payload::telephone_event()],
            sender: if stream.side == Side::Caller { 0 } else { 1 },
        });
    }
    Ok(RecordingRequest {
        // Positive for those who read it as a signed number.
        origin: OwnOrigin { id: rand::random::<u64>() >> 2, version: 1 },
        address: client.local,
        start: jiff::Timestamp::now(),
        sip_session_id: String::new(),
        participants: vec![party(&spec.caller), party(&spec.callee)],
        streams,
    })
}

fn invite_option(
    client: &Client,
    spec: &CallSpec,
    request: &RecordingRequest,
) -> Result<InviteOption, CallFailure> {
    let (content_type, body) = if spec.with_metadata {
        request.body(DataMode::Complete)
    } else {
        ("application/sdp".to_owned(), request.sdp().into_bytes())
    };
    if client.transport == SipTransport::Udp && body.len() > MAX_UDP_BODY_BYTES {
        return Err(CallFailure::TooLargeForUdp(body.len()));
    }
    let mut headers = vec![
        Header::Require("siprec".into()),
        Header::Accept("application/sdp, application/rs-metadata-request".into()),
    ];
    headers.extend(spec.call_id.iter().map(|id| Header::Other("X-Call-ID".to_owned(), id.clone())));
    headers.extend(spec.headers.iter().map(|(name, value)| Header::Other(name.clone(), value.clone())));
    let uri = |user: &str| Uri {
        scheme: Some(sip::Scheme::Sip),
        auth: Some(sip::Auth { user: user.to_owned(), password: None }),
        host_with_port: client.request_host.clone(),
        ..Uri::default()
    };
    let (caller_display_name, caller, callee) = if spec.with_metadata {
        (None, client.contact.clone(), uri("srs"))
    } else {
        let name = spec.caller.name.expose().replace(['"', '\\'], "");
        (Some(format!("\"{name}\"")), uri(spec.caller.number.expose()), uri(spec.callee.number.expose()))
    };
    Ok(InviteOption {
        caller_display_name,
        caller,
        callee,
        destination: Some(client.server.clone()),
        content_type: Some(content_type),
        offer: Some(body),
        contact: client.contact.clone(),
        headers: Some(headers),
        ..InviteOption::default()
    })
}

/// The SDP of a 2xx response.
fn accepted(response: Option<Response>) -> Result<Vec<u8>, CallFailure> {
    let response = response.ok_or(CallFailure::NoAnswer)?;
    if response.status_code.kind() == StatusCodeKind::Successful {
        return Ok(response.body);
    }
    let status = response.status_code.code();
    let reason = response.reason_phrase().unwrap_or_default().to_owned();
    Err(CallFailure::Rejected { status, reason })
}

fn legs(specs: Vec<StreamSpec>, sockets: Vec<UdpSocket>, answer: &[u8]) -> Result<Vec<Leg>, CallFailure> {
    let answer = Offer::parse(answer).map_err(|_| CallFailure::BadAnswer)?;
    if answer.streams.len() != specs.len() {
        return Err(CallFailure::BadAnswer);
    }
    let legs = specs.into_iter().zip(sockets).zip(&answer.streams).map(|((spec, socket), answered)| {
        let address = answered.address.ok_or(CallFailure::BadAnswer)?;
        socket.set_nonblocking(true)?;
        let delay = packets_in(spec.start_delay);
        let source = RtpSource::new(spec.codec, Arc::clone(&spec.audio), delay, &spec.impairments);
        let to = SocketAddr::new(address, answered.rtp_port);
        let is_refused = answered.rtp_port == 0;
        Ok(Leg { spec, sender: Arc::new(Mutex::new(Sender { socket, to, source })), is_refused })
    });
    legs.collect()
}

async fn follow(mut states: DialogStateReceiver, ended: Arc<AtomicBool>) {
    while let Some(state) = states.recv().await {
        if client::follow(state).await {
            ended.store(true, Ordering::Relaxed);
            return;
        }
    }
}
