//! A recording session as a PBX begins it: two parties, and the test speaks for both.

use std::{net::SocketAddr, sync::atomic::AtomicU64, sync::atomic::Ordering};

use anyhow::ensure;
use harness::{
    rtp::{RtpSender, noise},
    sip_by_hand::{Content, SIPREC, SipByHand},
    sipp::Transport,
};
use siprec::{
    DataMode, MediaDirection, OwnOrigin, Payload,
    writer::{RecordingRequest, WrittenParticipant, WrittenStream},
};

/// Somebody outside.
pub const OUTSIDE: &str = "+4989999000051";

/// Whatever is said is unlike all that was said before.
static SAID: AtomicU64 = AtomicU64::new(1);

/// A call that is about to be recorded.
#[derive(Debug, Clone)]
pub struct Dialled {
    /// Who calls.
    pub caller: String,
    /// Who is called.
    pub callee: String,
    /// The PBX's id of the call.
    pub call_id: String,
    /// Further headers of the INVITE, each with its line end.
    pub headers: String,
    /// Host in the To header, by which a tenant is known; empty: the recorder's own.
    pub domain: String,
}

/// What one side said; the other side said something else.
pub type Speech = Vec<u8>;

/// A session that goes on.
pub struct Leg {
    client: SipByHand,
    pub caller: RtpSender,
    pub callee: RtpSender,
}

impl Dialled {
    /// Somebody outside calls a user.
    pub fn inbound(callee: &str, call_id: &str) -> Self {
        Self {
            caller: OUTSIDE.to_owned(),
            callee: callee.to_owned(),
            call_id: call_id.to_owned(),
            headers: String::new(),
            domain: String::new(),
        }
    }

    /// A user calls somebody outside.
    pub fn outbound(caller: &str, call_id: &str) -> Self {
        Self { caller: caller.to_owned(), callee: OUTSIDE.to_owned(), ..Self::inbound(caller, call_id) }
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// At another tenant's domain.
    pub fn at(self, domain: &str) -> Self {
        Self { domain: domain.to_owned(), ..self }
    }

    /// Begins the session, over UDP and TCP by turns.
    pub async fn begin(&self, srs: SocketAddr) -> anyhow::Result<Leg> {
        let number = SAID.fetch_add(1, Ordering::Relaxed);
        let transport = if number.is_multiple_of(2) { Transport::Udp } else { Transport::Tcp };
        let mut client = SipByHand::new(srs, transport).await?;
        if !self.domain.is_empty() {
            client.to = format!("<sip:srs@{}>", self.domain);
        }
        let party = |number: &str| WrittenParticipant {
            aor: format!("sip:{number}@pbx.invalid;user=phone").into(),
            name: String::new().into(),
        };
        let stream = |label: &str, sender| WrittenStream {
            label: label.to_owned(),
            port: 9,
            direction: MediaDirection::SendOnly,
            payloads: vec![Payload::pcma(), Payload::telephone_event()],
            sender,
        };
        let request = RecordingRequest {
            origin: OwnOrigin { id: number, version: 1 },
            address: [127, 0, 0, 1].into(),
            start: jiff::Timestamp::now(),
            sip_session_id: String::new(),
            participants: vec![party(&self.caller), party(&self.callee)],
            streams: vec![stream("1", 0), stream("2", 1)],
        };
        let content = Content::both(&request.sdp(), &request.metadata(DataMode::Complete));
        let headers = format!("{SIPREC}X-Call-ID: {}\r\n{}", self.call_id, self.headers);
        let answer = client.invite(&headers, &content).await?;
        ensure!(answer.status() == 200, "INVITE: {}", answer.head);
        let ports = answer.ports();
        ensure!(ports.len() == 2 && !ports.contains(&0), "the ports are {ports:?}");
        let sender = async |port| RtpSender::new(([127, 0, 0, 1], port).into(), 8).await;
        Ok(Leg { client, caller: sender(ports[0]).await?, callee: sender(ports[1]).await? })
    }
}

impl Leg {
    /// Both sides speak for so many packets of 20 ms; returns what each said.
    pub async fn speak(&mut self, packets: usize) -> anyhow::Result<[Speech; 2]> {
        let number = SAID.fetch_add(2, Ordering::Relaxed) + 1_000_000;
        let said = [noise(number, packets), noise(number + 1, packets)];
        tokio::try_join!(self.caller.play(&said[0]), self.callee.play(&said[1]))?;
        Ok(said)
    }

    /// The PBX ends the session.
    pub async fn end(mut self) -> anyhow::Result<()> {
        self.client.bye().await
    }
}
