//! A recording client that writes SIP as text, so that a test can say exactly what a vendor's client
//! says.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};

use crate::sipp::Transport;

const PATIENCE: Duration = Duration::from_secs(60);

/// Headers by which an INVITE is a recording session's.
pub const SIPREC: &str = "Require: siprec\r\n";

#[derive(Debug)]
enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream, Vec<u8>),
}

/// A body and its Content-Type.
#[derive(Debug, Clone)]
pub struct Content {
    /// Value of the Content-Type header.
    pub content_type: String,
    /// The body.
    pub body: String,
}

impl Content {
    /// No body.
    pub const NONE: Self = Self { content_type: String::new(), body: String::new() };

    /// An offer alone.
    pub fn sdp(sdp: &str) -> Self {
        Self { content_type: "application/sdp".to_owned(), body: sdp.to_owned() }
    }

    /// Metadata alone.
    pub fn metadata(xml: &str) -> Self {
        Self { content_type: "application/rs-metadata+xml".to_owned(), body: xml.to_owned() }
    }

    /// Offer and metadata (RFC 7866, section 9.1).
    pub fn both(sdp: &str, xml: &str) -> Self {
        let body = format!(
            "--frontier\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--frontier\r\n\
             Content-Type: application/rs-metadata+xml\r\nContent-Disposition: recording-session\r\n\r\n{xml}\r\n\
             --frontier--\r\n"
        );
        Self { content_type: "multipart/mixed;boundary=frontier".to_owned(), body }
    }
}

/// A response that came.
#[derive(Debug, Clone)]
pub struct Response {
    /// Start line and headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Response {
    /// The status code; 0 if it is no response.
    pub fn status(&self) -> u16 {
        let code = self.head.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
        code.and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The first header of a name; empty without one.
    pub fn header(&self, name: &str) -> &str {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut named = headers.filter(|(known, _)| known.trim().eq_ignore_ascii_case(name));
        named.next().map_or("", |(_, value)| value.trim())
    }

    /// Ports of the m-lines, in order; 0: refused.
    pub fn ports(&self) -> Vec<u16> {
        let lines = self.body.lines().filter_map(|line| line.strip_prefix("m="));
        lines.map(|line| line.split(' ').nth(1).and_then(|port| port.parse().ok()).unwrap_or(0)).collect()
    }
}

/// One dialog of a client.
#[derive(Debug)]
pub struct SipByHand {
    wire: Wire,
    srs: SocketAddr,
    local: SocketAddr,
    /// Value of the From header.
    pub from: String,
    /// Value of the To header; it gets a tag with the first answer.
    pub to: String,
    /// Parameters of the Contact header.
    pub contact_parameters: String,
    call_id: String,
    cseq: u32,
}

impl SipByHand {
    /// A client that has said nothing yet.
    ///
    /// # Errors
    /// The recorder is not there.
    pub async fn new(srs: SocketAddr, transport: Transport) -> anyhow::Result<Self> {
        let (wire, local) = match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0").await?;
                let local = socket.local_addr()?;
                (Wire::Udp(socket), local)
            }
            Transport::Tcp => {
                let stream = TcpStream::connect(srs).await?;
                let local = stream.local_addr()?;
                (Wire::Tcp(stream, Vec::new()), local)
            }
        };
        let port = local.port();
        Ok(Self {
            wire,
            srs,
            local,
            from: format!("<sip:src@127.0.0.1>;tag=f{port}"),
            to: format!("<sip:srs@{srs}>"),
            contact_parameters: ";+sip.src".to_owned(),
            call_id: format!("{port}-{:?}@127.0.0.1", transport),
            cseq: 0,
        })
    }

    /// Sends an INVITE, first or further, and acknowledges its final answer.
    ///
    /// # Errors
    /// None comes.
    pub async fn invite(&mut self, headers: &str, content: &Content) -> anyhow::Result<Response> {
        let answer = self.ask("INVITE", headers, content).await?;
        if answer.status() == 200 {
            self.to = answer.header("To").to_owned();
        }
        // The ACK of a refusal belongs to the INVITE's transaction, that of a 200 does not.
        let branch = if answer.status() == 200 { "ack" } else { "" };
        let ack = self.request("ACK", branch, "", &Content::NONE);
        self.send(&ack).await?;
        Ok(answer)
    }

    /// Sends a request and waits for its final answer.
    ///
    /// # Errors
    /// None comes.
    pub async fn ask(&mut self, method: &str, headers: &str, content: &Content) -> anyhow::Result<Response> {
        self.cseq += 1;
        let request = self.request(method, "", headers, content);
        self.send(&request).await?;
        let mine = format!("{} {method}", self.cseq);
        let answered = async {
            loop {
                let answer = receive(&mut self.wire).await?;
                if answer.status() >= 200 && answer.header("CSeq") == mine {
                    return anyhow::Ok(answer);
                }
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.with_context(|| format!("no answer to {method}"))?
    }

    /// Hangs up.
    ///
    /// # Errors
    /// The answer is not 200.
    pub async fn bye(&mut self) -> anyhow::Result<()> {
        let answer = self.ask("BYE", "", &Content::NONE).await?;
        ensure!(answer.status() == 200, "BYE: {}", answer.head);
        Ok(())
    }

    fn request(&self, method: &str, branch: &str, headers: &str, content: &Content) -> String {
        let Self { srs, local, from, to, call_id, cseq, contact_parameters, .. } = self;
        let Content { content_type, body } = content;
        let transport = if matches!(self.wire, Wire::Udp(_)) { "UDP" } else { "TCP" };
        let content_type =
            if body.is_empty() { String::new() } else { format!("Content-Type: {content_type}\r\n") };
        format!(
            "{method} sip:srs@{srs} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};rport;branch=z9hG4bK{cseq}x{branch}{call_id}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:src@{local}>{contact_parameters}\r\n{headers}{content_type}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    async fn send(&mut self, text: &str) -> anyhow::Result<()> {
        match &mut self.wire {
            Wire::Udp(socket) => socket.send_to(text.as_bytes(), self.srs).await.map(drop)?,
            Wire::Tcp(stream, _) => stream.write_all(text.as_bytes()).await?,
        }
        Ok(())
    }
}

async fn receive(wire: &mut Wire) -> anyhow::Result<Response> {
    match wire {
        Wire::Udp(socket) => {
            let mut room = vec![0; 65_536];
            let len = socket.recv(&mut room).await?;
            parse(&room[..len]).map(|(response, _)| response).context("a datagram holds no whole message")
        }
        Wire::Tcp(stream, buffer) => loop {
            if let Some((response, len)) = parse(buffer) {
                buffer.drain(..len);
                return Ok(response);
            }
            ensure!(stream.read_buf(buffer).await? > 0, "the recorder closed the connection");
        },
    }
}

/// The first message in `bytes` and its length.
fn parse(bytes: &[u8]) -> Option<(Response, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut response = Response { head, body: String::new() };
    let length: usize = response.header("Content-Length").parse().ok()?;
    let body = bytes.get(end + 4..end + 4 + length)?;
    response.body = String::from_utf8_lossy(body).into_owned();
    Some((response, end + 4 + length))
}
