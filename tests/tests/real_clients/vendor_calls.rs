//! A call as a list of steps, and how it is placed.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::ensure;
use domain::Side;
use futures::future::try_join_all;
use harness::{
    rtp::{PACKET, RtpSender, noise},
    sip_by_hand::{Content, SipByHand},
    sipp::Transport,
};

use super::audio::Sent;

/// Packets of one [`Step::Play`]: one second.
const PACKETS: usize = 50;

/// What happens next in a call.
pub enum Step {
    /// The streams with these numbers each send one second of audio, in the laws of these payload types.
    Play(Vec<(usize, u8)>),
    /// Nothing is sent for a second.
    Rest,
    /// A request within the dialog: `INVITE` or `UPDATE`.
    Say(&'static str, Content),
}

/// A call, and what must be said of it afterwards.
pub struct VendorCall {
    /// What is odd about it; also the id of the call at the PBX.
    pub what: &'static str,
    /// Headers of the first INVITE.
    pub headers: &'static str,
    /// Parameters of its Contact.
    pub contact: &'static str,
    /// Value of its From without tag; empty: the client's own address.
    pub from: &'static str,
    /// Value of its To; empty: the recorder's address.
    pub to: &'static str,
    /// Its body.
    pub content: Content,
    /// What comes then, up to the BYE.
    pub steps: Vec<Step>,
    /// Side of each stream.
    pub sides: Vec<Side>,
    /// Keys of the info and their values.
    pub info: Vec<(&'static str, &'static str)>,
}

/// One stream while it is sent.
struct Stream {
    sender: RtpSender,
    /// What was sent, by payload type: another law goes to another file.
    pieces: BTreeMap<u8, Vec<Vec<u8>>>,
}

impl VendorCall {
    /// Places the call; returns what was sent. `seed` makes its audio unlike that of other calls.
    pub async fn place(&self, srs: SocketAddr, seed: u64) -> anyhow::Result<Vec<Sent>> {
        // Every other call comes over UDP.
        let transport = if seed.is_multiple_of(2) { Transport::Udp } else { Transport::Tcp };
        let mut client = SipByHand::new(srs, transport).await?;
        client.contact_parameters = self.contact.to_owned();
        if !self.from.is_empty() {
            client.from = format!("{};tag=a{seed}", self.from);
        }
        if !self.to.is_empty() {
            client.to = self.to.to_owned();
        }
        let headers = format!("{}X-Call-ID: {}\r\n", self.headers, self.what);
        let answer = client.invite(&headers, &self.content).await?;
        ensure!(answer.status() == 200, "INVITE: {}", answer.head);
        let mut ports = answer.ports();
        let mut streams: BTreeMap<usize, Stream> = BTreeMap::new();
        for (number, step) in (0_u64..).zip(&self.steps) {
            match step {
                Step::Play(playing) => {
                    open(&mut streams, &ports, playing).await?;
                    play(&mut streams, playing, seed * 1_000 + number * 20).await?;
                }
                Step::Rest => {
                    tokio::time::sleep(PACKET * PACKETS as u32).await;
                    streams.values_mut().for_each(|stream| stream.sender.skip(PACKETS as u32));
                }
                Step::Say(method, content) => {
                    let answer = match *method {
                        "INVITE" => client.invite("", content).await?,
                        method => client.ask(method, "", content).await?,
                    };
                    ensure!(answer.status() == 200, "{method}: {}", answer.head);
                    if !answer.body.is_empty() {
                        ports = answer.ports();
                    }
                }
            }
        }
        client.bye().await?;
        let sent = streams.into_iter().flat_map(|(index, stream)| {
            stream.pieces.into_values().map(move |pieces| Sent { side: self.sides[index], pieces })
        });
        Ok(sent.collect())
    }
}

/// Makes senders for streams that have none yet.
async fn open(
    streams: &mut BTreeMap<usize, Stream>,
    ports: &[u16],
    playing: &[(usize, u8)],
) -> anyhow::Result<()> {
    for (index, payload_type) in playing {
        if !streams.contains_key(index) {
            let port = ports.get(*index).copied().unwrap_or(0);
            ensure!(port > 0, "stream {index} was refused");
            let sender = RtpSender::new(([127, 0, 0, 1], port).into(), *payload_type).await?;
            streams.insert(*index, Stream { sender, pieces: BTreeMap::new() });
        }
    }
    Ok(())
}

/// Sends one second on each of the streams that play; the clocks of the others go on.
async fn play(
    streams: &mut BTreeMap<usize, Stream>,
    playing: &[(usize, u8)],
    seed: u64,
) -> anyhow::Result<()> {
    let sending = streams.iter_mut().map(async |(index, stream)| {
        let Some((_, payload_type)) = playing.iter().find(|(playing, _)| playing == index) else {
            stream.sender.skip(PACKETS as u32);
            return Ok(());
        };
        let piece = noise(seed + *index as u64, PACKETS);
        stream.sender.payload_type = *payload_type;
        stream.sender.play(&piece).await?;
        stream.pieces.entry(*payload_type).or_default().push(piece);
        anyhow::Ok(())
    });
    try_join_all(sending).await.map(drop)
}
