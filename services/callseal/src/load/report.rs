//! What came of a run of calls.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::CallReport;

/// Sums over all calls of a run.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadReport {
    /// Calls that were tried.
    pub calls: u32,
    /// Calls that were answered, played to their end and hung up.
    pub completed: u32,
    /// Reasons of failed calls, with how many of each.
    pub failed: BTreeMap<String, u32>,
    /// RTP packets sent, duplicates not counted.
    pub packets_sent: u64,
    /// RTP packets withheld on purpose.
    pub packets_withheld: u64,
    /// Audio bytes sent.
    pub payload_bytes: u64,
    /// Packets that the network refused.
    pub send_errors: u64,
    /// From INVITE to 200, the slowest.
    pub slowest_answer_ms: f64,
    /// From BYE to 200, the slowest.
    pub slowest_bye_ms: f64,
    /// How late an RTP packet left at worst: the generator's own fault, not the recorder's.
    pub worst_pacing_delay_ms: f64,
}

impl LoadReport {
    /// An empty report of `calls` calls.
    pub fn new(calls: u32) -> Self {
        Self { calls, ..Self::default() }
    }

    /// Adds a call that was hung up.
    pub fn add(&mut self, call: &CallReport) {
        if let Some(reason) = call.fault() {
            self.add_failure(reason.to_owned());
        } else {
            self.completed += 1;
        }
        for stream in &call.streams {
            self.packets_sent += u64::from(stream.packets_sent());
            self.packets_withheld += stream.lost.len() as u64;
            self.payload_bytes += stream.payload_bytes;
            self.send_errors += stream.send_errors;
        }
        let ms = |d: Duration| d.as_secs_f64() * 1000.0;
        self.slowest_answer_ms = self.slowest_answer_ms.max(ms(call.answered_after));
        self.slowest_bye_ms = self.slowest_bye_ms.max(ms(call.bye_after));
    }

    /// Adds a call that failed.
    pub fn add_failure(&mut self, reason: String) {
        *self.failed.entry(reason).or_default() += 1;
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed: u32 = self.failed.values().sum();
        writeln!(f, "calls           {:>12}", self.calls)?;
        writeln!(f, "completed       {:>12}", self.completed)?;
        writeln!(f, "failed          {failed:>12}")?;
        for (reason, calls) in &self.failed {
            writeln!(f, "  {calls} × {reason}")?;
        }
        writeln!(f, "packets sent    {:>12}", self.packets_sent)?;
        writeln!(f, "packets withheld{:>12}", self.packets_withheld)?;
        writeln!(f, "payload bytes   {:>12}", self.payload_bytes)?;
        writeln!(f, "send errors     {:>12}", self.send_errors)?;
        writeln!(f, "slowest answer  {:>9.1} ms", self.slowest_answer_ms)?;
        writeln!(f, "slowest BYE     {:>9.1} ms", self.slowest_bye_ms)?;
        writeln!(f, "worst pacing    {:>9.1} ms late", self.worst_pacing_delay_ms)
    }
}
