//! Calls into a running installation, and what must have become of them.

#![allow(dead_code, reason = "each test file uses some of it")]

pub mod journal;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use callseal::load::{Call, CallReport, CallSpec, Client, ClientOptions, PartySpec, SipTransport};
use domain::Side;
use harness::{
    recordings::{Recording, occurrences},
    world::World,
};

/// The numbers and names of the calls: made up, and looked for where they must not be.
pub const CALLER: (&str, &str) = ("+4930999000017", "Zacharias Zeugnis");
/// The called side.
pub const CALLEE: (&str, &str) = ("+4989999000023", "Friederike Fabelhaft");

/// A client that places calls into `world`.
pub async fn client(world: &World, transport: SipTransport) -> anyhow::Result<Client> {
    client_of(([127, 0, 0, 1], world.installation.ports.sip).into(), transport).await
}

/// A client that places calls at a recorder's address.
pub async fn client_of(srs: SocketAddr, transport: SipTransport) -> anyhow::Result<Client> {
    Client::start(ClientOptions::new(srs, transport)).await
}

/// Two parties, speech on both sides.
pub fn two_parties() -> CallSpec {
    CallSpec::speech(PartySpec::new(CALLER.0, CALLER.1), PartySpec::new(CALLEE.0, CALLEE.1))
}

/// Places a call and lets both sides speak; `meanwhile` happens after the first third.
pub async fn disturbed<F>(client: &Client, third: Duration, meanwhile: F) -> anyhow::Result<CallReport>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let mut call = Call::invite(client, two_parties()).await.context("INVITE")?;
    call.play(third).await;
    let (disturbed, ()) = tokio::join!(meanwhile, call.play(third));
    disturbed?;
    call.play(third).await;
    call.bye().await.context("BYE")
}

/// Places a call that nothing disturbs.
pub async fn quiet(client: &Client, duration: Duration) -> anyhow::Result<CallReport> {
    let mut call = Call::invite(client, two_parties()).await.context("INVITE")?;
    call.play(duration).await;
    call.bye().await.context("BYE")
}

/// Two parties who say what nobody says in a call with another `number`: audio that gets into the
/// recording of another call is found out.
pub fn distinct(number: usize) -> CallSpec {
    let mut spec = two_parties();
    for stream in &mut spec.streams {
        let mut audio = stream.audio.to_vec();
        let length = audio.len();
        audio.rotate_left(number * 1_777 % length);
        stream.audio = Arc::from(audio);
    }
    spec
}

/// Places `count` calls at once, all [`distinct`]; `meanwhile` happens after the first third.
pub async fn several<F>(
    client: &Client,
    count: usize,
    third: Duration,
    meanwhile: F,
) -> anyhow::Result<Vec<CallReport>>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let calls = (0..count).map(|number| async move {
        let mut call = Call::invite(client, distinct(number)).await.context("INVITE")?;
        call.play(third * 3).await;
        call.bye().await.context("BYE")
    });
    let meanwhile = async {
        tokio::time::sleep(third).await;
        meanwhile.await
    };
    let (reports, disturbed) = tokio::join!(futures::future::try_join_all(calls), meanwhile);
    disturbed?;
    reports
}

/// The recording of a call; there is no second one.
pub fn recording_of<'a>(found: &'a [Recording], report: &CallReport) -> anyhow::Result<&'a Recording> {
    let mut of_call = None;
    for recording in found {
        if recording.info()?["CallId"] == report.sip_call_id {
            ensure!(of_call.replace(recording).is_none(), "a call was recorded twice");
        }
    }
    of_call.context("a call was not recorded")
}

/// Each of the calls is recorded to the byte, once, without an interruption.
pub fn each_is_complete(found: &[Recording], reports: &[CallReport]) -> anyhow::Result<()> {
    for (number, report) in reports.iter().enumerate() {
        let context = || format!("call {number}");
        let recording = recording_of(found, report).with_context(context)?;
        is_complete(recording, report).with_context(context)?;
        let info = recording.info()?;
        let losses = (info["Interrupted"].as_str(), info["PacketsLost"].as_str());
        ensure!(losses == ("no", "0,0"), "call {number}: {losses:?}");
    }
    Ok(())
}

/// What a side sent.
pub fn sent(report: &CallReport, side: Side) -> anyhow::Result<Vec<u8>> {
    let stream = report.streams.iter().find(|stream| stream.side == side).context("the side sent nothing")?;
    Ok(stream.expected_audio())
}

/// Every byte that was sent stands in its channel, in order, once; nothing but silence is around it;
/// both sides are in step.
pub fn is_complete(recording: &Recording, report: &CallReport) -> anyhow::Result<()> {
    let channels = recording.channels()?;
    ensure!(channels.len() == 2, "{} channels", channels.len());
    let mut starts = Vec::new();
    for (side, channel) in [(Side::Caller, &channels[0]), (Side::Callee, &channels[1])] {
        let sent = sent(report, side)?;
        let start = channel.windows(sent.len()).position(|window| window == sent);
        let start = start.with_context(|| {
            format!("{side:?}: {} bytes sent, {} bytes recorded, not the same", sent.len(), channel.len())
        })?;
        let silent = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0xD5);
        ensure!(
            silent(&channel[..start]) && silent(&channel[start + sent.len()..]),
            "{side:?}: more than was sent"
        );
        starts.push(start as i64);
    }
    let step_ms = (starts[0] - starts[1]).abs() / 8;
    ensure!(step_ms <= 40, "the sides are {step_ms} ms apart");
    Ok(())
}

/// As much of what was sent stands in the recording, from its first byte on, without a hole.
pub fn beginning_of(recording: &Recording, report: &CallReport, side: Side) -> anyhow::Result<Duration> {
    let channels = recording.channels()?;
    let channel = channels.get(if side == Side::Caller { 0 } else { 1 }).context("the channel is missing")?;
    let sent = sent(report, side)?;
    // The second second: the first may begin with a pause, which fits in more than one place.
    let second = sent.get(8_000..16_000).context("less than 2 s sent")?;
    let found =
        channel.windows(second.len()).position(|w| w == second).context("the beginning is missing")?;
    let start = found.checked_sub(8_000).context("the first second is missing")?;
    let same = channel[start..].iter().zip(&sent).take_while(|(recorded, sent)| recorded == sent).count();
    let rest = &channel[start + same..];
    ensure!(rest.iter().all(|byte| *byte == 0xD5), "after {same} bytes come others than were sent");
    Ok(Duration::from_millis(same as u64 / 8))
}

/// How long the log of a new archive may take to follow the first recording.
const LOG_FOLLOWS: Duration = Duration::from_secs(120);

/// `callseal verify` says that all is well with the archive, once its log has come: `archive.txt` is the
/// last of it.
pub fn verified(archive: &Path, certificate: &Path) -> anyhow::Result<String> {
    let deadline = std::time::Instant::now() + LOG_FOLLOWS;
    while !archive.join("archive.txt").exists() {
        ensure!(std::time::Instant::now() < deadline, "no log comes into the archive");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut verify = std::process::Command::new(harness::programs::own("callseal")?);
    let output = verify.arg("verify").arg(archive).arg("--certificate").arg(certificate).output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{said}");
    Ok(said)
}

/// How often a piece of what was sent stands in a channel: 1, or something was doubled or lost.
pub fn times_recorded(recording: &Recording, report: &CallReport) -> anyhow::Result<usize> {
    let sent = sent(report, Side::Caller)?;
    Ok(occurrences(&recording.channels()?[0], &sent))
}

/// `callseal verify` says that all is well, and that `count` recordings hang on one chain from its
/// first link on.
pub fn on_one_chain(archive: &Path, certificate: &Path, count: usize) -> anyhow::Result<()> {
    let said = verified(archive, certificate)?;
    let expected = format!("acme/regulated: {count} recordings, chain complete from 1 ");
    ensure!(said.contains(&expected), "{said}");
    Ok(())
}
