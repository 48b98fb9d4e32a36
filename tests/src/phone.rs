//! A plain telephone: calls the consent endpoint over UDP, hears what is played, with the kernel's times,
//! and presses keys.

use std::{
    io::IoSliceMut,
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use media::{Codec, dtmf};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt::ReceiveTimestampns,
};

/// Nothing takes longer, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the phone hears fits into the kernel's buffer: half a minute.
const RECEIVE_BUFFER_BYTES: usize = 2 << 20;

/// A packet that was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// RTP sequence number.
    pub sequence: u16,
    /// Payload.
    pub payload: Vec<u8>,
    /// When the kernel had it. Unix time, microseconds.
    pub arrival_unix_us: i64,
}

/// A phone in one call.
pub struct Phone {
    sip: tokio::net::UdpSocket,
    rtp: UdpSocket,
    target: String,
    call_id: String,
    to: String,
    cseq: u32,
    sequence: u16,
}

/// A SIP message that came.
#[derive(Debug, Clone)]
pub struct Message(String);

impl Message {
    /// Method of a request, or `SIP/2.0` of a response.
    pub fn method(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }

    /// Status of a response; 0 for a request.
    pub fn status(&self) -> u16 {
        let status = || self.0.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok();
        status().unwrap_or(0)
    }

    /// Value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let named = |line: &&str| line.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name));
        let line = self.0.lines().skip(1).find(named).and_then(|line| line.split_once(':'));
        line.map_or("", |(_, value)| value.trim())
    }
}

impl Phone {
    /// Calls `user` at `sip` with these further headers (each with its line end), and waits for the answer.
    ///
    /// # Errors
    /// The call is refused; the text holds status and `Warning`.
    pub async fn call(sip: SocketAddr, user: &str, headers: &str) -> anyhow::Result<Self> {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await?;
        socket.connect(sip).await?;
        let rtp = UdpSocket::bind("127.0.0.1:0")?;
        setsockopt(&rtp, ReceiveTimestampns, &true)?;
        socket2::SockRef::from(&rtp).set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        rtp.set_nonblocking(true)?;
        let port = rtp.local_addr()?.port();
        let local = socket.local_addr()?;
        let mut phone = Self {
            sip: socket,
            rtp,
            target: format!("sip:{user}@{sip}"),
            call_id: format!("phone-{}@harness", local.port()),
            to: format!("<sip:{user}@{sip}>"),
            cseq: 0,
            sequence: 0,
        };
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
        );
        let headers = format!("{headers}Content-Type: application/sdp\r\n");
        let answer = phone.ask("INVITE", &headers, &sdp).await?;
        ensure!(answer.status() == 200, "{} {}", answer.status(), answer.header("Warning"));
        phone.to = answer.header("To").to_owned();
        let media = answer.0.lines().find_map(|line| line.strip_prefix("m=audio ")).context("no m= line")?;
        let media: u16 = media.split(' ').next().unwrap_or_default().parse()?;
        phone.rtp.connect((sip.ip(), media))?;
        phone.send("ACK", "", "").await?;
        Ok(phone)
    }

    async fn send(&mut self, method: &str, headers: &str, body: &str) -> anyhow::Result<()> {
        if method != "ACK" {
            self.cseq += 1;
        }
        let Self { target, to, call_id, cseq, .. } = self;
        let local = self.sip.local_addr()?;
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bK{method}{cseq}{call_id}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:phone@{local}>;tag=p{}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:phone@{local}>\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            local.port(),
            body.len()
        );
        self.sip.send(text.as_bytes()).await?;
        Ok(())
    }

    async fn receive(&self) -> anyhow::Result<Message> {
        let mut room = vec![0; 8192];
        let length =
            tokio::time::timeout(PATIENCE, self.sip.recv(&mut room)).await.context("no SIP came")??;
        Ok(Message(String::from_utf8_lossy(&room[..length]).into_owned()))
    }

    async fn ask(&mut self, method: &str, headers: &str, body: &str) -> anyhow::Result<Message> {
        self.send(method, headers, body).await?;
        loop {
            let message = self.receive().await?;
            if message.status() >= 200 {
                return Ok(message);
            }
        }
    }

    /// Waits for the next request of the endpoint and answers it 200.
    ///
    /// # Errors
    /// None came.
    pub async fn until_request(&self) -> anyhow::Result<Message> {
        loop {
            let request = self.receive().await?;
            if request.status() != 0 {
                continue;
            }
            let copied = |name: &&str| format!("{name}: {}\r\n", request.header(name));
            let headers: String = ["Via", "From", "To", "Call-ID", "CSeq"].iter().map(copied).collect();
            self.sip.send(format!("SIP/2.0 200 OK\r\n{headers}Content-Length: 0\r\n\r\n").as_bytes()).await?;
            return Ok(request);
        }
    }

    /// Waits for the BYE and returns what it says of the consent.
    ///
    /// # Errors
    /// Another request came, or none.
    pub async fn until_bye(&self) -> anyhow::Result<String> {
        let bye = self.until_request().await?;
        ensure!(bye.method() == "BYE", "{} came instead of BYE", bye.method());
        Ok(bye.header("X-Callseal-Consent").to_owned())
    }

    /// Hangs up.
    ///
    /// # Errors
    /// The endpoint did not agree.
    pub async fn hang_up(&mut self) -> anyhow::Result<()> {
        let answer = self.ask("BYE", "", "").await?;
        ensure!(answer.status() == 200, "BYE was answered {}", answer.status());
        Ok(())
    }

    /// Sends a key in an INFO request.
    ///
    /// # Errors
    /// It was refused.
    pub async fn info(&mut self, key: char) -> anyhow::Result<()> {
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        let answer = self.ask("INFO", "Content-Type: application/dtmf-relay\r\n", &body).await?;
        ensure!(answer.status() == 200, "INFO was answered {}", answer.status());
        Ok(())
    }

    /// Presses a key for 100 ms, as telephone events (RFC 4733).
    ///
    /// # Errors
    /// There is no such key.
    pub async fn press(&mut self, key: char) -> anyhow::Result<()> {
        let key = dtmf::Key::try_from(key)?;
        let step = Duration::from_millis(20);
        for event in dtmf::sender::key_press(key, Duration::from_millis(100), step, 8_000) {
            let mut packet = vec![0x80, if event.marker { 0x80 | 101 } else { 101 }];
            packet.extend(self.sequence.to_be_bytes());
            packet.extend(80_000_u32.to_be_bytes());
            packet.extend(7_u32.to_be_bytes());
            packet.extend(event.payload);
            self.sequence = self.sequence.wrapping_add(1);
            self.rtp.send(&packet)?;
            tokio::time::sleep(step).await;
        }
        Ok(())
    }

    /// Everything that came since the last time it was asked.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn heard(&self) -> anyhow::Result<Vec<Heard>> {
        let mut heard = Vec::new();
        let mut room = [0; 2048];
        loop {
            let mut slices = [IoSliceMut::new(&mut room)];
            let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
            let received = recvmsg::<SockaddrStorage>(
                self.rtp.as_raw_fd(),
                &mut slices,
                Some(&mut control),
                MsgFlags::MSG_DONTWAIT,
            );
            let (length, time) = match received {
                Ok(message) => {
                    let time = message.cmsgs()?.find_map(|control| match control {
                        ControlMessageOwned::ScmTimestampns(time) => Some(time),
                        _ => None,
                    });
                    (message.bytes, time.context("the kernel gave no time")?)
                }
                Err(nix::errno::Errno::EAGAIN) => return Ok(heard),
                Err(error) => bail!(error),
            };
            ensure!(length >= 12, "a datagram of {length} bytes is no RTP");
            heard.push(Heard {
                sequence: u16::from_be_bytes([room[2], room[3]]),
                payload: room[12..length].to_vec(),
                arrival_unix_us: time.tv_sec() * 1_000_000 + time.tv_nsec() / 1_000,
            });
        }
    }

    /// Listens until so many octets other than silence came; returns all packets from the first of them on.
    ///
    /// # Errors
    /// They did not come.
    pub async fn hear(&self, octets: usize) -> anyhow::Result<Vec<Heard>> {
        let mut heard: Vec<Heard> = Vec::new();
        let until = tokio::time::Instant::now() + PATIENCE;
        while speech(&heard).len() < octets {
            ensure!(tokio::time::Instant::now() < until, "the announcement did not come whole");
            heard.extend(self.heard()?);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(heard)
    }
}

/// The payload of all packets that are not silence (A-law).
pub fn speech(heard: &[Heard]) -> Vec<u8> {
    let spoken = heard.iter().filter(|p| p.payload.iter().any(|octet| *octet != Codec::Pcma.silence()));
    spoken.flat_map(|p| p.payload.clone()).collect()
}
