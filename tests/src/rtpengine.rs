//! rtpengine: the media proxy of Kamailio and OpenSIPS, and as such a SIPREC client's media side that
//! is not ours. It is spoken to by its `ng` protocol: bencoded dictionaries over UDP, each behind a
//! cookie.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, process::Command, time::Duration};

use anyhow::{Context, bail, ensure};
use tokio::net::UdpSocket;

use crate::{ports, process::Process, programs, wait};

/// Ports for its media: above those of installations, below the ephemeral ones.
const MEDIA_PORTS: (&str, &str) = ("--port-min=32000", "--port-max=32700");

/// A running rtpengine in user space, on loopback.
#[derive(Debug)]
pub struct Rtpengine {
    process: Process,
    socket: UdpSocket,
    address: SocketAddr,
    asked: u32,
}

/// What a recorder is offered about a call.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The offer: one labelled stream for each side.
    pub sdp: String,
    /// Tag by which the recorder is known from now on.
    pub to_tag: String,
    /// Whose voice each label stands for: `a=label` to the tag of the call's side.
    pub labels: BTreeMap<String, String>,
}

impl Rtpengine {
    /// Starts it.
    ///
    /// # Errors
    /// It is missing, or does not answer.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        let program = programs::installed(&["/usr/bin/rtpengine"], "rtpengine-daemon")?;
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let address = SocketAddr::from(([127, 0, 0, 1], ports::claim()?));
        let mut command = Command::new(program);
        command
            .args(["--foreground", "--table=-1", "--config-file=none", "--interface=127.0.0.1"])
            .arg(format!("--listen-ng={address}"))
            .arg(format!("--pidfile={}", dir.join("rtpengine.pid").display()))
            .args([MEDIA_PORTS.0, MEDIA_PORTS.1, "--num-threads=2", "--log-stderr", "--log-level=6"]);
        let mut started =
            Self { process: Process::start("rtpengine", dir, &mut command)?, socket, address, asked: 0 };
        let answered = wait::until("rtpengine to answer", Duration::from_secs(60), async || {
            // Until it listens nobody answers.
            tokio::time::timeout(Duration::from_secs(1), started.ask("ping", &[])).await.ok()?.ok()
        });
        let answered = answered.await;
        answered.with_context(|| started.process.output())?;
        Ok(started)
    }

    /// Takes the offer of a call and gives the one that goes on to the called side.
    ///
    /// # Errors
    /// rtpengine refuses.
    pub async fn offer(&mut self, call: &str, from_tag: &str, sdp: &str) -> anyhow::Result<String> {
        self.ask("offer", &[("call-id", call), ("from-tag", from_tag), ("sdp", sdp)]).await?.text("sdp")
    }

    /// Takes the called side's answer and gives the one that goes back to the caller.
    ///
    /// # Errors
    /// rtpengine refuses.
    pub async fn answer(
        &mut self,
        call: &str,
        from_tag: &str,
        to_tag: &str,
        sdp: &str,
    ) -> anyhow::Result<String> {
        let about = [("call-id", call), ("from-tag", from_tag), ("to-tag", to_tag), ("sdp", sdp)];
        self.ask("answer", &about).await?.text("sdp")
    }

    /// Asks for copies of all streams of a call, as a SIPREC client does.
    ///
    /// # Errors
    /// rtpengine refuses.
    pub async fn subscribe(&mut self, call: &str) -> anyhow::Result<Subscription> {
        let flags = Value::List(vec![Value::of("all"), Value::of("SIPREC")]);
        let about = vec![("call-id".to_owned(), Value::of(call)), ("flags".to_owned(), flags)];
        let answer = self.exchange("subscribe request", about).await?;
        let labels = answer.get("media-labels").context("rtpengine named no labels")?;
        let Value::Dictionary(labels) = labels else { bail!("rtpengine's labels are no dictionary") };
        let labels = labels.iter().map(|(label, of)| Ok((label.clone(), of.text("tag")?)));
        Ok(Subscription {
            sdp: answer.text("sdp")?,
            to_tag: answer.text("to-tag")?,
            labels: labels.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Hands over the recorder's answer: media flows to it from now on.
    ///
    /// # Errors
    /// rtpengine refuses.
    pub async fn subscribed(
        &mut self,
        call: &str,
        subscription: &Subscription,
        sdp: &str,
    ) -> anyhow::Result<()> {
        let about = [("call-id", call), ("to-tag", &subscription.to_tag), ("sdp", sdp)];
        self.ask("subscribe answer", &about).await.map(drop)
    }

    /// Ends a call.
    ///
    /// # Errors
    /// rtpengine refuses.
    pub async fn delete(&mut self, call: &str, from_tag: &str) -> anyhow::Result<()> {
        self.ask("delete", &[("call-id", call), ("from-tag", from_tag)]).await.map(drop)
    }

    async fn ask(&mut self, command: &str, about: &[(&str, &str)]) -> anyhow::Result<Value> {
        let about = about.iter().map(|(key, value)| ((*key).to_owned(), Value::of(value)));
        self.exchange(command, about.collect()).await
    }

    async fn exchange(&mut self, command: &str, mut about: Vec<(String, Value)>) -> anyhow::Result<Value> {
        self.asked += 1;
        about.push(("command".to_owned(), Value::of(command)));
        let cookie = format!("{} ", self.asked);
        let mut request = cookie.clone().into_bytes();
        Value::Dictionary(about).write(&mut request);
        self.socket.send_to(&request, self.address).await?;
        let mut room = vec![0; 65_536];
        loop {
            let received = tokio::time::timeout(Duration::from_secs(60), self.socket.recv(&mut room)).await;
            let len = received.with_context(|| format!("rtpengine does not answer {command}"))??;
            // Answers to what was given up come late.
            let Some(mut answer) = room[..len].strip_prefix(cookie.as_bytes()) else { continue };
            let answer = Value::read(&mut answer)?;
            let result = answer.text("result")?;
            ensure!(result == "ok" || result == "pong", "rtpengine refuses {command}: {answer:?}");
            return Ok(answer);
        }
    }
}

/// A bencoded value.
#[derive(Debug, Clone)]
enum Value {
    Text(String),
    Number(i64),
    List(Vec<Value>),
    Dictionary(Vec<(String, Value)>),
}

impl Value {
    fn of(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The text under a key of a dictionary.
    fn text(&self, key: &str) -> anyhow::Result<String> {
        let found = self.get(key).and_then(Self::as_text);
        found.map(str::to_owned).with_context(|| format!("rtpengine's answer holds no {key}"))
    }

    fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dictionary(entries) = self else { return None };
        entries.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                to.extend(format!("{}:", text.len()).bytes());
                to.extend(text.bytes());
            }
            Self::Number(number) => to.extend(format!("i{number}e").bytes()),
            Self::List(values) => {
                to.push(b'l');
                values.iter().for_each(|value| value.write(to));
                to.push(b'e');
            }
            Self::Dictionary(entries) => {
                to.push(b'd');
                for (key, value) in entries {
                    Self::of(key).write(to);
                    value.write(to);
                }
                to.push(b'e');
            }
        }
    }

    /// Reads one value from the front of `from`.
    fn read(from: &mut &[u8]) -> anyhow::Result<Self> {
        let kind = *from.first().context("the answer ends early")?;
        match kind {
            b'i' => {
                *from = &from[1..];
                Ok(Self::Number(std::str::from_utf8(until(from, b'e')?)?.parse()?))
            }
            b'l' | b'd' => {
                *from = &from[1..];
                let mut values = Vec::new();
                while from.first() != Some(&b'e') {
                    values.push(Self::read(from)?);
                }
                *from = &from[1..];
                if kind == b'l' {
                    return Ok(Self::List(values));
                }
                let pairs = values.chunks_exact(2).map(|pair| {
                    let key = pair[0].as_text().context("a key is no text")?;
                    Ok((key.to_owned(), pair[1].clone()))
                });
                Ok(Self::Dictionary(pairs.collect::<anyhow::Result<_>>()?))
            }
            _ => {
                let length: usize = std::str::from_utf8(until(from, b':')?)?.parse()?;
                let (text, rest) = from.split_at_checked(length).context("the answer ends early")?;
                *from = rest;
                Ok(Self::Text(String::from_utf8_lossy(text).into_owned()))
            }
        }
    }
}

/// What stands before `end`, which is taken away too.
fn until<'a>(from: &mut &'a [u8], end: u8) -> anyhow::Result<&'a [u8]> {
    let at = from.iter().position(|byte| *byte == end).context("the answer ends early")?;
    let before = &from[..at];
    *from = &from[at + 1..];
    Ok(before)
}
