//! Plain calls to the consent endpoint, by a phone that is written by hand.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bus::{Bus, BusOptions};
use media::{Announcement, Codec, dtmf};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use wire::rules_v1::{StoreConsentRequest, StoreConsentResponse};

use super::{
    client::{Client, Message},
    rig::{PATIENCE, Rig},
};

/// Half a second of a tone: as short as an announcement can be and still be one.
fn wav(hertz: f64) -> Vec<u8> {
    tone(hertz, 4_000)
}

fn tone(hertz: f64, samples: u32) -> Vec<u8> {
    let samples: Vec<u8> = (0..samples)
        .map(|n| (f64::sin(f64::from(n) * hertz * std::f64::consts::TAU / 8_000.0) * 8_000.0) as i16)
        .flat_map(i16::to_le_bytes)
        .collect();
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + samples.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
    wav.extend((samples.len() as u32).to_le_bytes());
    wav.extend(samples);
    wav
}

/// A tenant whose rules all are called by their mode.
fn config() -> String {
    let rule = |name: &str, consent: &str| {
        let greeting = if name == "long" { "story" } else { "greeting" };
        format!(
            "---\napiVersion: callseal.io/v1alpha1\nkind: RecordingRule\nmetadata: {{name: {name}}}\n\
             spec: {{profile: consent, scope: all, directions: [in], consent: {{{consent}}}, \
             announcements: {{inbound: {greeting}}}}}\n"
        )
    };
    let announcement = |name: &str, audio: &[u8]| {
        format!(
            "---\napiVersion: callseal.io/v1alpha1\nkind: Announcement\nmetadata: {{name: {name}}}\nspec: {{data: \"{}\"}}\n",
            STANDARD.encode(audio)
        )
    };
    [
        super::rig::TENANT.to_owned(),
        announcement("greeting", &wav(440.0)),
        announcement("thanks", &wav(600.0)),
        announcement("story", &tone(440.0, 32_000)),
        // Time enough for a slow machine where a key is pressed, none to lose where none is.
        rule("opt-in", "mode: optIn, key: \"1\", seconds: 60, announcements: {granted: thanks}"),
        rule("opt-in-brief", "mode: optIn, key: \"1\", seconds: 1"),
        rule("opt-out", "mode: optOut, key: \"1\", seconds: 60"),
        rule("opt-out-brief", "mode: optOut, key: \"1\", seconds: 1, announcements: {granted: thanks}"),
        rule("long", "mode: optIn, seconds: 1"),
        rule("patient", "mode: optIn, seconds: 60"),
        rule("no-choice", "mode: noChoice"),
        rule("onward", "mode: optIn, seconds: 60, continueTo: \"sip:next-{callId}@pbx.example\""),
        "---\napiVersion: callseal.io/v1alpha1\nkind: RecordingRule\nmetadata: {name: silent}\n\
         spec: {profile: legalDuty, scope: all}\n"
            .to_owned(),
    ]
    .concat()
}

type Kept = Arc<Mutex<Vec<StoreConsentRequest>>>;

/// Takes answers in rules' place; `error` is what it says of each.
async fn keeper(rig: &Rig, error: &'static str) -> Kept {
    let kept = Kept::default();
    let noting = kept.clone();
    let bus = Bus::connect(BusOptions::new(rig.nats.url(), "keeper")).await.unwrap();
    let (ready, subscribed) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let answer = move |request: StoreConsentRequest| {
            noting.lock().unwrap().push(request);
            async move { StoreConsentResponse { error: error.to_owned() } }
        };
        ready.send(()).unwrap();
        bus.serve(bus::subjects::RULES_STORE_CONSENT, "rules", CancellationToken::new(), answer)
            .await
            .unwrap();
    });
    subscribed.await.unwrap();
    kept
}

/// A phone in a call.
struct Phone {
    client: Client,
    rtp: UdpSocket,
    sequence: u16,
    heard: Vec<u8>,
}

impl Phone {
    async fn new(client: Client) -> Self {
        Self { client, rtp: UdpSocket::bind("127.0.0.1:0").await.unwrap(), sequence: 0, heard: Vec::new() }
    }

    fn offer(&self, formats: &str) -> String {
        let port = self.rtp.local_addr().unwrap().port();
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {formats} 101\r\na=rtpmap:101 telephone-event/8000\r\n"
        )
    }

    async fn invite(&mut self, user: &str, headers: &str, formats: &str) -> Message {
        let sdp = self.offer(formats);
        let request = self.client.request("INVITE", headers, "application/sdp", &sdp);
        let request = request.replacen("sip:srs@", &format!("sip:{user}@"), 1).replace(";+sip.src", "");
        self.client.send(request.as_bytes()).await;
        self.client.response().await
    }

    /// Calls the rule `user` names, about the call `call-7@pbx`.
    async fn call(&mut self, user: &str) {
        let answer = self.invite(user, "X-Call-ID: call-7@pbx\r\n", "8").await;
        assert_eq!(answer.status(), 200, "{}", answer.head);
        assert!(!answer.header("Contact").contains("+sip.srs"), "{}", answer.head);
        self.client.to = answer.header("To").to_owned();
        self.rtp.connect(("127.0.0.1", answer.ports()[0])).await.unwrap();
        self.client.ack().await;
    }

    /// Listens until a request comes, and answers it.
    async fn until_request(&mut self) -> Message {
        let mut packet = [0; 2048];
        let listening = async {
            loop {
                tokio::select! {
                    message = self.client.receive() => if message.status() == 0 { return message },
                    received = self.rtp.recv(&mut packet) => self.heard.extend_from_slice(&packet[12..received.unwrap()]),
                }
            }
        };
        let request = tokio::time::timeout(PATIENCE, listening).await.expect("a request should have come");
        // What was sent before it, and not listened to yet.
        while let Ok(length) = self.rtp.try_recv(&mut packet) {
            self.heard.extend_from_slice(&packet[12..length]);
        }
        self.client.answer(&request, "200 OK").await;
        request
    }

    /// Listens until so much audio other than silence was heard.
    async fn hear(&mut self, octets: usize) {
        let mut packet = [0; 2048];
        // Of the whole: silence goes on for ever, one packet after the other.
        let until = tokio::time::Instant::now() + PATIENCE;
        while self.speech().len() < octets {
            let received = tokio::time::timeout_at(until, self.rtp.recv(&mut packet)).await;
            let length = received.expect("audio should have come").unwrap();
            self.heard.extend_from_slice(&packet[12..length]);
        }
    }

    /// Nobody presses a key in the very moment in which an announcement ends.
    async fn breathe(&self) {
        tokio::time::sleep(Duration::from_millis(60)).await;
    }

    /// Frames that are not silence.
    fn speech(&self) -> Vec<u8> {
        let silence = Codec::Pcma.silence();
        let frames = self.heard.chunks(160).filter(|frame| frame.iter().any(|octet| *octet != silence));
        frames.flatten().copied().collect()
    }

    async fn send(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) {
        let mut packet = vec![0x80, payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(7_u32.to_be_bytes());
        packet.extend(payload);
        self.sequence += 1;
        let _ = self.rtp.send(&packet).await;
    }

    async fn press(&mut self, key: char) {
        let key = dtmf::Key::try_from(key).unwrap();
        self.breathe().await;
        let held = Duration::from_millis(100);
        for event in dtmf::sender::key_press(key, held, Duration::from_millis(20), 8_000) {
            self.send(101, 80_000, &event.payload).await;
        }
    }

    async fn tone(&mut self, key: char) {
        self.breathe().await;
        let (low, high) = dtmf::Key::try_from(key).unwrap().frequencies_hz();
        for frame in 0..10_u32 {
            let sample = |n: u32| {
                let at = f64::from(frame * 160 + n) / 8_000.0;
                let wave = |hertz: u16| (f64::from(hertz) * at * std::f64::consts::TAU).sin() * 6_000.0;
                media::g711::encode(Codec::Pcma, (wave(low) + wave(high)) as i16)
            };
            let payload: Vec<u8> = (0..160).map(sample).collect();
            self.send(8, frame * 160, &payload).await;
            // At the pace of speech: when a tone began follows from when its packets came.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The pause that ends a tone.
        for frame in 10..15 {
            self.send(8, frame * 160, &[Codec::Pcma.silence(); 160]).await;
        }
    }
}

fn kept_outcomes(kept: &Kept) -> Vec<String> {
    kept.lock().unwrap().iter().map(|r| r.consent.clone().unwrap().outcome).collect()
}

async fn kept_one(kept: &Kept) -> StoreConsentRequest {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(request) = kept.lock().unwrap().first() {
            return request.clone();
        }
        assert!(tokio::time::Instant::now() < until, "no answer was kept");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn octets(hertz: f64) -> Vec<u8> {
    Announcement::from_file(&wav(hertz)).unwrap().encoded(Codec::Pcma).payload().to_vec()
}

#[tokio::test]
async fn f20_f24_the_announcement_is_heard_bit_by_bit_and_the_key_is_kept_with_its_proof() {
    let rig = Rig::with(None, &config(), &[]).await;
    let kept = keeper(&rig, "").await;
    let mut phone = Phone::new(Client::udp(rig.sip).await).await;
    phone.call("consent.opt-in").await;
    let announcement = octets(440.0);
    phone.hear(announcement.len()).await;
    assert_eq!(phone.speech(), announcement);
    phone.heard.clear();
    phone.press('1').await;
    let bye = phone.until_request().await;
    assert!(bye.head.starts_with("BYE "), "{}", bye.head);
    assert_eq!(bye.header("X-Callseal-Consent"), "granted");
    assert_eq!(phone.speech(), octets(600.0), "the outcome's announcement");

    let request = kept_one(&kept).await;
    let consent = request.consent.unwrap();
    assert_eq!((request.tenant.as_str(), request.call_id.as_str()), ("acme", "call-7@pbx"));
    assert_eq!(
        (consent.mode.as_str(), consent.outcome.as_str(), consent.key.as_str()),
        ("optIn", "granted", "1")
    );
    assert_eq!((consent.announcement.as_str(), consent.source.as_str()), ("greeting", "consent call"));
    assert_eq!(consent.announcement_sha256, Announcement::from_file(&wav(440.0)).unwrap().sha256_hex());
    rig.metric_becomes("consent_calls_live", |live| live == 0.0).await;
}

#[derive(Clone, Copy, Debug)]
enum Pressed {
    Nothing,
    Event(char),
    Tone(char),
    Info(&'static str, &'static str),
}

#[tokio::test]
async fn f21_f22_each_way_to_press_a_key_counts_and_only_the_right_key_does() {
    use Pressed::{Event, Info, Nothing, Tone};
    let rig = Rig::with(None, &config(), &[]).await;
    let kept = keeper(&rig, "").await;
    for (rule, pressed, outcome) in [
        ("opt-in", Tone('1'), "granted"),
        ("opt-in", Info("application/dtmf-relay", "Signal=1\r\nDuration=160\r\n"), "granted"),
        ("opt-in", Info("application/dtmf", "1"), "granted"),
        ("opt-in-brief", Event('2'), "no-answer"),
        ("opt-in-brief", Nothing, "no-answer"),
        ("opt-out", Event('1'), "denied"),
        ("opt-out-brief", Event('#'), "no-answer"),
        ("no-choice", Nothing, "no-answer"),
    ] {
        let mut phone = Phone::new(Client::tcp(rig.sip).await).await;
        phone.call(&format!("consent.{rule}")).await;
        phone.hear(octets(440.0).len()).await;
        match pressed {
            Nothing => {}
            Event(key) => phone.press(key).await,
            Tone(key) => phone.tone(key).await,
            Info(content_type, body) => {
                let answer = phone.client.ask("INFO", "", content_type, body).await;
                assert_eq!(answer.status(), 200, "{}", answer.head);
            }
        }
        let bye = phone.until_request().await;
        assert_eq!(bye.header("X-Callseal-Consent"), outcome, "{rule} {pressed:?}");
        assert_eq!(kept_outcomes(&kept).last().unwrap(), outcome, "{rule} {pressed:?}");
    }
}

#[tokio::test]
async fn f23_who_says_nothing_is_told_what_follows() {
    let rig = Rig::with(None, &config(), &[]).await;
    let _kept = keeper(&rig, "").await;
    let mut phone = Phone::new(Client::udp(rig.sip).await).await;
    phone.call("consent.opt-out-brief").await;
    let bye = phone.until_request().await;
    assert_eq!(bye.header("X-Callseal-Consent"), "no-answer");
    assert_eq!(phone.speech(), [octets(440.0), octets(600.0)].concat(), "it will be recorded: thanks");
}

#[tokio::test]
async fn a_key_before_the_end_of_the_announcement_agrees_to_nothing() {
    let rig = Rig::with(None, &config(), &[]).await;
    let kept = keeper(&rig, "").await;
    let mut phone = Phone::new(Client::udp(rig.sip).await).await;
    phone.call("consent.long").await;
    phone.hear(160).await;
    phone.press('1').await;
    let bye = phone.until_request().await;
    assert_eq!(bye.header("X-Callseal-Consent"), "no-answer");
    assert_eq!(kept_one(&kept).await.consent.unwrap().outcome, "no-answer");
}

#[tokio::test]
async fn who_hangs_up_in_mid_announcement_has_given_no_consent() {
    let rig = Rig::with(None, &config(), &[]).await;
    let kept = keeper(&rig, "").await;
    let mut phone = Phone::new(Client::udp(rig.sip).await).await;
    phone.call("consent.patient").await;
    phone.hear(160).await;
    phone.client.bye().await;
    assert_eq!(kept_one(&kept).await.consent.unwrap().outcome, "no-answer");
    rig.metric_becomes("consent_calls_live", |live| live == 0.0).await;
}

#[tokio::test]
async fn a_rule_can_send_the_caller_on_with_the_outcome() {
    let rig = Rig::with(None, &config(), &[]).await;
    let _kept = keeper(&rig, "").await;
    let mut phone = Phone::new(Client::udp(rig.sip).await).await;
    phone.call("consent.onward").await;
    phone.hear(octets(440.0).len()).await;
    phone.press('5').await;
    let refer = phone.until_request().await;
    assert!(refer.head.starts_with("REFER "), "{}", refer.head);
    assert_eq!(refer.header("Refer-To"), "<sip:next-call-7%40pbx@pbx.example?X-Callseal-Consent=granted>");
    phone.client.bye().await;
    rig.metric_becomes("consent_calls_live", |live| live == 0.0).await;
}

#[tokio::test]
async fn what_could_not_be_kept_is_not_told_as_granted() {
    let rig = Rig::with(None, &config(), &[]).await;
    let kept = keeper(&rig, "the disk is full").await;
    let mut phone = Phone::new(Client::udp(rig.sip).await).await;
    phone.call("consent.opt-in").await;
    phone.hear(octets(440.0).len()).await;
    phone.press('1').await;
    let bye = phone.until_request().await;
    assert_eq!(bye.header("X-Callseal-Consent"), "no-answer");
    assert!(kept.lock().unwrap().len() > 1, "it was tried again");
}

#[tokio::test]
async fn f25_an_announcing_call_asks_nothing_and_keeps_nothing() {
    let rig = Rig::with(None, &config(), &[]).await;
    let kept = keeper(&rig, "").await;
    let mut phone = Phone::new(Client::udp(rig.sip).await).await;
    phone.call("announce.opt-in").await;
    let bye = phone.until_request().await;
    assert_eq!(bye.header("X-Callseal-Consent"), "");
    assert_eq!(phone.speech(), octets(440.0));
    assert!(kept.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_the_reason() {
    let rig = Rig::with(None, &config(), &[]).await;
    let id = "X-Call-ID: 1\r\n";
    for (user, headers, formats, status, reason) in [
        ("consent.nobody", id, "8", 404, "no enabled rule of this name"),
        ("consent.opt-in", "", "8", 400, "send X-Call-ID or Session-ID"),
        ("consent.silent", id, "8", 488, "asks for no consent"),
        ("announce.silent", id, "8", 488, "no announcement"),
        ("consent.opt-in", id, "9", 488, "PCMA and PCMU"),
        ("somebody", id, "8", 488, "recording sessions"),
    ] {
        let mut phone = Phone::new(Client::udp(rig.sip).await).await;
        let answer = phone.invite(user, headers, formats).await;
        assert_eq!(answer.status(), status, "{user}: {}", answer.head);
        assert!(answer.header("Warning").contains(reason), "{user}: {}", answer.head);
    }
}
