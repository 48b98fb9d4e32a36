//! Many calls at once through NATS and five processes: is anything lost, what does it cost, how long
//! does it take until a call that hung up lies in the archive?

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use bus::{Bus, BusOptions};
use futures::StreamExt;
use harness::{installation::SERVICES, process::Process, programs, recordings, resources, world::World};
use serde::Deserialize;

use crate::{
    cpu,
    delays::{Delays, Spread},
};

/// How long the last call may take from hang-up to the archive before the run counts as failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is put through.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Calls at once, two streams each.
    pub calls: u32,
    /// Length of each.
    pub seconds: u32,
}

/// What `callseal load --json` says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    completed: u32,
    failed: BTreeMap<String, u32>,
    packets_sent: u64,
    slowest_answer_ms: f64,
    worst_pacing_delay_ms: f64,
}

/// What one process used.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// CPU time, over the whole run.
    pub cpu: Duration,
    /// Resident memory before the first call, bytes.
    pub memory_before: u64,
    /// Most resident memory that was seen, bytes.
    pub memory_peak: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What was put through.
    pub load: Load,
    /// Calls that were answered and ended as they should.
    pub completed: u32,
    /// Why others were not.
    pub failed: BTreeMap<String, u32>,
    /// Packets that the generator sent.
    pub packets_sent: u64,
    /// What the services said.
    pub delays: Delays,
    /// Recordings in the archive.
    pub archived: usize,
    /// Slowest answer to an INVITE, milliseconds.
    pub slowest_answer_ms: f64,
    /// How late the generator's own clock was at worst, milliseconds.
    pub worst_pacing_delay_ms: f64,
    /// By process.
    pub used: BTreeMap<String, Used>,
}

impl Outcome {
    /// Nothing lost: every call complete, every packet on its timeline.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn nothing_lost(&self) -> anyhow::Result<()> {
        ensure!(self.failed.is_empty(), "calls failed: {:?}", self.failed);
        ensure!(
            self.completed == self.load.calls,
            "{} of {} calls were complete",
            self.completed,
            self.load.calls
        );
        ensure!(self.archived == self.load.calls as usize, "{} recordings in the archive", self.archived);
        let (received, recorded, lost) =
            (self.delays.packets_received, self.delays.packets_recorded, self.delays.packets_lost);
        ensure!(
            recorded == self.packets_sent && lost == 0,
            "{} packets sent, {received} received, {recorded} recorded, {lost} lost",
            self.packets_sent
        );
        ensure!(self.delays.faults.is_empty(), "faults: {:?}", self.delays.faults);
        Ok(())
    }
}

/// A running installation that load is put through.
pub struct Capacity {
    dir: PathBuf,
    world: World,
    bus: Bus,
}

impl Capacity {
    /// Starts everything below `dir`.
    ///
    /// # Errors
    /// Something did not start.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        let world = World::start(dir, &resources::record_everything(dir)).await?;
        let url = format!("nats://127.0.0.1:{}", world.installation.ports.nats);
        let bus = Bus::connect(BusOptions::new(url, "bench")).await?;
        Ok(Self { dir: dir.to_owned(), world, bus })
    }

    /// Puts the load through several times, and prints each. Whether nothing was lost and, from the third
    /// round on, memory stayed level.
    ///
    /// # Errors
    /// As [`round`](Self::round).
    pub async fn rounds(&self, load: Load, rounds: u32) -> anyhow::Result<bool> {
        let mut all_well = true;
        let mut peaks: Vec<BTreeMap<String, u64>> = Vec::new();
        for round in 1..=rounds {
            let outcome = self.round(load).await?;
            println!("round {round} of {rounds}\n{outcome}");
            if let Err(missing) = outcome.nothing_lost() {
                println!("NOT COMPLETE: {missing}\n");
                all_well = false;
            }
            peaks.push(
                outcome.used.iter().map(|(process, used)| (process.clone(), used.memory_peak)).collect(),
            );
        }
        // The first rounds warm up; from the third on the same load needs no more memory.
        if let [_, _, third, .., last] = peaks.as_slice() {
            for (process, peak) in last.iter().filter(|(process, peak)| **peak > third[*process] * 5 / 4) {
                println!("NOT FLAT: {process} grew from {} to {} MiB", third[process] >> 20, peak >> 20);
                all_well = false;
            }
        }
        Ok(all_well)
    }

    /// Puts the load through and waits until all of it is archived.
    ///
    /// # Errors
    /// The load generator or a service is gone.
    pub async fn round(&self, load: Load) -> anyhow::Result<Outcome> {
        let archive = self.dir.join("archive");
        let archived_before = recordings::find(&archive)?.len();
        let mut events = self.bus.events_from_now(None).await?;
        let mut meter = Meter::start(&self.world)?;
        let mut generator = self.generator(load)?;

        let mut delays = Delays::default();
        let mut hung_up: Option<Instant> = None;
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        while delays.complete() < load.calls as usize {
            tokio::select! {
                event = events.next() => delays.note(&event.context("the bus is gone")?),
                _ = tick.tick() => {
                    meter.look(&self.world)?;
                    if hung_up.is_none() && generator.ended()?.is_some() {
                        hung_up = Some(Instant::now());
                    }
                    if hung_up.is_some_and(|since| since.elapsed() > PATIENCE) {
                        break;
                    }
                }
            }
        }
        meter.look(&self.world)?;
        while generator.ended()?.is_none() {
            tick.tick().await;
        }
        let sent: Sent = serde_json::from_str(&generator.output()).with_context(|| generator.output())?;
        Ok(Outcome {
            load,
            completed: sent.completed,
            failed: sent.failed,
            packets_sent: sent.packets_sent,
            delays,
            archived: recordings::find(&archive)?.len() - archived_before,
            slowest_answer_ms: sent.slowest_answer_ms,
            worst_pacing_delay_ms: sent.worst_pacing_delay_ms,
            used: meter.used,
        })
    }

    /// A process of its own, so that its CPU time is not mistaken for that of a service.
    fn generator(&self, load: Load) -> anyhow::Result<Process> {
        let srs = format!("127.0.0.1:{}", self.world.installation.ports.sip);
        let mut command = Command::new(programs::own("callseal")?);
        command.args(["load", "--json", "--transport", "tcp", "--srs", &srs]);
        command.args(["--calls", &load.calls.to_string(), "--seconds", &load.seconds.to_string()]);
        command.args(["--rate", &(f64::from(load.calls) / 2.0).max(10.0).to_string()]);
        let logs = tempfile::Builder::new().prefix("load-").tempdir_in(&self.dir)?.keep();
        Process::start("load", &logs, &mut command)
    }
}

/// CPU and memory of every process of the installation.
struct Meter {
    before: BTreeMap<String, Duration>,
    used: BTreeMap<String, Used>,
}

impl Meter {
    fn start(world: &World) -> anyhow::Result<Self> {
        let mut meter = Self { before: BTreeMap::new(), used: BTreeMap::new() };
        for name in processes() {
            let id = world.process(name)?.id();
            let memory = cpu::resident(id)?;
            meter.before.insert(name.to_owned(), cpu::used(id)?);
            let used = Used { cpu: Duration::ZERO, memory_before: memory, memory_peak: memory };
            meter.used.insert(name.to_owned(), used);
        }
        Ok(meter)
    }

    fn look(&mut self, world: &World) -> anyhow::Result<()> {
        for (name, used) in &mut self.used {
            let id = world.process(name)?.id();
            used.cpu = cpu::used(id)? - self.before[name];
            used.memory_peak = used.memory_peak.max(cpu::resident(id)?);
        }
        Ok(())
    }
}

fn processes() -> impl Iterator<Item = &'static str> {
    SERVICES.into_iter().chain(["nats"])
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packets = self.packets_sent.max(1);
        writeln!(
            f,
            "calls                 {} of {} s, {} complete",
            self.load.calls, self.load.seconds, self.completed
        )?;
        writeln!(f, "packets sent          {}", self.packets_sent)?;
        writeln!(f, "packets recorded      {}", self.delays.packets_recorded)?;
        writeln!(
            f,
            "packets lost          {}",
            self.packets_sent.saturating_sub(self.delays.packets_recorded)
        )?;
        writeln!(f, "slowest answer        {:.0} ms", self.slowest_answer_ms)?;
        writeln!(f, "generator late by     {:.0} ms at worst", self.worst_pacing_delay_ms)?;
        let stages = [("sealed", self.delays.sealed()), ("shipped", self.delays.shipped())];
        for (stage, spread) in stages.into_iter().chain([("journalled", self.delays.journalled())]) {
            if let Some(Spread { median, worst }) = spread {
                writeln!(f, "BYE to {stage:<14} {median:.2} s median, {worst:.2} s worst")?;
            }
        }
        writeln!(f, "process    CPU µs/packet   memory before → peak, MiB")?;
        for (name, used) in &self.used {
            let per_packet = used.cpu.as_micros() as f64 / packets as f64;
            let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            writeln!(
                f,
                "{name:<10} {per_packet:>13.2}   {:.0} → {:.0}",
                mib(used.memory_before),
                mib(used.memory_peak)
            )?;
        }
        Ok(())
    }
}
