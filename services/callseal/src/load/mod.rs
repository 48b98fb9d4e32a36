//! A SIPREC recording client: places recording calls as a PBX would, sends speech in real time and
//! knows to the packet what it sent.
//!
//! The command `callseal load` measures a recorder with it; the demo and the tests place their calls
//! with it too ([`Client`], [`Call`]).

mod account;
mod call;
mod client;
mod impairment;
mod pacer;
mod report;
mod rtp;
mod spec;
pub mod speech;

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::task::JoinSet;

pub use account::{CallReport, StreamReport};
pub use call::{Call, CallFailure};
pub use client::{Client, ClientOptions, SipTransport};
pub use impairment::{Impairments, SsrcChange};
pub use report::LoadReport;
pub use rtp::Codec;
pub use spec::{CallSpec, PartySpec, StreamSpec};

use domain::Side;

/// Options of `callseal load`.
#[derive(Debug, Clone, clap::Args)]
pub struct LoadArgs {
    /// The recorder: host or address, and SIP port.
    #[arg(long, value_name = "HOST:PORT")]
    pub srs: String,
    /// How many calls to place.
    #[arg(long, default_value_t = 1)]
    pub calls: u32,
    /// How long each call lasts.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub seconds: u32,
    /// SIP transport. UDP carries INVITEs up to 8 KB only.
    #[arg(long, value_enum, default_value_t = SipTransport::Udp)]
    pub transport: SipTransport,
    /// New calls per second.
    #[arg(long, default_value_t = 20.0)]
    pub rate: f64,
    /// Streams of a call: odd ones are the caller's, even ones the callee's.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub streams: u8,
    /// Host in the request URI, by which the recorder knows the tenant; the recorder's own if not given.
    #[arg(long, value_name = "HOST")]
    pub tenant_domain: Option<String>,
    /// Percentage of packets not sent (but counted), to see what the recorder makes of it.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    pub loss: f64,
    /// Prints the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Places the calls, prints what came of them. Exit code 1 if any call failed.
///
/// # Errors
/// If no call could be tried: the recorder's name cannot be resolved, no socket, bad options.
pub async fn run(args: LoadArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(args.rate > 0.0 && args.rate.is_finite(), "--rate must be above 0");
    let server = resolve(&args.srs).await?;
    let mut options = ClientOptions::new(server, args.transport);
    options.request_host.clone_from(&args.tenant_domain);
    let client = Arc::new(Client::start(options).await.context("the SIP client could not be started")?);
    let report = place_calls(&client, &args).await;
    client.shut_down();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn resolve(srs: &str) -> anyhow::Result<SocketAddr> {
    let addresses = tokio::net::lookup_host(srs)
        .await
        .with_context(|| format!("{srs} is no HOST:PORT that can be resolved"))?;
    let addresses: Vec<_> = addresses.collect();
    let first_v4 = addresses.iter().find(|a| a.is_ipv4()).or(addresses.first());
    first_v4.copied().with_context(|| format!("{srs} has no address"))
}

async fn place_calls(client: &Arc<Client>, args: &LoadArgs) -> LoadReport {
    let mut calls = JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / args.rate));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    for number in 0..args.calls {
        ticks.tick().await;
        let client = Arc::clone(client);
        let spec = call_spec(number, args);
        let duration = Duration::from_secs(args.seconds.into());
        calls.spawn(async move {
            let mut call = Call::invite(&client, spec).await?;
            call.play(duration).await;
            call.bye().await
        });
    }
    let mut report = LoadReport::new(args.calls);
    while let Some(outcome) = calls.join_next().await {
        match outcome {
            Ok(Ok(call)) => report.add(&call),
            Ok(Err(failure)) => report.add_failure(format!("{:#}", anyhow::Error::from(failure))),
            Err(panic) => report.add_failure(format!("the load generator itself failed: {panic}")),
        }
    }
    report.worst_pacing_delay_ms = client.worst_pacing_delay().as_secs_f64() * 1000.0;
    report
}

/// Call `number` of a run: made-up numbers of a range that nobody has.
fn call_spec(number: u32, args: &LoadArgs) -> CallSpec {
    let mut spec = CallSpec::speech(
        PartySpec::new(&format!("+4989999{number:05}"), "Load Caller"),
        PartySpec::new(&format!("+4930999{number:05}"), "Load Callee"),
    );
    let (caller, callee) = (spec.streams[0].clone(), spec.streams[1].clone());
    spec.streams = (0..args.streams)
        .map(|i| {
            let mut stream = if i % 2 == 0 { caller.clone() } else { callee.clone() };
            stream.label = i.to_string();
            stream.side = if i % 2 == 0 { Side::Caller } else { Side::Callee };
            stream.impairments.loss_percent = args.loss;
            stream.impairments.seed = u64::from(number) << 8 | u64::from(i);
            stream
        })
        .collect();
    spec
}
