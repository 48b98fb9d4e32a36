//! SIPp, over UDP and TCP: each scenario must end as it wants, and what it played must be sealed.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use anyhow::Context;
use domain::Side;
use futures::future::try_join_all;
use harness::{
    recordings, resources,
    rtp::{RtpSender, noise},
    sipp::{
        Sipp,
        Transport::{self, Tcp, Udp},
    },
    world::World,
};

use super::{
    audio::{Sent, is_exactly},
    recording_of, srs,
};

/// Three seconds.
const PACKETS: usize = 150;

/// What comes of a scenario.
enum Comes {
    /// No recording.
    Nothing,
    /// A recording, which SIPp plays into, and the test too on the second stream.
    Audio(&'static [(&'static str, &'static str)]),
    /// A recording without a packet.
    Silence(&'static [(&'static str, &'static str)]),
}

const CLARA_CALLS_BORIS: &[(&str, &str)] = &[
    ("Caller", "+4930999000041"),
    ("CallerName", "Clara Client"),
    ("Callee", "+4989999000042"),
    ("CalleeName", "Boris Banker"),
    ("Channels", "caller,callee"),
    ("Codec", "PCMA"),
    ("PacketsReceived", "150,150"),
    ("PacketsLost", "0,0"),
    ("Interrupted", "no"),
    ("Ended", "hung up"),
];

const TRANSFERRED_TO_DORIS: &[(&str, &str)] = &[
    ("Caller", "+4930999000041"),
    ("Callee", "+4989999000043"),
    ("CalleeName", "Doris Deputy"),
    ("PacketsReceived", "150,150"),
    ("Interrupted", "no"),
];

const NO_ANSWER_TAKEN: &[(&str, &str)] = &[
    ("PacketsReceived", "0,0"),
    ("Interrupted", "no RTP was received"),
    ("Ended", "the answer was never acknowledged"),
];

const GIVEN_UP: &[(&str, &str)] =
    &[("PacketsReceived", "0,0"), ("Interrupted", "no RTP was received"), ("Ended", "hung up")];

/// SIPp counts a repeated 200 over TCP as a mistake of ours (it is none: RFC 3261, section 13.3.1.4),
/// so that the missing ACK is tried over UDP alone.
static SCENARIOS: [(&str, &[Transport], Comes); 7] = [
    ("recorded_call", &[Udp, Tcp], Comes::Audio(CLARA_CALLS_BORIS)),
    ("hold_and_update", &[Udp, Tcp], Comes::Audio(TRANSFERRED_TO_DORIS)),
    ("ack_missing_with_media", &[Udp], Comes::Audio(CLARA_CALLS_BORIS)),
    ("ack_missing_without_media", &[Udp], Comes::Silence(NO_ANSWER_TAKEN)),
    ("cancel_too_late", &[Udp, Tcp], Comes::Silence(GIVEN_UP)),
    ("plain_call", &[Udp, Tcp], Comes::Nothing),
    ("options", &[Udp, Tcp], Comes::Nothing),
];

struct Run {
    scenario: &'static str,
    transport: Transport,
    comes: &'static Comes,
    name: String,
    /// What each stream plays.
    audio: [Vec<u8>; 2],
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_is_satisfied_with_every_scenario_and_what_it_played_is_sealed() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let archive = dir.path().join("archive");
    // 64·T1 is how long an ACK is waited for.
    let extra = [("ingest", "--sip-t1=0.1")];
    let world = World::start_with(dir.path(), &resources::record_everything(dir.path()), &extra).await?;

    let certificate = world.installation.path("data/callseal.pem");
    let mut runs = Vec::new();
    for (scenario, transports, comes) in &SCENARIOS {
        for transport in *transports {
            let name = format!("{scenario} over {transport:?}");
            let seed = runs.len() as u64 * 2;
            let audio = [noise(seed + 1, PACKETS), noise(seed + 2, PACKETS)];
            runs.push(Run { scenario, transport: *transport, comes, name, audio });
        }
    }
    let played = runs.iter().map(|run| play(run, srs(&world), dir.path().join(&run.name)));
    try_join_all(played).await.with_context(|| world.logs())?;

    for run in &runs {
        let (expected, audio) = match run.comes {
            Comes::Nothing => continue,
            Comes::Audio(expected) => (expected, true),
            Comes::Silence(expected) => (expected, false),
        };
        let recording = recording_of(&archive, &run.name).await.with_context(|| world.logs())?;
        recording.check_with_plain_tools(&certificate).with_context(|| run.name.clone())?;
        let info = recording.info()?;
        for (key, value) in *expected {
            assert_eq!(info.get(*key).map(String::as_str), Some(*value), "{}: {key}: {info:#?}", run.name);
        }
        let pieces = |stream: usize| match (audio, run.scenario) {
            (false, _) => Vec::new(),
            // SIPp falls silent somewhere around its first second.
            (true, "hold_and_update") if stream == 0 => halves_around_the_hold(&run.audio[0], &info),
            (true, _) => vec![run.audio[stream].clone()],
        };
        let sent =
            [Sent { side: Side::Caller, pieces: pieces(0) }, Sent { side: Side::Callee, pieces: pieces(1) }];
        is_exactly(&recording, &sent).with_context(|| format!("{}: {info:#?}", run.name))?;
    }
    let recorded = runs.iter().filter(|run| !matches!(run.comes, Comes::Nothing)).count();
    assert_eq!(recordings::find(&archive)?.len(), recorded, "one recording for each recorded call");
    Ok(())
}

/// Plays a scenario; the second stream is ours.
async fn play(run: &Run, srs: SocketAddr, dir: PathBuf) -> anyhow::Result<()> {
    let mut sipp = Sipp::start(run.scenario, srs, run.transport, &dir, &run.name, &run.audio[0])?;
    let ours = async {
        if matches!(run.comes, Comes::Audio(_)) {
            let port: u16 = sipp.logged("second_port").await?.parse()?;
            RtpSender::new(([127, 0, 0, 1], port).into(), 8).await?.play(&run.audio[1]).await?;
        }
        anyhow::Ok(())
    };
    ours.await.with_context(|| run.name.clone())?;
    sipp.succeeded().await.with_context(|| run.name.clone())
}

/// SIPp's stream in two pieces: before and after the hold, which is the quiet gap of channel 1.
fn halves_around_the_hold(audio: &[u8], info: &BTreeMap<String, String>) -> Vec<Vec<u8>> {
    let gap = |cause: &str| {
        let gap = info.values().find(|gap| gap.starts_with("channel 1 at") && gap.ends_with(cause))?;
        let (at, rest) = gap.split_once("samples ")?.1.split_once('+')?;
        Some((at.parse::<usize>().ok()?, rest.split(',').next()?.parse::<usize>().ok()?))
    };
    // SIPp may have begun later than the other side.
    let (_, late) = gap("late-start").unwrap_or((0, 0));
    let (hold, _) = gap("quiet").unwrap_or((audio.len() + late, 0));
    let (before, after) = audio.split_at((hold - late).min(audio.len()));
    vec![before.to_vec(), after.to_vec()]
}
