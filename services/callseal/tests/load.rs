//! The load generator against a small SIP answerer on real sockets: what is said, what is sent, and
//! that the account of it is true to the byte.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    process::ExitCode,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use callseal::load::{
    self, Call, CallFailure, CallSpec, Client, ClientOptions, Codec, Impairments, LoadArgs, PartySpec,
    SipTransport,
};
use siprec::{Answer, Body, MediaDirection, Offer, OwnOrigin, RecordingMetadata, SipIdentities, who_is_who};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Answers each INVITE and keeps what it got.
#[derive(Default)]
struct Answerer {
    /// Status for INVITEs; 0: 200.
    refuse_with: u16,
    /// By stream, over all calls, in the order of the m-lines.
    rtp: Mutex<Vec<Arc<UdpSocket>>>,
    /// Whole requests.
    requests: Mutex<Vec<String>>,
}

impl Answerer {
    fn over_udp(refuse_with: u16) -> (Arc<Self>, SocketAddr) {
        let answerer = Arc::new(Self { refuse_with, ..Self::default() });
        let socket = UdpSocket::bind((LOCAL, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let own = Arc::clone(&answerer);
        thread::spawn(move || {
            let mut datagram = [0; 65_536];
            while let Ok((length, from)) = socket.recv_from(&mut datagram) {
                if let Some(response) = own.respond(&datagram[..length], address) {
                    socket.send_to(response.as_bytes(), from).unwrap();
                }
            }
        });
        (answerer, address)
    }

    fn over_tcp() -> (Arc<Self>, SocketAddr) {
        let answerer = Arc::new(Self::default());
        let listener = TcpListener::bind((LOCAL, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let own = Arc::clone(&answerer);
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut received = Vec::new();
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut piece) {
                received.extend_from_slice(&piece[..length]);
                while let Some(end) = end_of_message(&received) {
                    let message: Vec<u8> = received.drain(..end).collect();
                    if let Some(response) = own.respond(&message, address) {
                        stream.write_all(response.as_bytes()).unwrap();
                    }
                }
            }
        });
        (answerer, address)
    }

    fn respond(&self, message: &[u8], own: SocketAddr) -> Option<String> {
        let text = String::from_utf8(message.to_vec()).unwrap();
        let method = text.split(' ').next().unwrap().to_owned();
        let is_new = {
            let mut requests = self.requests.lock().unwrap();
            let is_new = !requests.contains(&text);
            requests.push(text.clone());
            is_new
        };
        if method == "ACK" {
            return None;
        }
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|l| l.split_once(':'));
            lines.find(|(n, _)| n.trim().eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned())
        };
        let refused = method == "INVITE" && self.refuse_with != 0;
        let status = if refused { format!("{} No", self.refuse_with) } else { "200 OK".to_owned() };
        let mut to = header("to").unwrap();
        if !to.contains("tag=") {
            to.push_str(";tag=srs");
        }
        let mut response = format!(
            "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:srs@{own}{}>;+sip.srs\r\n",
            header("via").unwrap(),
            header("from").unwrap(),
            header("call-id").unwrap(),
            header("cseq").unwrap(),
            if header("via").unwrap().contains("TCP") { ";transport=tcp" } else { "" },
        );
        let mut sdp = String::new();
        if method == "INVITE" && !refused {
            let body = Body::read(&header("content-type").unwrap(), body.as_bytes());
            let offer = Offer::parse(body.sdp.unwrap()).unwrap();
            let mut rtp = self.rtp.lock().unwrap();
            // A first INVITE has no tag in its To; a later one keeps the ports.
            if is_new && !header("to").unwrap().contains("tag=") {
                rtp.extend(offer.streams.iter().map(|_| Arc::new(UdpSocket::bind((LOCAL, 0)).unwrap())));
            }
            let first = rtp.len() - offer.streams.len();
            let ports: Vec<_> = rtp[first..].iter().map(|s| Some(s.local_addr().unwrap().port())).collect();
            sdp = Answer::to(&offer, LOCAL, &ports, OwnOrigin { id: 1, version: 1 }).to_sdp();
            response.push_str("Content-Type: application/sdp\r\n");
        }
        response.push_str(&format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len()));
        Some(response)
    }

    /// Reads all that a stream has received, until it has `datagrams`.
    fn received(&self, stream: usize, datagrams: u64) -> Vec<Vec<u8>> {
        let socket = Arc::clone(&self.rtp.lock().unwrap()[stream]);
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut received = Vec::new();
        let mut datagram = [0; 2048];
        while (received.len() as u64) < datagrams && Instant::now() < deadline {
            if let Ok(length) = socket.recv(&mut datagram) {
                received.push(datagram[..length].to_vec());
            }
        }
        received
    }

    fn request(&self, start: &str) -> String {
        let requests = self.requests.lock().unwrap();
        requests.iter().rev().find(|r| r.starts_with(start)).expect("such a request").clone()
    }
}

/// Head and as much body as Content-Length says.
fn end_of_message(received: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(received);
    let head = text.find("\r\n\r\n")?;
    let length = text[..head]
        .lines()
        .find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok())?;
    (received.len() >= head + 4 + length).then_some(head + 4 + length)
}

fn parties() -> (PartySpec, PartySpec) {
    (PartySpec::new("+4989999001", "Anna Anruferin"), PartySpec::new("+4930999002", "Bernd Berater"))
}

async fn client(server: SocketAddr, transport: SipTransport) -> Client {
    Client::start(ClientOptions::new(server, transport)).await.unwrap()
}

/// Puts the audio of RTP packets at their places; silence elsewhere.
fn lay_out(datagrams: &[Vec<u8>], first_timestamp: u32, packets: u32, silence: u8) -> Vec<u8> {
    let mut audio = vec![silence; packets as usize * 160];
    let by_place: BTreeMap<usize, &[u8]> = datagrams
        .iter()
        .map(|d| {
            let timestamp = u32::from_be_bytes(d[4..8].try_into().unwrap());
            (timestamp.wrapping_sub(first_timestamp) as usize, &d[12..])
        })
        .collect();
    for (place, payload) in by_place {
        audio[place..place + payload.len()].copy_from_slice(payload);
    }
    audio
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_udp_is_sent_and_accounted_for_to_the_byte() {
    let (answerer, server) = Answerer::over_udp(0);
    let client = client(server, SipTransport::Udp).await;
    let (caller, callee) = parties();
    let mut spec = CallSpec::speech(caller, callee);
    spec.call_id = Some("pbx-call-1".to_owned());
    spec.streams[0].impairments = Impairments {
        seed: 3,
        loss_percent: 5.0,
        reorder_percent: 5.0,
        duplicate_percent: 5.0,
        first_sequence: Some(65_530),
        ..Impairments::default()
    };
    spec.streams[1].codec = Codec::Pcmu;
    spec.streams[1].start_delay = Duration::from_millis(200);

    let started = Instant::now();
    let mut call = Call::invite(&client, spec).await.unwrap();
    call.play(Duration::from_secs(2)).await;
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(1950), "{took:?}");
    let report = call.bye().await.unwrap();

    assert_eq!(report.fault(), None);
    assert_eq!((report.streams[0].packets, report.streams[1].packets), (100, 90));
    assert!(!report.streams[0].lost.is_empty());
    for (index, stream) in report.streams.iter().enumerate() {
        let received = answerer.received(index, stream.datagrams);
        assert_eq!(received.len() as u64, stream.datagrams, "stream {index}");
        let delay = if index == 1 { 10 * 160 } else { 0 };
        let first = stream.first_timestamp.wrapping_add(delay);
        let audio = lay_out(&received, first, stream.packets, stream.codec.silence());
        assert!(audio == stream.expected_audio(), "stream {index} differs");
    }

    let invite = answerer.request("INVITE");
    assert!(invite.contains("Require: siprec\r\n") && invite.contains("X-Call-ID: pbx-call-1\r\n"));
    assert!(invite.contains(">;+sip.src\r\n"), "the feature tag is a parameter of the header:\n{invite}");
    let content_type = invite.lines().find_map(|l| l.strip_prefix("Content-Type: ")).unwrap();
    let body = Body::read(content_type, invite.split_once("\r\n\r\n").unwrap().1.as_bytes());
    let metadata = RecordingMetadata::parse(body.metadata.unwrap()).unwrap();
    let offer = Offer::parse(body.sdp.unwrap()).unwrap();
    let picture = who_is_who(&offer, &metadata.content, &SipIdentities::default());
    assert_eq!(picture.caller.number.expose(), "+4989999001");
    assert_eq!(picture.callee.name.expose(), "Bernd Berater");
    answerer.request("ACK");
    answerer.request("BYE");
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_resume_and_new_metadata_travel_in_the_dialog_over_tcp() {
    let (answerer, server) = Answerer::over_tcp();
    let client = client(server, SipTransport::Tcp).await;
    let (caller, callee) = parties();
    let mut call = Call::invite(&client, CallSpec::speech(caller, callee)).await.unwrap();
    call.play(Duration::from_millis(100)).await;
    assert_eq!(call.reinvite(MediaDirection::Inactive).await.unwrap(), 200);
    let held = answerer.request("INVITE");
    assert!(held.contains("a=inactive\r\n") && held.contains(";+sip.src\r\n"), "{held}");
    call.rest(Duration::from_millis(200)).await;
    assert_eq!(call.reinvite(MediaDirection::SendOnly).await.unwrap(), 200);
    assert_eq!(call.rename_callee(&PartySpec::new("+4930999003", "Carla")).await.unwrap(), 200);
    assert!(answerer.request("UPDATE").contains("<datamode>partial</datamode>"));
    call.play(Duration::from_millis(100)).await;
    let report = call.bye().await.unwrap();
    for (index, stream) in report.streams.iter().enumerate() {
        let received = answerer.received(index, stream.datagrams);
        let timestamp = |d: &[u8]| u32::from_be_bytes(d[4..8].try_into().unwrap());
        let gap = timestamp(&received[5]).wrapping_sub(timestamp(&received[4]));
        assert_eq!(gap, 11 * 160, "the clock went on while nothing was sent");
        assert_eq!(received[5][1] & 0x80, 0x80, "the first packet afterwards carries the marker");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_says_with_what() {
    let (_answerer, server) = Answerer::over_udp(503);
    let client = client(server, SipTransport::Udp).await;
    let (caller, callee) = parties();
    let failure = Call::invite(&client, CallSpec::speech(caller, callee)).await.err().expect("a refusal");
    assert!(matches!(failure, CallFailure::Rejected { status: 503, .. }), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_too_large_for_udp_is_not_sent() {
    let (answerer, server) = Answerer::over_udp(0);
    let client = client(server, SipTransport::Udp).await;
    let (caller, callee) = parties();
    let mut spec = CallSpec::speech(caller, callee);
    spec.streams[0].label = "x".repeat(4000);
    let failure = Call::invite(&client, spec).await.err().expect("a refusal");
    assert!(matches!(failure, CallFailure::TooLargeForUdp(_)), "{failure}");
    assert!(answerer.requests.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_metadata_from_and_to_name_the_parties() {
    let (answerer, server) = Answerer::over_udp(0);
    let client = client(server, SipTransport::Udp).await;
    let (caller, callee) = parties();
    let mut spec = CallSpec::speech(caller, callee);
    spec.with_metadata = false;
    let call = Call::invite(&client, spec).await.unwrap();
    call.bye().await.unwrap();
    let invite = answerer.request("INVITE");
    let headers = invite.split("\r\n\r\n").next().unwrap().lines().filter_map(|l| l.split_once(':'));
    let identities = SipIdentities::read(headers);
    assert_eq!(identities.from.unwrap().number.expose(), "+4989999001");
    assert_eq!(identities.to.unwrap().number.expose(), "+4930999002");
    assert!(invite.contains("Content-Type: application/sdp\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_places_all_its_calls_and_its_exit_code_tells() {
    let args = |srs: SocketAddr| LoadArgs {
        srs: srs.to_string(),
        calls: 5,
        seconds: 1,
        transport: SipTransport::Udp,
        rate: 50.0,
        streams: 3,
        tenant_domain: Some("acme.example".to_owned()),
        loss: 0.0,
        json: true,
    };
    let (answerer, server) = Answerer::over_udp(0);
    assert_eq!(load::run(args(server)).await.unwrap(), ExitCode::SUCCESS);
    assert!(answerer.request("INVITE").starts_with("INVITE sip:srs@acme.example "));
    let received: usize = (0..15).map(|stream| answerer.received(stream, 50).len()).sum();
    assert_eq!(received, 15 * 50);
    let (_answerer, refusing) = Answerer::over_udp(488);
    assert_eq!(load::run(args(refusing)).await.unwrap(), ExitCode::FAILURE);
}
