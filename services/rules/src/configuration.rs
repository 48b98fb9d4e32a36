//! The configuration put in force, and what people should know about it.

use config::{Unready, Watched};
use domain::resources::Kind;
use runtime::{Condition, Service};

use crate::{api::ControlApi, metrics::Metrics};

/// So many incomplete targets are named on `/readyz`; the metric names each.
const NAMED: usize = 5;

/// Puts the configuration in force, now and whenever it changes.
pub(crate) fn follow(service: &Service, mut watched: Watched, api: &ControlApi) {
    let (configured, complete) = (service.condition("configuration"), service.condition("targets"));
    let (in_force, metrics) = (api.in_force.clone(), api.metrics.clone());
    let put_in_force = move |watched: &Watched| {
        let resources = watched.current();
        in_force.configure(&resources);
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
        tell(&watched.unready(), &complete, &metrics);
    };
    put_in_force(&watched);
    tokio::spawn(service.shutdown().run_until_cancelled_owned(async move {
        loop {
            watched.changed().await;
            put_in_force(&watched);
        }
    }));
}

/// Says which rules record for what nothing can be brought to yet (F-75). They are in force: a recording
/// that waits can be delivered, one that was never made cannot.
fn tell(unready: &[Unready], complete: &Condition, metrics: &Metrics) {
    metrics.incomplete.reset();
    for Unready { tenant, rule, kind, destination, .. } in unready {
        let labels = [tenant.as_str(), rule.as_str(), kind.as_str(), destination.as_str()];
        metrics.incomplete.with_label_values(&labels).set(1);
    }
    if unready.is_empty() {
        return complete.set_ok();
    }
    let mut texts: Vec<String> = unready.iter().take(NAMED).map(sentence).collect();
    if unready.len() > NAMED {
        texts.push(format!("and {} more", unready.len() - NAMED));
    }
    complete.set_degraded(texts.join("; "));
}

fn sentence(Unready { tenant, rule, kind, destination, missing, .. }: &Unready) -> String {
    let what = if *kind == Kind::JournalTarget { "journal" } else { "storage target" };
    format!(
        "the rule {tenant}/{rule} names the {what} {destination}, which is incomplete, and recordings for it \
         wait: {missing}"
    )
}
