//! `callseal targets`, `retry`, `release`: what waits for storage targets and journals, and a
//! person's word about it. The services are asked over NATS; nobody's database is opened.

mod change;
mod shipments;
mod sweep;

use std::{fmt::Write as _, process::ExitCode};

use anyhow::ensure;
use bus::{Bus, subjects};
use jiff::Timestamp;
use wire::delivery_v1::{Destination, ListDestinationsRequest, ListDestinationsResponse, Waiting};

use crate::asking::{AskArgs, PATIENCE};

pub use change::{AbandonArgs, ChangeArgs, RetryArgs, abandon, release, retry};
pub use shipments::{ShipmentsArgs, shipments};
pub use sweep::sweep;

/// Exit code for a wrong call.
const USAGE: u8 = 2;
/// The services that deliver, and what each calls its destinations.
const SERVICES: [(&str, &str); 2] = [("shipper", "target"), ("journal", "journal")];

/// `callseal targets`. Exit code 0: all services answered, 1: one did not.
///
/// # Errors
/// NATS cannot be reached.
pub async fn list(args: AskArgs) -> anyhow::Result<ExitCode> {
    let bus = args.connect().await?;
    let mut code = ExitCode::SUCCESS;
    for (service, kind) in SERVICES {
        match destinations(&bus, service).await {
            Ok(destinations) => print!("{}", shown(kind, &destinations, Timestamp::now())),
            Err(error) => {
                eprintln!("{service} does not say what waits: {error:#}");
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

async fn destinations(bus: &Bus, service: &str) -> anyhow::Result<Vec<Destination>> {
    let subject = subjects::destinations(service);
    let answer: ListDestinationsResponse =
        bus.request(&subject, &ListDestinationsRequest {}, PATIENCE).await?;
    ensure!(answer.error.is_empty(), "{}", answer.error);
    Ok(answer.destinations)
}

fn counted(orders: u64) -> String {
    if orders == 1 { "1 recording".to_owned() } else { format!("{orders} recordings") }
}

/// One paragraph for each destination.
fn shown(kind: &str, destinations: &[Destination], now: Timestamp) -> String {
    let mut text = String::new();
    for destination in destinations {
        // Writing to a String cannot fail.
        let _ = show(&mut text, kind, destination, now);
    }
    text
}

fn show(text: &mut String, kind: &str, destination: &Destination, now: Timestamp) -> std::fmt::Result {
    let Destination { tenant, name, configured, waiting, trouble, .. } = destination;
    let missing = match (*configured, destination.incomplete.is_empty()) {
        (false, _) => " (not in the configuration)",
        (true, false) => " (incomplete: nothing is sent there)",
        (true, true) => "",
    };
    writeln!(text, "{kind} {tenant}/{name}{missing}")?;
    if !destination.incomplete.is_empty() {
        writeln!(text, "    {}", destination.incomplete)?;
    }
    if !destination.windows.is_empty() {
        let now_or_then = match destination.opens_unix_ms {
            0 => "now".to_owned(),
            opens => format!("next {}", time(opens, now)),
        };
        writeln!(text, "  is sent to at {}: {now_or_then}", destination.windows)?;
    }
    for waiting in waiting {
        writeln!(text, "  {}, the oldest since {}", said(waiting), time(waiting.oldest_unix_ms, now))?;
        if waiting.state == "set_aside" {
            writeln!(text, "    {}", waiting.last_error)?;
        }
    }
    if waiting.is_empty() {
        writeln!(text, "  nothing waits")?;
    }
    if let Some(trouble) = trouble {
        let (since, next) = (time(trouble.since_unix_ms, now), time(trouble.next_attempt_unix_ms, now));
        let how = if trouble.needs_person { "needs a person" } else { "fails" };
        writeln!(text, "  {how} since {since}, tried again {next}\n    {}", trouble.problem)?;
    }
    for ends in &destination.expires {
        let word = if ends.at_unix_ms > now.as_millisecond() { "ends" } else { "has ended" };
        writeln!(text, "  {} {word} {}", ends.what, time(ends.at_unix_ms, now))?;
    }
    if *configured && waiting.iter().any(|waiting| waiting.state == "orphaned") {
        writeln!(text, "    to let the orphaned ones go on: callseal release {name}")?;
    }
    if !*configured && waiting.iter().any(|waiting| waiting.state == "orphaned") {
        writeln!(text, "    if it will never come back: callseal abandon {name} --reason … --by …")?;
    }
    Ok(())
}

fn said(waiting: &Waiting) -> String {
    let count = counted(waiting.orders);
    match waiting.state.as_str() {
        "queued" => format!("{count} waiting"),
        "running" => format!("{count} under way"),
        "set_aside" => format!("{count} set aside"),
        state => format!("{count} {state}"),
    }
}

/// A time as the log says it, and how far away it is.
fn time(unix_ms: i64, now: Timestamp) -> String {
    let at = Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    let seconds = at.duration_since(now).as_secs();
    let away = match seconds.unsigned_abs() {
        s @ 0..=119 => format!("{s} s"),
        s @ 120..=7199 => format!("{} min", s / 60),
        s @ 7200..=172_799 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    };
    let at = at.strftime("%Y-%m-%d %H:%M:%S UTC");
    if seconds > 0 { format!("{at} (in {away})") } else { format!("{at} ({away} ago)") }
}

#[cfg(test)]
mod tests {
    use wire::delivery_v1::{Expiry, Trouble};

    use super::*;

    const NOW_MS: i64 = 1_795_338_000_000;

    fn waiting(state: &str, orders: u64, ago_s: i64, last_error: &str) -> Waiting {
        let oldest_unix_ms = NOW_MS - ago_s * 1000;
        Waiting { state: state.into(), orders, oldest_unix_ms, last_error: last_error.into() }
    }

    fn destination(name: &str, configured: bool, waiting: Vec<Waiting>) -> Destination {
        Destination {
            tenant: "acme".into(),
            name: name.into(),
            configured,
            waiting,
            ..Destination::default()
        }
    }

    #[test]
    fn what_waits_is_said_with_since_when_why_and_what_to_do() {
        let trouble = Trouble {
            problem: "the SFTP server vault:22 cannot be reached; check that it runs".into(),
            since_unix_ms: NOW_MS - 3_000_000,
            next_attempt_unix_ms: NOW_MS + 45_000,
            needs_person: false,
        };
        let vault = vec![waiting("queued", 12, 3_000, "away"), waiting("running", 1, 3_001, "")];
        let old = vec![waiting("orphaned", 2, 500_000, "")];
        let back = vec![
            waiting("orphaned", 3, 9_000, ""),
            waiting("set_aside", 1, 90, "a file in staging is not what was sealed"),
        ];
        let destinations = [
            destination("archive", true, vec![]),
            Destination { trouble: Some(trouble), ..destination("vault", true, vault) },
            destination("old", false, old),
            destination("back", true, back),
            Destination {
                windows: "Mon,Tue 19:00-06:00".into(),
                opens_unix_ms: NOW_MS + 9_000_000,
                ..destination("night", true, vec![])
            },
            Destination {
                expires: vec![
                    Expiry { what: "the client certificate".into(), at_unix_ms: NOW_MS - 86_400_000 * 3 },
                    Expiry { what: "the client secret".into(), at_unix_ms: NOW_MS + 86_400_000 * 20 },
                ],
                ..destination("drive", true, vec![])
            },
            Destination {
                incomplete: "no host key is pinned yet".into(),
                ..destination("new", true, vec![waiting("queued", 1, 60, "")])
            },
        ];
        let text = shown("target", &destinations, Timestamp::from_millisecond(NOW_MS).unwrap());
        insta::assert_snapshot!(text, @r"
    target acme/archive
      nothing waits
    target acme/vault
      12 recordings waiting, the oldest since 2026-11-22 08:10:00 UTC (50 min ago)
      1 recording under way, the oldest since 2026-11-22 08:09:59 UTC (50 min ago)
      fails since 2026-11-22 08:10:00 UTC (50 min ago), tried again 2026-11-22 09:00:45 UTC (in 45 s)
        the SFTP server vault:22 cannot be reached; check that it runs
    target acme/old (not in the configuration)
      2 recordings orphaned, the oldest since 2026-11-16 14:06:40 UTC (5 days ago)
        if it will never come back: callseal abandon old --reason … --by …
    target acme/back
      3 recordings orphaned, the oldest since 2026-11-22 06:30:00 UTC (2 h ago)
      1 recording set aside, the oldest since 2026-11-22 08:58:30 UTC (90 s ago)
        a file in staging is not what was sealed
        to let the orphaned ones go on: callseal release back
    target acme/night
      is sent to at Mon,Tue 19:00-06:00: next 2026-11-22 11:30:00 UTC (in 2 h)
      nothing waits
    target acme/drive
      nothing waits
      the client certificate has ended 2026-11-19 09:00:00 UTC (3 days ago)
      the client secret ends 2026-12-12 09:00:00 UTC (in 20 days)
    target acme/new (incomplete: nothing is sent there)
        no host key is pinned yet
      1 recording waiting, the oldest since 2026-11-22 08:59:00 UTC (60 s ago)
    ");
    }
}
