//! CPU time and memory of a process, as the kernel counts them (proc(5)).

use std::{fs, time::Duration};

use anyhow::Context;

/// USER_HZ is 100 on every Linux that Callseal runs on.
const TICKS_PER_SECOND: u64 = 100;

/// User and system time that a process has used, all threads together.
///
/// # Errors
/// The process is gone.
pub fn used(process: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("the process is gone")?;
    // The command stands in parentheses and may hold spaces: fields are counted behind it.
    let (_, fields) = stat.rsplit_once(") ").context("/proc/…/stat reads otherwise")?;
    let ticks = |n: usize| fields.split(' ').nth(n).and_then(|text| text.parse::<u64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).context("/proc/…/stat reads otherwise")?;
    Ok(Duration::from_millis((user + system) * 1000 / TICKS_PER_SECOND))
}

/// Resident memory of a process, bytes.
///
/// # Errors
/// The process is gone.
pub fn resident(process: u32) -> anyhow::Result<u64> {
    of_status(process, "VmRSS:")
}

/// Memory of a process that is backed by no file, bytes: its heap and stacks.
///
/// # Errors
/// The process is gone.
pub fn anonymous(process: u32) -> anyhow::Result<u64> {
    of_status(process, "RssAnon:")
}

fn of_status(process: u32, name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the process is gone")?;
    let line =
        status.lines().find(|line| line.starts_with(name)).context("/proc/…/status reads otherwise")?;
    let kib: u64 = line.split_whitespace().nth(1).context("/proc/…/status reads otherwise")?.parse()?;
    Ok(kib * 1024)
}
