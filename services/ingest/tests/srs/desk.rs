//! A rig whose rules say what a test wants, when it wants it; and a client that speaks and presses keys.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use bus::{Bus, BusOptions, subjects};
use domain::{
    AnnouncementPlayed, AskedBy, Channels, Class, Consent, ConsentAsked, ConsentMode, ConsentOutcome,
    ConsentSource, Decision, Direction, NotRecorded, Recorded, Side, StopKeys, Verdict,
};
use harness::events::Events;
use media::{
    Codec,
    dtmf::{Key, sender},
    g711,
};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use wire::{
    call_v1,
    event_v1::{ConsentAnswered, Decided, event::What},
    rules_v1::{
        CallControl, CallControlled, DecideRequest, DecideResponse, StoreConsentRequest,
        StoreConsentResponse, call_control,
    },
};

use super::{
    client::{Client, SIPREC, metadata, multipart, offer_as},
    rig::{PATIENCE, Rig, TENANT},
};

/// How telephone events are numbered in these tests.
const EVENT: u8 = 101;

pub struct Desk {
    pub rig: Rig,
    pub bus: Bus,
    /// What ingest asked rules.
    pub asked: Arc<Mutex<Vec<DecideRequest>>>,
    /// Answers that ingest handed to rules.
    pub stored: Arc<Mutex<Vec<StoreConsentRequest>>>,
    verdict: Arc<Mutex<Verdict>>,
    /// The sides that rules says are the tenant's own.
    own_sides: Arc<Mutex<Vec<Side>>>,
    /// Rules has looked, and its answer is under way.
    holds_back: tokio::sync::watch::Sender<bool>,
    events: Events,
    stop: CancellationToken,
}

impl Desk {
    pub async fn start(verdict: Verdict) -> Self {
        Self::with(verdict, TENANT, &[]).await
    }

    pub async fn with(verdict: Verdict, config: &str, more: &[&str]) -> Self {
        let rig = Rig::with(None, config, more).await;
        let bus = Bus::connect(BusOptions::new(rig.nats.url(), "desk")).await.unwrap();
        let events = Events::from_now(&bus).await.unwrap();
        let (asked, stored): (Arc<Mutex<Vec<_>>>, Arc<Mutex<Vec<_>>>) = Default::default();
        let verdict = Arc::new(Mutex::new(verdict));
        let own_sides = Arc::new(Mutex::new(vec![Side::Callee]));
        let own_sides_1 = own_sides.clone();
        let stop = CancellationToken::new();
        let holds_back = tokio::sync::watch::Sender::new(false);
        let gate = holds_back.subscribe();
        let (bus_1, stop_1, asked_1, verdict_1) = (bus.clone(), stop.clone(), asked.clone(), verdict.clone());
        tokio::spawn(async move {
            let answer = move |request: DecideRequest| {
                asked_1.lock().unwrap().push(request);
                let decision = decision(verdict_1.lock().unwrap().clone());
                let own_sides = own_sides_1.lock().unwrap().clone();
                let own_sides = own_sides.iter().map(|side| call_v1::Side::from(*side).into()).collect();
                let mut gate = gate.clone();
                async move {
                    // An error: the desk is gone, and with it whoever asks.
                    let _ = gate.wait_for(|held| !held).await;
                    DecideResponse { decision: Some((&decision).into()), own_sides, error: String::new() }
                }
            };
            bus_1.serve(subjects::RULES_DECIDE, "rules", stop_1, answer).await.unwrap();
        });
        let (bus_2, stop_2, stored_2) = (bus.clone(), stop.clone(), stored.clone());
        tokio::spawn(async move {
            let answer = move |request: StoreConsentRequest| {
                stored_2.lock().unwrap().push(request);
                async { StoreConsentResponse::default() }
            };
            bus_2.serve(subjects::RULES_STORE_CONSENT, "rules", stop_2, answer).await.unwrap();
        });
        Self { rig, bus, asked, stored, verdict, own_sides, holds_back, events, stop }
    }

    /// What rules says from now on.
    pub fn decide(&self, verdict: Verdict) {
        *self.verdict.lock().unwrap() = verdict;
    }

    /// Says who is the tenant's own from now on.
    pub fn own(&self, sides: &[Side]) {
        *self.own_sides.lock().unwrap() = sides.to_vec();
    }

    /// Rules looks as ever, but what it decides stays under way until it is no longer held back.
    pub fn hold_back(&self, held: bool) {
        self.holds_back.send_replace(held);
    }

    /// The next event that `pick` takes something from; one that it passes over comes again.
    pub async fn event<T>(&mut self, pick: impl Fn(What) -> Option<T>) -> T {
        self.events.next(pick).await.unwrap()
    }

    pub async fn decided(&mut self) -> Decided {
        self.event(|what| if let What::Decided(decided) = what { Some(decided) } else { None }).await
    }

    pub async fn answered(&mut self) -> ConsentAnswered {
        self.event(|what| if let What::ConsentAnswered(a) = what { Some(a) } else { None }).await
    }

    /// What the only leg of a call says to a wish.
    pub async fn control(&self, call_id: &str, what: call_control::What) -> CallControlled {
        let subject = subjects::control(&"acme".parse().unwrap(), call_id);
        let request = CallControl { what: Some(what), recording_id: String::new() };
        self.bus.request(&subject, &request, PATIENCE).await.expect("the call should answer")
    }

    /// Waits until rules was asked so many times.
    pub async fn asked_times(&self, count: usize) -> Vec<DecideRequest> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let asked = self.asked.lock().unwrap().clone();
            if asked.len() >= count {
                return asked;
            }
            assert!(tokio::time::Instant::now() < until, "rules was asked {} times", asked.len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the call is over and everything is written, and says whether `text` was spoken into
    /// any file of NATS or of the spool.
    pub async fn left_on_disk(&mut self, text: &str) -> bool {
        self.rig.metric_becomes("calls_total", |n| n == 1.0).await;
        self.rig.shut_down().await;
        self.left_on_disk_now(text)
    }

    /// The same once more.
    pub fn left_on_disk_now(&self, text: &str) -> bool {
        ["nats", "spool"].iter().any(|folder| holds(&self.rig.dir.path().join(folder), text.as_bytes()))
    }

    /// Rules goes away.
    pub fn rules_stop(&self) {
        self.stop.cancel();
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn holds(path: &Path, text: &[u8]) -> bool {
    if path.is_dir() {
        return std::fs::read_dir(path).unwrap().any(|entry| holds(&entry.unwrap().path(), text));
    }
    // A file of NATS may be replaced by another one meanwhile.
    std::fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text))
}

pub fn decision(verdict: Verdict) -> Decision {
    Decision { direction: Direction::In, verdict, trace: vec!["hotline: matches".into()] }
}

pub fn recorded(class: Class) -> Recorded {
    Recorded {
        rule: "hotline".parse().unwrap(),
        class,
        channels: Channels::Stereo,
        targets: vec!["archive".parse().unwrap()],
        journals: vec![],
        consent: None,
        stop_keys: Some(StopKeys { code: "*1".into(), sides: vec![Side::Callee], in_band: false }),
    }
}

pub fn not_recorded() -> Verdict {
    Verdict::DoNotRecord(NotRecorded { reason: "no rule matches".into() })
}

/// A question in the recorded call: half a second of announcement, key 5 of the caller.
pub fn question(mode: ConsentMode, window_ms: u32) -> ConsentAsked {
    ConsentAsked {
        recorded: recorded(Class::Consent),
        mode,
        asked_by: AskedBy::RecordedCall,
        asked_side: Side::Caller,
        announcement: Some(AnnouncementPlayed {
            name: "greeting".parse().unwrap(),
            sha256: "00ff".into(),
            duration_ms: 500,
        }),
        key: Some('5'),
        window_ms,
        in_band: false,
    }
}

pub fn ask(question: ConsentAsked) -> Verdict {
    Verdict::AskConsent(Box::new(question))
}

/// Recorded with an answer from elsewhere.
pub fn with_consent(outcome: ConsentOutcome, at_unix_us: i64) -> Verdict {
    let consent = Consent {
        mode: ConsentMode::OptIn,
        outcome,
        key: Some('5'),
        at_unix_us,
        announcement: None,
        announcement_sha256: None,
        source: ConsentSource::ConsentCall,
    };
    Verdict::Record(Recorded { consent: Some(consent), ..recorded(Class::Consent) })
}

/// A call in progress: its dialog and the voices of both sides.
pub struct Talk {
    pub client: Client,
    pub caller: Voice,
    pub callee: Voice,
}

impl Talk {
    /// A call from `+49301` to `+493022`, with telephone events.
    pub async fn begin(desk: &Desk) -> Self {
        Self::begin_with(desk, "").await
    }

    /// The same with further headers in the INVITE.
    pub async fn begin_with(desk: &Desk, headers: &str) -> Self {
        let mut client = Client::udp(desk.rig.sip).await;
        let events = format!("a=rtpmap:{EVENT} telephone-event/8000\r\na=label");
        let offer = offer_as(2, "sendonly", &format!("8 {EVENT}"), 1).replace("a=label", &events);
        let (content_type, body) = multipart(&offer, &metadata("+493022"));
        let answer = client.invite(&format!("{SIPREC}{headers}"), &content_type, &body).await;
        assert_eq!(answer.status(), 200, "{}", answer.head);
        let ports = answer.ports();
        Self { client, caller: Voice::to(ports[0]).await, callee: Voice::to(ports[1]).await }
    }

    /// Both sides say something: `count` packets each.
    pub async fn say(&mut self, text: &str, count: u16) {
        for _ in 0..count {
            self.caller.say(text).await;
            self.callee.say(text).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Hears the announcement to its end; not a millisecond less.
    pub async fn hear_announcement(&mut self, text: &str) {
        self.say(text, 20).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
}

/// One side's media.
pub struct Voice {
    socket: UdpSocket,
    to: std::net::SocketAddr,
    sequence: u16,
    timestamp: u32,
}

impl Voice {
    async fn to(port: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Self { socket, to: ([127, 0, 0, 1], port).into(), sequence: 0, timestamp: 0 }
    }

    async fn send(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) {
        let mut packet = vec![0x80, payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(7_u32.to_be_bytes());
        packet.extend(payload);
        self.socket.send_to(&packet, self.to).await.unwrap();
        self.sequence = self.sequence.wrapping_add(1);
    }

    async fn audio(&mut self, payload: &[u8]) {
        self.send(8, self.timestamp, payload).await;
        self.timestamp = self.timestamp.wrapping_add(160);
    }

    /// A packet of speech that holds `text` and can be found by it.
    pub async fn say(&mut self, text: &str) {
        let mut payload = vec![0xD5; 160];
        payload[..text.len()].copy_from_slice(text.as_bytes());
        self.audio(&payload).await;
    }

    /// Presses keys, as telephone events (RFC 4733).
    pub async fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            let key = Key::try_from(key).unwrap();
            let (held, interval) = (Duration::from_millis(80), Duration::from_millis(20));
            for event in sender::key_press(key, held, interval, 8_000) {
                let marker = u8::from(event.marker) << 7;
                self.send(EVENT | marker, self.timestamp, &event.payload).await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            self.timestamp = self.timestamp.wrapping_add(1_600);
        }
    }

    /// Presses keys, as tones in the audio: each 100 ms, and as long a pause.
    pub async fn whistle(&mut self, keys: &str) {
        for key in keys.chars() {
            let (low, high) = Key::try_from(key).unwrap().frequencies_hz();
            let sample = |n: u32| {
                let wave =
                    |hertz: u16| f64::sin(f64::from(n) * f64::from(hertz) * std::f64::consts::TAU / 8_000.0);
                ((wave(low) + wave(high)) * 6_000.0) as i16
            };
            let tone = (0..800).map(sample).chain(std::iter::repeat_n(0, 800));
            let bytes: Vec<u8> = tone.map(|sample| g711::encode(Codec::Pcma, sample)).collect();
            for packet in bytes.chunks(160) {
                self.audio(packet).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}
