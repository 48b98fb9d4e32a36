//! A recording client that writes SIP by hand, so that it can write it wrong too.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};

use super::rig::PATIENCE;

pub enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream, Vec<u8>),
}

/// One dialog of a client.
pub struct Client {
    pub wire: Wire,
    pub call_id: String,
    pub from: String,
    pub to: String,
    pub cseq: u32,
    server: SocketAddr,
    local: SocketAddr,
    branch: u32,
}

/// A SIP message that came.
#[derive(Debug, Clone)]
pub struct Message {
    pub head: String,
    pub body: String,
}

impl Message {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
    }

    pub fn header(&self, name: &str) -> &str {
        let is_it = |line: &&str| line.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name));
        self.head
            .lines()
            .find(is_it)
            .and_then(|line| line.split_once(':'))
            .map_or("", |(_, value)| value.trim())
    }

    /// Ports of the m-lines.
    pub fn ports(&self) -> Vec<u16> {
        let lines = self.body.lines().filter_map(|line| line.strip_prefix("m="));
        lines.map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect()
    }
}

/// An offer of `streams` m-lines of A-law.
pub fn offer(streams: usize) -> String {
    offer_as(streams, "sendonly", "8", 1)
}

pub fn offer_as(streams: usize, direction: &str, payload_type: &str, version: u32) -> String {
    let mut sdp =
        format!("v=0\r\no=src 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n");
    for n in 0..streams {
        let port = 40_000 + 2 * n;
        sdp += &format!("m=audio {port} RTP/AVP {payload_type}\r\na=label:{n}\r\na={direction}\r\n");
    }
    sdp
}

/// Metadata in which `+49301` calls `callee`; stream 0 is the caller's, stream 1 the callee's.
pub fn metadata(callee: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<recording xmlns=\"urn:ietf:params:xml:ns:recording:1\">\
         <datamode>complete</datamode><session session_id=\"s1\"/>\
         <participant participant_id=\"p1\"><nameID aor=\"sip:+49301@pbx\"><name>Erika Muster</name></nameID></participant>\
         <participant participant_id=\"p2\"><nameID aor=\"sip:{callee}@pbx\"><name>Max Probe</name></nameID></participant>\
         <stream stream_id=\"a\" session_id=\"s1\"><label>0</label></stream>\
         <stream stream_id=\"b\" session_id=\"s1\"><label>1</label></stream>\
         <participantstreamassoc participant_id=\"p1\"><send>a</send><recv>b</recv></participantstreamassoc>\
         <participantstreamassoc participant_id=\"p2\"><send>b</send><recv>a</recv></participantstreamassoc>\
         </recording>\r\n"
    )
}

/// Offer and metadata together: value of Content-Type, and body.
pub fn multipart(sdp: &str, xml: &str) -> (String, String) {
    let body = format!(
        "--u\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--u\r\nContent-Type: application/rs-metadata+xml\r\n\
         Content-Disposition: recording-session\r\n\r\n{xml}\r\n--u--\r\n"
    );
    ("multipart/mixed;boundary=u".to_owned(), body)
}

/// Headers by which an INVITE is a recording session's.
pub const SIPREC: &str = "Require: siprec\r\n";

impl Client {
    pub async fn udp(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        Self::new(Wire::Udp(socket), server, local)
    }

    pub async fn tcp(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        let local = stream.local_addr().unwrap();
        Self::new(Wire::Tcp(stream, Vec::new()), server, local)
    }

    fn new(wire: Wire, server: SocketAddr, local: SocketAddr) -> Self {
        let tag = local.port();
        Self {
            wire,
            call_id: format!("call-{tag}@src"),
            from: format!("<sip:src@127.0.0.1>;tag=f{tag}"),
            to: format!("<sip:srs@{server}>"),
            cseq: 0,
            server,
            local,
            branch: 0,
        }
    }

    /// Gives up the connection and goes on over a new one of the same kind.
    pub async fn reconnect(&mut self) {
        self.wire = match &self.wire {
            Wire::Udp(_) => Wire::Udp(UdpSocket::bind("127.0.0.1:0").await.unwrap()),
            Wire::Tcp(..) => Wire::Tcp(TcpStream::connect(self.server).await.unwrap(), Vec::new()),
        };
        self.local = match &self.wire {
            Wire::Udp(socket) => socket.local_addr().unwrap(),
            Wire::Tcp(stream, _) => stream.local_addr().unwrap(),
        };
    }

    /// The text of a new request.
    pub fn request(&mut self, method: &str, headers: &str, content_type: &str, body: &str) -> String {
        if method != "ACK" && method != "CANCEL" {
            self.cseq += 1;
            self.branch += 1;
        }
        let transport = if matches!(self.wire, Wire::Udp(_)) { "UDP" } else { "TCP" };
        // The ACK of a 2xx is a transaction of its own.
        let branch = if method == "ACK" { self.branch + 1000 } else { self.branch };
        let Self { server, local, from, to, call_id, cseq, .. } = self;
        let content =
            if body.is_empty() { String::new() } else { format!("Content-Type: {content_type}\r\n") };
        format!(
            "{method} sip:srs@{server} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};rport;branch=z9hG4bK{branch}x{call_id}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:src@{local}>;+sip.src\r\n{headers}{content}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    pub async fn send(&mut self, text: &[u8]) {
        match &mut self.wire {
            Wire::Udp(socket) => assert_eq!(socket.send_to(text, self.server).await.unwrap(), text.len()),
            Wire::Tcp(stream, _) => stream.write_all(text).await.unwrap(),
        }
    }

    /// The next message.
    pub async fn receive(&mut self) -> Message {
        let received = tokio::time::timeout(PATIENCE, receive(&mut self.wire)).await;
        received.expect("a SIP message should have come").expect("the connection should be open")
    }

    /// The next final response.
    pub async fn response(&mut self) -> Message {
        loop {
            let message = self.receive().await;
            if message.status() >= 200 {
                return message;
            }
        }
    }

    /// Sends a request and waits for its final response.
    pub async fn ask(&mut self, method: &str, headers: &str, content_type: &str, body: &str) -> Message {
        let request = self.request(method, headers, content_type, body);
        self.send(request.as_bytes()).await;
        self.response().await
    }

    /// Answers a request of the server.
    pub async fn answer(&mut self, request: &Message, status: &str) {
        let copied = |name: &&str| format!("{name}: {}\r\n", request.header(name));
        let headers: String = ["Via", "From", "To", "Call-ID", "CSeq"].iter().map(copied).collect();
        self.send(format!("SIP/2.0 {status}\r\n{headers}Content-Length: 0\r\n\r\n").as_bytes()).await;
    }

    /// Closes a TCP connection.
    pub async fn hang_up_connection(&mut self) {
        if let Wire::Tcp(stream, _) = &mut self.wire {
            stream.shutdown().await.unwrap();
        }
    }

    pub async fn ack(&mut self) {
        let ack = self.request("ACK", "", "", "");
        self.send(ack.as_bytes()).await;
    }

    /// Sends an INVITE with headers and body, and acknowledges the answer if it is 200.
    pub async fn invite(&mut self, headers: &str, content_type: &str, body: &str) -> Message {
        let answer = self.ask("INVITE", headers, content_type, body).await;
        if answer.status() == 200 {
            self.to = answer.header("To").to_owned();
            self.ack().await;
        }
        answer
    }

    /// A call with `streams` streams from `+49301` to `+493022`; returns the RTP ports.
    pub async fn call(&mut self, streams: usize) -> Vec<u16> {
        let (content_type, body) = multipart(&offer(streams), &metadata("+493022"));
        let answer = self.invite(SIPREC, &content_type, &body).await;
        assert_eq!(answer.status(), 200, "{}", answer.head);
        answer.ports()
    }

    pub async fn bye(&mut self) {
        let answer = self.ask("BYE", "", "", "").await;
        assert_eq!(answer.status(), 200, "{}", answer.head);
    }
}

async fn receive(wire: &mut Wire) -> Option<Message> {
    match wire {
        Wire::Udp(socket) => {
            let mut room = vec![0; 65_536];
            let (len, _) = socket.recv_from(&mut room).await.ok()?;
            parse(&room[..len]).map(|(message, _)| message)
        }
        Wire::Tcp(stream, buffer) => loop {
            if let Some((message, len)) = parse(buffer) {
                buffer.drain(..len);
                return Some(message);
            }
            if stream.read_buf(buffer).await.ok()? == 0 {
                return None;
            }
        },
    }
}

fn parse(bytes: &[u8]) -> Option<(Message, usize)> {
    let text = String::from_utf8_lossy(bytes);
    let (head, rest) = text.split_once("\r\n\r\n")?;
    let message = Message { head: head.to_owned(), body: String::new() };
    let length: usize = message.header("Content-Length").parse().ok()?;
    let body = rest.get(..length)?.to_owned();
    Some((Message { body, ..message }, head.len() + 4 + length))
}
