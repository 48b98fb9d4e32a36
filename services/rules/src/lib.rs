//! Decides which calls are recorded, and says why.
//!
//! Ingest asks for each new call (`rpc.rules.decide`); the answer is the decision of the pure core
//! in crate `policy` over the configuration in force. Any number of replicas share the requests:
//! each knows the same folder and keeps nothing.

mod decider;
mod metrics;

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use bus::{Bus, subjects::RULES_DECIDE};
use runtime::Service;
use wire::rules_v1::{DecideRequest, DecideResponse};

use crate::{decider::Decider, metrics::Metrics};

/// Replicas with this name share the requests.
const QUEUE: &str = "rules";

/// What rules is started with.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Folder of resources: YAML files, sub-folders for tenants.
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    pub config: PathBuf,
}

/// Answers requests until the service is shut down.
///
/// # Errors
/// The configuration folder does not exist, or the subject cannot be subscribed to.
pub async fn run(options: Options, bus: Bus, service: Service) -> anyhow::Result<()> {
    let metrics = Metrics::register(service.registry()).context("metrics")?;
    let configured = service.condition("configuration");
    let mut watched = config::watch(&options.config, service.shutdown())?;
    let decider = Arc::new(Decider::default());

    let put_in_force = {
        let (decider, metrics) = (decider.clone(), metrics.clone());
        move |watched: &config::Watched| {
            let resources = watched.current();
            decider.replace(&resources);
            let problems = watched.problems().len();
            metrics.problems.set(i64::try_from(problems).unwrap_or(i64::MAX));
            if resources.tenants.is_empty() {
                configured.set_failed("no Tenant is in force; see the log for what is wrong in the folder");
            } else if problems > 0 {
                configured.set_degraded(format!(
                    "{problems} problems: the last good version of what is faulty is in force; the log says each"
                ));
            } else {
                configured.set_ok();
            }
        }
    };
    put_in_force(&watched);
    let shutdown = service.shutdown();
    let following = shutdown.clone();
    tokio::spawn(following.run_until_cancelled_owned(async move {
        loop {
            watched.changed().await;
            put_in_force(&watched);
        }
    }));

    let answer = move |request: DecideRequest| {
        let response = respond(&decider, &metrics, request);
        async move { response }
    };
    bus.serve::<DecideRequest, DecideResponse, _, _>(RULES_DECIDE, QUEUE, shutdown, answer).await?;
    Ok(())
}

fn respond(decider: &Decider, metrics: &Metrics, request: DecideRequest) -> DecideResponse {
    let timer = metrics.seconds.start_timer();
    let recording = request.recording_id.clone();
    let response = match decider.decide(request, jiff::Timestamp::now()) {
        Ok(decision) => {
            let verdict = if decision.recorded().is_some() { "recorded" } else { "not_recorded" };
            metrics.decisions.with_label_values(&[verdict]).inc();
            tracing::debug!(recording, verdict, "decided");
            DecideResponse { decision: Some((&decision).into()), error: String::new() }
        }
        Err(error) => {
            metrics.decisions.with_label_values(&["undecidable"]).inc();
            tracing::warn!(recording, %error, "a call could not be decided");
            DecideResponse { decision: None, error: error.to_string() }
        }
    };
    timer.observe_duration();
    response
}
