//! rtpengine in the middle of a call: two phones, its media, its offer to the recorder.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::{Context, ensure};
use domain::Side;
use harness::{
    resources,
    rtp::{RtpSender, noise},
    rtpengine::Rtpengine,
    sip_by_hand::{Content, SIPREC, SipByHand},
    sipp::Transport,
    world::World,
};
use tokio::net::UdpSocket;

use super::{
    audio::{Sent, is_exactly},
    recording_of, srs,
};

const CALL: &str = "call-of-rtpengine";
/// Three seconds.
const PACKETS: usize = 150;

#[tokio::test(flavor = "multi_thread")]
async fn what_two_phones_say_through_rtpengine_is_recorded_bit_by_bit() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let world = World::start(dir.path(), &resources::record_everything(dir.path())).await?;
    let mut rtpengine = Rtpengine::start(dir.path()).await?;

    // Two phones, and rtpengine between them.
    let (caller, callee) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    let to_callee = rtpengine.offer(CALL, "from-caller", &phone(caller.local_addr()?)).await?;
    let to_caller =
        rtpengine.answer(CALL, "from-caller", "from-callee", &phone(callee.local_addr()?)).await?;

    // The recording session: the offer is rtpengine's, word for word.
    let subscription = rtpengine.subscribe(CALL).await?;
    let mut client = SipByHand::new(srs(&world), Transport::Tcp).await?;
    let content = Content::both(&subscription.sdp, &metadata(&subscription.labels)?);
    let answer = client.invite(&format!("{SIPREC}X-Call-ID: {CALL}\r\n"), &content).await?;
    ensure!(answer.status() == 200, "{}", answer.head);
    rtpengine.subscribed(CALL, &subscription, &answer.body).await?;

    let (said, replied) = (noise(1, PACKETS), noise(2, PACKETS));
    let mut caller = RtpSender::over(caller, media_of(&to_caller)?, 8)?;
    let mut callee = RtpSender::over(callee, media_of(&to_callee)?, 8)?;
    tokio::try_join!(caller.play(&said), callee.play(&replied))?;
    client.bye().await?;
    rtpengine.delete(CALL, "from-caller").await?;

    let recording = recording_of(&dir.path().join("archive"), CALL).await.with_context(|| world.logs())?;
    let info = recording.info()?;
    for (key, value) in [
        ("Caller", "+4930999000051"),
        ("Callee", "+4989999000052"),
        ("Channels", "caller,callee"),
        ("Codec", "PCMA"),
        ("PacketsReceived", "150,150"),
        ("PacketsLost", "0,0"),
        ("Interrupted", "no"),
    ] {
        assert_eq!(info[key], value, "{key}: {info:#?}");
    }
    let sent = [(Side::Caller, said), (Side::Callee, replied)]
        .map(|(side, audio)| Sent { side, pieces: vec![audio] });
    is_exactly(&recording, &sent).with_context(|| format!("{info:#?}"))
}

/// What a phone says of itself.
fn phone(at: SocketAddr) -> String {
    let (ip, port) = (at.ip(), at.port());
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )
}

/// Where media is to be sent.
fn media_of(sdp: &str) -> anyhow::Result<SocketAddr> {
    let line = sdp.lines().find_map(|line| line.strip_prefix("m=audio ")).context("no m-line")?;
    let port = line.split(' ').next().context("no port")?.parse()?;
    Ok(SocketAddr::from(([127, 0, 0, 1], port)))
}

/// What a proxy like OpenSIPS says about the call, with rtpengine's labels.
fn metadata(labels: &BTreeMap<String, String>) -> anyhow::Result<String> {
    let label_of = |tag: &str| {
        let found = labels.iter().find(|(_, of)| *of == tag);
        found.map(|(label, _)| label).with_context(|| format!("rtpengine named no label of {tag}"))
    };
    Ok(format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<recording xmlns='urn:ietf:params:xml:ns:recording:1'>
  <datamode>complete</datamode>
  <session session_id="czE="/>
  <participant participant_id="cDE="><nameID aor="sip:+4930999000051@pbx.example"/></participant>
  <participant participant_id="cDI="><nameID aor="sip:+4989999000052@pbx.example"/></participant>
  <stream stream_id="c3Q=" session_id="czE="><label>{}</label></stream>
  <stream stream_id="c3U=" session_id="czE="><label>{}</label></stream>
  <participantstreamassoc participant_id="cDE="><send>c3Q=</send><recv>c3U=</recv></participantstreamassoc>
  <participantstreamassoc participant_id="cDI="><send>c3U=</send><recv>c3Q=</recv></participantstreamassoc>
</recording>"#,
        label_of("from-caller")?,
        label_of("from-callee")?,
    ))
}
