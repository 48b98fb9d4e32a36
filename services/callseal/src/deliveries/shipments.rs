//! `callseal shipments`: where each recording is, since when, and why it is not everywhere.

use std::{fmt::Write as _, process::ExitCode};

use anyhow::ensure;
use bus::{Bus, subjects};
use domain::{RecordingId, ResourceName, TenantId};
use jiff::Timestamp;
use serde_json::json;
use wire::delivery_v1::{ListShipmentsRequest, ListShipmentsResponse, Shipment, ShipmentFile};

use super::{SERVICES, time};
use crate::asking::{AskArgs, PATIENCE};

/// How the shipper notes what went to a mailbox or a script.
const HANDED_OVER: &str = "handed over";

/// Arguments of `callseal shipments`.
#[derive(Debug, clap::Args)]
pub struct ShipmentsArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// Only of this tenant.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// Only for this storage target or journal.
    #[arg(long, value_name = "NAME")]
    target: Option<ResourceName>,
    /// Only of this recording.
    #[arg(long, value_name = "ID")]
    recording: Option<RecordingId>,
    /// Only what failed and is not done.
    #[arg(long)]
    failed: bool,
    /// One JSON object a line, for scripts.
    #[arg(long)]
    json: bool,
}

/// Exit code 0: all services answered, 1: one did not.
///
/// # Errors
/// NATS cannot be reached.
pub async fn shipments(args: ShipmentsArgs) -> anyhow::Result<ExitCode> {
    let bus = args.ask.connect().await?;
    let mut code = ExitCode::SUCCESS;
    for (service, kind) in SERVICES {
        if let Err(error) = of_service(&bus, service, kind, &args).await {
            eprintln!("{service} does not say where recordings are: {error:#}");
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// Page by page: a year's recordings are many.
async fn of_service(bus: &Bus, service: &str, kind: &str, args: &ShipmentsArgs) -> anyhow::Result<()> {
    let text = |given: Option<String>| given.unwrap_or_default();
    let mut request = ListShipmentsRequest {
        tenant: text(args.tenant.as_ref().map(ToString::to_string)),
        name: text(args.target.as_ref().map(ToString::to_string)),
        recording_id: text(args.recording.as_ref().map(ToString::to_string)),
        failed: args.failed,
        after: 0,
    };
    loop {
        let page: ListShipmentsResponse =
            bus.request(&subjects::shipments(service), &request, PATIENCE).await?;
        ensure!(page.error.is_empty(), "{}", page.error);
        for shipment in &page.shipments {
            if args.json {
                println!("{}", as_json(kind, shipment));
            } else {
                print!("{}", shown(kind, shipment, Timestamp::now()));
            }
        }
        if page.next == 0 {
            return Ok(());
        }
        request.after = page.next;
    }
}

fn shown(kind: &str, shipment: &Shipment, now: Timestamp) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = show(&mut text, kind, shipment, now);
    text
}

fn show(text: &mut String, kind: &str, shipment: &Shipment, now: Timestamp) -> std::fmt::Result {
    let Shipment { recording_id, tenant, name, state, .. } = shipment;
    let since = time(shipment.arrived_unix_ms, now);
    let stands = match state.as_str() {
        "done" => format!("there since {}", time(shipment.done_unix_ms, now)),
        "abandoned" => format!("given up {}", time(shipment.done_unix_ms, now)),
        "running" => format!("under way, came {since}"),
        "set_aside" => format!("set aside, came {since}"),
        "orphaned" => format!("orphaned, came {since}"),
        _ => format!("waits, came {since}"),
    };
    writeln!(text, "{recording_id} {kind} {tenant}/{name}: {stands}")?;
    for line in shipment.last_error.lines().chain(shipment.note.lines()) {
        writeln!(text, "    {line}")?;
    }
    if state == "queued" && shipment.attempts > 0 {
        let next = time(shipment.next_attempt_unix_ms, now);
        writeln!(text, "    tried {} times; not before {next}", shipment.attempts)?;
    }
    for ShipmentFile { file, verified_by, at_unix_ms } in &shipment.files {
        let at = time(*at_unix_ms, now);
        if verified_by.is_empty() {
            writeln!(text, "  {file}: begun {at}")?;
        } else if verified_by == HANDED_OVER {
            writeln!(text, "  {file}: handed over {at}, not kept there")?;
        } else {
            writeln!(text, "  {file}: verified by {verified_by} {at}")?;
        }
    }
    Ok(())
}

fn as_json(kind: &str, shipment: &Shipment) -> serde_json::Value {
    let at = |unix_ms: i64| {
        let at = (unix_ms != 0).then(|| Timestamp::from_millisecond(unix_ms).ok()).flatten();
        at.map(|at| at.to_string())
    };
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let files = shipment.files.iter().map(
        |file| json!({"file": file.file, "verifiedBy": given(&file.verified_by), "at": at(file.at_unix_ms)}),
    );
    json!({
        "recording": shipment.recording_id,
        "kind": kind,
        "tenant": shipment.tenant,
        "name": shipment.name,
        "state": shipment.state,
        "arrived": at(shipment.arrived_unix_ms),
        "done": at(shipment.done_unix_ms),
        "nextAttempt": at(shipment.next_attempt_unix_ms).filter(|_| shipment.state == "queued"),
        "attempts": shipment.attempts,
        "lastError": given(&shipment.last_error),
        "note": given(&shipment.note),
        "files": files.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_338_000_000;

    fn shipment(state: &str) -> Shipment {
        Shipment {
            recording_id: "0193-a".into(),
            tenant: "acme".into(),
            name: "vault".into(),
            state: state.into(),
            arrived_unix_ms: NOW_MS - 300_000,
            ..Shipment::default()
        }
    }

    #[test]
    fn each_recording_is_said_with_where_since_when_by_what_and_why_not() {
        let file = |file: &str, verified_by: &str| ShipmentFile {
            file: file.into(),
            verified_by: verified_by.into(),
            at_unix_ms: NOW_MS - 30_000,
        };
        let files = vec![file(".wav", "read-back"), file("_info.txt", "")];
        let waits = Shipment {
            next_attempt_unix_ms: NOW_MS + 5_000,
            attempts: 3,
            last_error: "the connection broke".into(),
            files,
            ..shipment("queued")
        };
        let done = Shipment {
            done_unix_ms: NOW_MS - 10_000,
            files: vec![file(".wav", "quickXorHash")],
            ..shipment("done")
        };
        let note = "given up by jane: sold".into();
        let given_up = Shipment { done_unix_ms: NOW_MS - 10_000, note, ..shipment("abandoned") };
        let now = Timestamp::from_millisecond(NOW_MS).unwrap();
        let text: String = [&waits, &done, &given_up].map(|shipment| shown("target", shipment, now)).concat();
        insta::assert_snapshot!(text, @r"
        0193-a target acme/vault: waits, came 2026-11-22 08:55:00 UTC (5 min ago)
            the connection broke
            tried 3 times; not before 2026-11-22 09:00:05 UTC (in 5 s)
          .wav: verified by read-back 2026-11-22 08:59:30 UTC (30 s ago)
          _info.txt: begun 2026-11-22 08:59:30 UTC (30 s ago)
        0193-a target acme/vault: there since 2026-11-22 08:59:50 UTC (10 s ago)
          .wav: verified by quickXorHash 2026-11-22 08:59:30 UTC (30 s ago)
        0193-a target acme/vault: given up 2026-11-22 08:59:50 UTC (10 s ago)
            given up by jane: sold
        ");
        let json = as_json("target", &waits);
        assert_eq!((json["state"].as_str(), json["done"].as_str()), (Some("queued"), None));
        assert_eq!(json["files"][0]["verifiedBy"], "read-back");
    }
}
