//! `callseal targets`, `retry`, `release`: what waits for storage targets and journals, and a
//! person's word about it. The services are asked over NATS; nobody's database is opened.

use std::{fmt::Write as _, process::ExitCode, time::Duration};

use anyhow::{Context, ensure};
use bus::{Bus, BusOptions, subjects};
use domain::{ResourceName, TenantId};
use jiff::Timestamp;
use wire::delivery_v1::{
    Change, ChangeRequest, ChangeResponse, Destination, ListDestinationsRequest, ListDestinationsResponse,
    Waiting,
};

/// Exit code for a wrong call.
const USAGE: u8 = 2;
/// How long a service may take for its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The services that deliver, and what each calls its destinations.
const SERVICES: [(&str, &str); 2] = [("shipper", "target"), ("journal", "journal")];

/// Where the services are asked.
#[derive(Debug, clap::Args)]
pub struct AskArgs {
    /// NATS server; `callseal up` names it in its ready line.
    #[arg(long, env = "CALLSEAL_NATS", default_value = "nats://127.0.0.1:4222", value_name = "URL")]
    nats: String,
}

/// Arguments of `callseal retry` and `callseal release`.
#[derive(Debug, clap::Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// The tenant, where several have a target or journal of this name.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// The storage target or journal.
    name: ResourceName,
}

/// `callseal targets`. Exit code 0: all services answered, 1: one did not.
///
/// # Errors
/// NATS cannot be reached.
pub async fn list(args: AskArgs) -> anyhow::Result<ExitCode> {
    let bus = connect(&args).await?;
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

/// `callseal retry NAME`: tries it now, and what was set aside once more.
///
/// # Errors
/// NATS or a service cannot be reached.
pub async fn retry(args: ChangeArgs) -> anyhow::Result<ExitCode> {
    change(args, Change::Retry).await
}

/// `callseal release NAME`: lets go on what was orphaned.
///
/// # Errors
/// NATS or a service cannot be reached.
pub async fn release(args: ChangeArgs) -> anyhow::Result<ExitCode> {
    change(args, Change::Release).await
}

/// Exit code 0: done, 1: a service said no, 2: there is no such target or journal, or several.
async fn change(args: ChangeArgs, change: Change) -> anyhow::Result<ExitCode> {
    let bus = connect(&args.ask).await?;
    let name = &args.name;
    let mut found = Vec::new();
    for (service, kind) in SERVICES {
        let known = destinations(&bus, service).await.with_context(|| format!("the {service} was asked"))?;
        let meant = |known: &Destination| {
            known.name == name.as_str() && args.tenant.as_ref().is_none_or(|t| known.tenant == t.as_str())
        };
        found.extend(known.into_iter().filter(meant).map(|destination| (service, kind, destination)));
    }
    let Some((_, _, first)) = found.first() else {
        eprintln!("there is no target or journal {name}, and nothing waits for one");
        return Ok(ExitCode::from(USAGE));
    };
    if found.iter().any(|(_, _, other)| other.tenant != first.tenant) {
        eprintln!("several tenants have a target or journal {name}: say which by --tenant");
        return Ok(ExitCode::from(USAGE));
    }
    let mut code = ExitCode::SUCCESS;
    for (service, kind, Destination { tenant, name, .. }) in found {
        let place = format!("{kind} {tenant}/{name}");
        let request = ChangeRequest { tenant, name, change: change.into() };
        let subject = subjects::change_destination(service);
        let answer: ChangeResponse = bus.request(&subject, &request, PATIENCE).await?;
        if answer.error.is_empty() {
            let verb = if change == Change::Release { "released" } else { "tried now" };
            println!("{place}: {} {verb}", counted(answer.orders));
        } else {
            println!("{place}: {}", answer.error);
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

async fn connect(args: &AskArgs) -> anyhow::Result<Bus> {
    let bus = Bus::connect(BusOptions::new(&args.nats, "callseal-command")).await?;
    ensure!(
        bus.is_connected(),
        "NATS cannot be reached; `callseal up` names its address in the ready line: --nats"
    );
    Ok(bus)
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
    let Destination { tenant, name, configured, waiting, trouble } = destination;
    let missing = if *configured { "" } else { " (not in the configuration)" };
    writeln!(text, "{kind} {tenant}/{name}{missing}")?;
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
    if *configured && waiting.iter().any(|waiting| waiting.state == "orphaned") {
        writeln!(text, "    to let the orphaned ones go on: callseal release {name}")?;
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
    use wire::delivery_v1::Trouble;

    use super::*;

    const NOW_MS: i64 = 1_795_338_000_000;

    fn waiting(state: &str, orders: u64, ago_s: i64, last_error: &str) -> Waiting {
        let oldest_unix_ms = NOW_MS - ago_s * 1000;
        Waiting { state: state.into(), orders, oldest_unix_ms, last_error: last_error.into() }
    }

    fn destination(name: &str, configured: bool, waiting: Vec<Waiting>) -> Destination {
        Destination { tenant: "acme".into(), name: name.into(), configured, waiting, trouble: None }
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
    target acme/back
      3 recordings orphaned, the oldest since 2026-11-22 06:30:00 UTC (2 h ago)
      1 recording set aside, the oldest since 2026-11-22 08:58:30 UTC (90 s ago)
        a file in staging is not what was sealed
        to let the orphaned ones go on: callseal release back
    ");
    }
}
