//! Many callers of the consent endpoint at once: does each hear the announcement bit by bit, and do
//! the packets come 20 ms apart?

use std::{collections::BTreeMap, fmt, path::Path, time::Duration};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use harness::{phone, phone::Phone, resources, world::World};
use media::{Announcement, Codec, announcement};

use crate::cpu;

/// Distance of two packets (RFC 3551), microseconds.
const PACKET_US: i64 = 20_000;
/// How far from it a packet may be, microseconds.
const TOLERANCE_US: i64 = 2_000;
/// What is played: shipped with Callseal.
const PLAYED: &str = "de/opt-in";

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Callers at once.
    pub calls: usize,
    /// Length of the announcement.
    pub announcement: Duration,
    /// Callers that heard something else than the encoded announcement.
    pub altered: usize,
    /// Distances between neighbouring packets, less 20 ms, microseconds without sign, sorted.
    pub deviations_us: Vec<i64>,
    /// What the endpoint said at the end, and how often.
    pub outcomes: BTreeMap<String, usize>,
    /// CPU time of ingest.
    pub cpu: Duration,
}

impl Outcome {
    /// Every caller heard every octet.
    ///
    /// # Errors
    /// Says how many did not.
    pub fn nothing_altered(&self) -> anyhow::Result<()> {
        ensure!(self.altered == 0, "{} callers heard something else than the announcement", self.altered);
        Ok(())
    }

    fn permille(&self, share: usize) -> f64 {
        let at = (self.deviations_us.len() * share / 1000).min(self.deviations_us.len().saturating_sub(1));
        self.deviations_us.get(at).map_or(0.0, |us| *us as f64 / 1000.0)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = self.deviations_us.iter().filter(|us| **us <= TOLERANCE_US).count();
        let all = self.deviations_us.len();
        writeln!(f, "{} callers at once, an announcement of {:.1?}", self.calls, self.announcement)?;
        writeln!(f, "  heard otherwise than encoded   {}", self.altered)?;
        writeln!(f, "  packets within 20 ms ± 2 ms    {within} of {all}")?;
        writeln!(
            f,
            "  distance from 20 ms            median {:.2} ms, 99 % {:.2} ms, 99.9 % {:.2} ms, worst {:.2} ms",
            self.permille(500),
            self.permille(990),
            self.permille(999),
            self.permille(1000)
        )?;
        writeln!(f, "  outcomes                       {:?}", self.outcomes)?;
        writeln!(f, "  CPU of ingest                  {:.2?}", self.cpu)
    }
}

/// Lets `calls` phones hear the announcement at once, and answers nothing.
///
/// # Errors
/// The system did not start, or a call was refused.
pub async fn run(dir: &Path, calls: usize) -> anyhow::Result<Outcome> {
    let rule = format!(
        "---\napiVersion: callseal.io/v1alpha1\nkind: Announcement\nmetadata: {{name: greeting, namespace: acme}}\n\
         spec: {{builtIn: {PLAYED}}}\n\
         ---\napiVersion: callseal.io/v1alpha1\nkind: RecordingRule\nmetadata: {{name: asked, namespace: acme}}\n\
         spec: {{order: 1, profile: consent, scope: all, directions: [in], \
         consent: {{mode: optIn, seconds: 1}}, announcements: {{inbound: greeting}}}}\n"
    );
    let resources =
        resources::with_targets(&dir.join("archive"), &dir.join("journal.sqlite"), "archive", "main", &rule);
    let world = World::start(dir, &resources).await?;
    let sip = ([127, 0, 0, 1], world.installation.ports.sip).into();
    let file = announcement::built_in(PLAYED).context("the announcement is shipped")?;
    let played = Announcement::from_file(file)?;
    let expected = played.encoded(Codec::Pcma).payload().to_vec();
    let ingest = world.process("ingest")?.id();
    let before = cpu::used(ingest)?;

    let one = |number: usize| async move {
        // Calls come spread over a second, not in one instant.
        tokio::time::sleep(Duration::from_millis((number * 1000 / calls) as u64)).await;
        let phone = Phone::call(sip, "consent.asked", &format!("X-Call-ID: bench-{number}\r\n")).await?;
        let outcome = phone.until_bye().await?;
        anyhow::Ok((phone.heard()?, outcome))
    };
    let heard = try_join_all((0..calls).map(one)).await?;

    let cpu = cpu::used(ingest)? - before;
    let (mut altered, mut deviations_us, mut outcomes) = (0, Vec::new(), BTreeMap::new());
    for (packets, outcome) in heard {
        *outcomes.entry(outcome).or_default() += 1;
        let spoken = phone::speech(&packets);
        // Frames that happen to be silent are not told from silence around: they drop out of both.
        let expected: Vec<u8> = expected
            .chunks(160)
            .filter(|frame| frame.iter().any(|octet| *octet != Codec::Pcma.silence()))
            .flatten()
            .copied()
            .collect();
        altered += usize::from(spoken != expected);
        let pairs = packets.windows(2);
        deviations_us
            .extend(pairs.map(|pair| (pair[1].arrival_unix_us - pair[0].arrival_unix_us - PACKET_US).abs()));
    }
    deviations_us.sort_unstable();
    Ok(Outcome { calls, announcement: played.duration(), altered, deviations_us, outcomes, cpu })
}
