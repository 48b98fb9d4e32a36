//! Kamailio runs its recipe here, each test on loopback addresses of its own: a provider, a PBX, the recording
//! client and Callseal are sockets of the test, and what arrives there is what counts.

use std::{
    fs,
    io::{ErrorKind, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use harness::{process::Process, programs};
use nix::sys::signal::Signal;

use crate::{
    api::{self, Listener},
    recipe, text,
};

const PATIENCE: Duration = Duration::from_secs(60);
const SIP: u16 = 5060;

/// Kamailio with the recipe, and everybody around it.
struct Around {
    kamailio: Process,
    network: [u8; 2],
    provider: UdpSocket,
    pbx: UdpSocket,
    recording_client: UdpSocket,
    folder: tempfile::TempDir,
}

impl Drop for Around {
    /// Kamailio is a handful of processes: they end with the first, if that one ends by SIGTERM.
    fn drop(&mut self) {
        let _gone_already = self.kamailio.signal(Signal::SIGTERM);
        let begun = Instant::now();
        while matches!(self.kamailio.ended(), Ok(None)) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Around {
    /// Starts it in a network of its own, 127.x.y.0/24. `api`: the settings of `callseal-api`.
    fn start(x: u8, api: Option<&Listener>) -> anyhow::Result<Self> {
        // Test runners run the tests as processes side by side: the process id keeps them apart.
        let y = u8::try_from(std::process::id() % 250)? + 1;
        let network = [x, y];
        let folder = tempfile::tempdir()?;
        let socket = |host| -> anyhow::Result<UdpSocket> {
            let socket = UdpSocket::bind((address(network, host), SIP))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(socket)
        };
        let (provider, pbx, recording_client) = (socket(10)?, socket(20)?, socket(6)?);
        let mut config = text("kamailio/kamailio.cfg")?;
        for (placeholder, host) in
            [("192.0.2.5", 5), ("198.51.100.10", 10), ("192.0.2.20", 20), ("192.0.2.30", 30)]
        {
            config = config.replace(placeholder, &address(network, host).to_string());
        }
        config = config.replace("sip:192.0.2.6:5060", &format!("sip:{}:{SIP}", address(network, 6)));
        // The real script, with settings of the test.
        let command =
            format!("CALLSEAL_SETTINGS={} {}", folder.path().display(), recipe("callseal-api").display());
        config = config
            .replace("/usr/local/bin/callseal-api", &command)
            // At times it hangs while it ends; unless told otherwise, it gives itself a minute.
            .replace("log_stderror=no", "log_stderror=yes\nexit_timeout=5");
        if let Some(listener) = api {
            listener.settings(folder.path())?;
        }
        let file = folder.path().join("kamailio.cfg");
        fs::write(&file, config)?;
        let kamailio = run(&file, folder.path())?;
        let mut around = Self { kamailio, network, provider, pbx, recording_client, folder };
        around.wait_until_it_answers()?;
        Ok(around)
    }

    /// Asks with OPTIONS until it says 200.
    fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        self.provider.set_read_timeout(Some(Duration::from_millis(200)))?;
        let begun = Instant::now();
        let request = self.request("OPTIONS", "", 10, "alive", "");
        loop {
            self.send(&self.provider, &request)?;
            match receive(&self.provider) {
                Ok(answer) if answer.starts_with("SIP/2.0 200") => break,
                _ => {}
            }
            if let Some(status) = self.kamailio.ended()? {
                bail!("kamailio ended with {status}:\n{}", self.kamailio.output());
            }
            anyhow::ensure!(begun.elapsed() < PATIENCE, "kamailio is silent:\n{}", self.kamailio.output());
        }
        // Answers to further OPTIONS may still come: they are passed over by `arrives`.
        self.provider.set_read_timeout(Some(PATIENCE))?;
        Ok(())
    }

    /// A request of the peer with this last number of its address, to `user` at the domain of the recipe.
    fn request(&self, method: &str, user: &str, host: u8, call_id: &str, headers: &str) -> String {
        let (from, to) = (address(self.network, host), address(self.network, 5));
        let target =
            if user.is_empty() { format!("sip:{to}:{SIP}") } else { format!("sip:{user}@sip.example.com") };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {from}:{SIP};branch=z9hG4bK-{call_id}-{user_tag}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:erika@{from}>;tag=t-{call_id}\r\nTo: <{target}>\r\nCall-ID: {call_id}\r\n\
             CSeq: 1 {method}\r\nContact: <sip:erika@{from}:{SIP}>\r\n{headers}Content-Length: 0\r\n\r\n",
            user_tag = user.len(),
        )
    }

    fn send(&self, from: &UdpSocket, request: &str) -> anyhow::Result<()> {
        from.send_to(request.as_bytes(), SocketAddr::from((address(self.network, 5), SIP)))?;
        Ok(())
    }

    /// The first message at `socket` that begins like this.
    fn arrives(&self, socket: &UdpSocket, beginning: &str) -> anyhow::Result<String> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let message = receive(socket).with_context(|| {
                format!("no message {beginning:?} came; kamailio says:\n{}", self.kamailio.output())
            })?;
            if message.starts_with(beginning) {
                return Ok(message);
            }
        }
        bail!("no message {beginning:?} among those that came")
    }
}

fn address(network: [u8; 2], host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, network[0], network[1], host)
}

fn run(file: &Path, folder: &Path) -> anyhow::Result<Process> {
    let program = programs::installed(&["/usr/sbin/kamailio"], "kamailio")?;
    let mut command = Command::new(program);
    // -DD: in the foreground, with its children. Little memory: several run side by side.
    command.args(["-DD", "-m", "32", "-M", "4", "-n", "1"]).arg("-f").arg(file);
    command.arg("-Y").arg(folder).arg("-w").arg(folder);
    Process::start("kamailio", folder, &mut command)
}

fn receive(socket: &UdpSocket) -> anyhow::Result<String> {
    let mut buffer = [0; 65535];
    let (length, _) = socket.recv_from(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// The first connection to `listener`.
fn accepted(listener: &TcpListener) -> anyhow::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let begun = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock && begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error).context("nobody called Callseal"),
        }
    }
}

/// The values of all headers of a name.
fn headers<'a>(message: &'a str, name: &str) -> Vec<&'a str> {
    let lines = message.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
}

#[test]
fn an_inbound_call_goes_by_the_recording_client_without_what_the_outside_claims() -> anyhow::Result<()> {
    let around = Around::start(71, None)?;
    let forged = "X-Call-ID: somebody-elses\r\nX-Callseal-Override: deny\r\n";
    around.send(&around.provider, &around.request("INVITE", "+49703199", 10, "call-1", forged))?;
    let invite = around.arrives(&around.recording_client, "INVITE")?;
    let pbx = address(around.network, 20);
    assert!(invite.starts_with(&format!("INVITE sip:+49703199@{pbx}:5060 ")), "{invite}");
    assert_eq!(headers(&invite, "X-Call-ID"), ["call-1"]);
    assert!(headers(&invite, "X-Callseal-Override").is_empty(), "{invite}");
    // Kamailio warns of a route that is called and does not exist, and starts all the same.
    assert!(!around.kamailio.output().contains("non existing route"), "{}", around.kamailio.output());
    Ok(())
}

#[test]
fn a_prefix_becomes_an_override_and_the_pbxs_call_id_stays() -> anyhow::Result<()> {
    let around = Around::start(72, None)?;
    for (number, (prefix, word)) in
        [("*81", "deny"), ("*82", "force"), ("*83", "manual")].into_iter().enumerate()
    {
        let call_id = format!("call-{number}");
        let request =
            around.request("INVITE", &format!("{prefix}0703199"), 20, &call_id, "X-Call-ID: of-the-pbx\r\n");
        around.send(&around.pbx, &request)?;
        // An INVITE that nobody answers is sent again: wait for the one of this call.
        let invite = loop {
            let invite = around.arrives(&around.recording_client, "INVITE")?;
            if headers(&invite, "Call-ID") == [call_id.as_str()] {
                break invite;
            }
        };
        let provider = address(around.network, 10);
        assert!(invite.starts_with(&format!("INVITE sip:0703199@{provider}:5060 ")), "{invite}");
        assert_eq!(headers(&invite, "X-Callseal-Override"), [word]);
        assert_eq!(headers(&invite, "X-Call-ID"), ["of-the-pbx"]);
    }
    Ok(())
}

#[test]
fn a_call_is_asked_for_consent_and_comes_back_to_the_number_that_was_dialled() -> anyhow::Result<()> {
    let around = Around::start(73, None)?;
    let callseal = TcpListener::bind((address(around.network, 30), SIP))?;
    around.send(&around.provider, &around.request("INVITE", "+497031123442", 10, "call@provider", ""))?;
    let mut stream = accepted(&callseal)?;
    let mut invite = String::new();
    while !invite.ends_with("\r\n\r\n") {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(0) => bail!("the connection ended:\n{invite}"),
            Ok(length) => invite.push_str(&String::from_utf8_lossy(&buffer[..length])),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    assert!(invite.starts_with("INVITE sip:consent.advice@"), "{invite}");
    let ids = headers(&invite, "X-Call-ID");
    assert_eq!(ids.len(), 1, "{invite}");
    assert!(ids[0].len() == 32 && ids[0].chars().all(|c| c.is_ascii_hexdigit()), "{ids:?} goes into a URI");
    // Callseal has referred the caller to sip:<call id>@sip.example.com: the caller calls again.
    let back = around.request("INVITE", ids[0], 10, "call-2", "X-Callseal-Consent: granted\r\n");
    around.send(&around.provider, &back)?;
    let invite = around.arrives(&around.recording_client, "INVITE")?;
    let pbx = address(around.network, 20);
    assert!(invite.starts_with(&format!("INVITE sip:+497031123442@{pbx}:5060 ")), "{invite}");
    assert_eq!(headers(&invite, "X-Call-ID"), ids, "recording and consent have one id");
    assert!(headers(&invite, "X-Callseal-Consent").is_empty(), "the answer is Callseal's to give");
    Ok(())
}

#[test]
fn a_call_goes_on_unasked_when_callseal_is_away() -> anyhow::Result<()> {
    let around = Around::start(74, None)?;
    // Nobody listens at Callseal's address: the TCP connection is refused.
    around.send(&around.provider, &around.request("INVITE", "+497031123442", 10, "call-1", ""))?;
    let invite = around.arrives(&around.recording_client, "INVITE")?;
    let pbx = address(around.network, 20);
    assert!(invite.starts_with(&format!("INVITE sip:+497031123442@{pbx}:5060 ")), "{invite}");
    assert_eq!(headers(&invite, "X-Call-ID").len(), 1);
    Ok(())
}

#[test]
fn a_call_goes_through_when_the_recording_client_is_away() -> anyhow::Result<()> {
    let around = Around::start(78, None)?;
    around.send(&around.provider, &around.request("INVITE", "+49703199", 10, "call-1", ""))?;
    // The recording client hears it and is silent; Kamailio gives it five seconds.
    around.arrives(&around.recording_client, "INVITE")?;
    let invite = around.arrives(&around.pbx, "INVITE")?;
    assert!(invite.starts_with("INVITE sip:+49703199@"), "{invite}");
    assert!(around.kamailio.output().contains("a call goes UNRECORDED"), "{}", around.kamailio.output());
    Ok(())
}

#[test]
fn feature_codes_log_on_and_off_at_the_api_and_the_phone_shows_it() -> anyhow::Result<()> {
    let http = Listener::start("200 OK", "{}")?;
    let around = Around::start(75, Some(&http))?;
    for (code, shown, body) in
        [("*45", "480 Logged on", r#"{"active": true}"#), ("*46", "480 Logged off", r#"{"active": false}"#)]
    {
        let call_id = format!("call{}", &code[1..]);
        around.send(&around.pbx, &around.request("INVITE", code, 20, &call_id, ""))?;
        let request = http.next()?;
        assert_eq!((request.method.as_str(), request.body.as_str()), ("PUT", body));
        assert_eq!(request.path, "/v1/tenants/acme/groups/advisers/members/erika");
        assert!(api::is_known(&request.method, &request.path)?);
        around.arrives(&around.pbx, &format!("SIP/2.0 {shown}"))?;
    }
    Ok(())
}

#[test]
fn a_failed_log_on_is_not_shown_as_done() -> anyhow::Result<()> {
    let http = Listener::start("401 Unauthorized", "")?;
    let around = Around::start(76, Some(&http))?;
    around.send(&around.pbx, &around.request("INVITE", "*45", 20, "call-1", ""))?;
    around.arrives(&around.pbx, "SIP/2.0 500 Not done")?;
    assert!(around.folder.path().exists());
    Ok(())
}

#[test]
fn a_stranger_is_turned_away() -> anyhow::Result<()> {
    let around = Around::start(77, None)?;
    let stranger = UdpSocket::bind((address(around.network, 66), SIP))?;
    stranger.set_read_timeout(Some(PATIENCE))?;
    around.send(&stranger, &around.request("INVITE", "+49703199", 66, "call-1", ""))?;
    around.arrives(&stranger, "SIP/2.0 403")?;
    Ok(())
}
