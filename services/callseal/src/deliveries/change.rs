//! `callseal retry`, `release`, `abandon`: a person's word about a target, a journal or a recording.

use std::process::ExitCode;

use anyhow::Context;
use bus::subjects;
use domain::{RecordingId, ResourceName, TenantId};
use wire::delivery_v1::{Change, ChangeRequest, ChangeResponse, Destination};

use super::{SERVICES, USAGE, counted, destinations};
use crate::asking::{AskArgs, PATIENCE};

/// Arguments of `callseal release`.
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

/// Arguments of `callseal retry`.
#[derive(Debug, clap::Args)]
pub struct RetryArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// The tenant, where several have a target or journal of this name.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// The storage target or journal, or the id of a recording.
    #[arg(value_name = "NAME|RECORDING")]
    what: String,
}

/// Arguments of `callseal abandon`.
#[derive(Debug, clap::Args)]
pub struct AbandonArgs {
    #[command(flatten)]
    change: ChangeArgs,
    /// Why; it stands in the log.
    #[arg(long)]
    reason: String,
    /// Who says so; it stands in the log.
    #[arg(long)]
    by: String,
}

/// `callseal retry NAME|RECORDING`: tries it now, and what was set aside once more.
///
/// # Errors
/// NATS or a service cannot be reached, or the name is none.
pub async fn retry(args: RetryArgs) -> anyhow::Result<ExitCode> {
    if let Ok(recording) = args.what.parse::<RecordingId>() {
        return retry_recording(&args.ask, recording).await;
    }
    let name = args.what.parse().context("neither the name of a target or journal nor a recording's id")?;
    let args = ChangeArgs { ask: args.ask, tenant: args.tenant, name };
    change(args, Request { change: Change::Retry, ..Request::default() }).await
}

/// Exit code 0: done, 1: a service said no, 2: nothing waits for it.
async fn retry_recording(ask: &AskArgs, recording: RecordingId) -> anyhow::Result<ExitCode> {
    let bus = ask.connect().await?;
    let (mut code, mut waiting) = (ExitCode::SUCCESS, 0);
    for (service, kind) in SERVICES {
        let recording_id = recording.to_string();
        let request = ChangeRequest { recording_id, change: Change::Retry.into(), ..Default::default() };
        let answer: ChangeResponse =
            bus.request(&subjects::change_destination(service), &request, PATIENCE).await?;
        if answer.error.is_empty() {
            println!("{kind}s: {} tried now", answer.orders);
            waiting += answer.orders;
        } else {
            println!("{kind}s: {}", answer.error);
            code = ExitCode::FAILURE;
        }
    }
    if waiting == 0 && code == ExitCode::SUCCESS {
        eprintln!(
            "nothing waits for recording {recording}: callseal shipments --recording {recording} says where it is"
        );
        return Ok(ExitCode::from(USAGE));
    }
    Ok(code)
}

/// `callseal release NAME`: lets go on what was orphaned.
///
/// # Errors
/// NATS or a service cannot be reached.
pub async fn release(args: ChangeArgs) -> anyhow::Result<ExitCode> {
    change(args, Request { change: Change::Release, ..Request::default() }).await
}

/// `callseal abandon NAME`: gives up for good what was orphaned.
///
/// # Errors
/// NATS or a service cannot be reached.
pub async fn abandon(args: AbandonArgs) -> anyhow::Result<ExitCode> {
    let AbandonArgs { change: destination, reason, by } = args;
    change(destination, Request { change: Change::Abandon, reason, by }).await
}

/// What a person wants.
#[derive(Default)]
struct Request {
    change: Change,
    reason: String,
    by: String,
}

/// Exit code 0: done, 1: a service said no, 2: there is no such target or journal, or several.
async fn change(args: ChangeArgs, wanted: Request) -> anyhow::Result<ExitCode> {
    let bus = args.ask.connect().await?;
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
        let request = ChangeRequest {
            tenant,
            name,
            change: wanted.change.into(),
            reason: wanted.reason.clone(),
            by: wanted.by.clone(),
            ..Default::default()
        };
        let subject = subjects::change_destination(service);
        let answer: ChangeResponse = bus.request(&subject, &request, PATIENCE).await?;
        if answer.error.is_empty() {
            let verb = match wanted.change {
                Change::Release => "released",
                Change::Abandon => "given up",
                _ => "tried now",
            };
            println!("{place}: {} {verb}", counted(answer.orders));
        } else {
            println!("{place}: {}", answer.error);
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}
