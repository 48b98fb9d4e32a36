//! Asks rules about a call, and knows what to do without them.

use std::{sync::Arc, time::Duration};

use bus::Bus;
use domain::{
    CallFacts, Channels, Class, Decision, Direction, NotRecorded, Override, Recorded, RecordingId,
    ResourceName, Side, Verdict,
    resources::{Profile, TenantResources, WhenUndecided},
};
use tokio::{sync::mpsc::UnboundedSender, time::Instant};
use wire::rules_v1::{DecideRequest, DecideResponse};

/// Where rules listens.
const SUBJECT: &str = "rpc.rules.decide";
/// How long one request may take before it is made again.
const ONE_REQUEST: Duration = Duration::from_secs(1);

/// What came of asking.
#[derive(Debug)]
pub struct Outcome {
    /// The decision, if there was one in time; else why not, without anything personal.
    pub decision: Result<Decision, String>,
    /// The sides that are the tenant's own by these facts; none without a decision.
    pub own_sides: Vec<Side>,
    /// Which state of the facts it is about.
    pub facts_version: u64,
}

/// Asks rules in the background until there is a decision or `deadline` has come.
pub fn ask(
    bus: Bus,
    recording: RecordingId,
    facts: Arc<CallFacts>,
    facts_version: u64,
    deadline: Instant,
    answer: UnboundedSender<Outcome>,
) {
    tokio::spawn(async move {
        let request = DecideRequest { recording_id: recording.to_string(), facts: Some((&*facts).into()) };
        let mut pause = Duration::from_millis(50);
        let (decision, own_sides) = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let failure =
                match bus.request::<_, DecideResponse>(SUBJECT, &request, ONE_REQUEST.min(left)).await {
                    Ok(response) => match read(response) {
                        Ok((decision, own_sides)) => break (Ok(decision), own_sides),
                        Err(refusal) => refusal,
                    },
                    Err(error) => error.to_string(),
                };
            if Instant::now() + pause >= deadline {
                break (Err(failure), Vec::new());
            }
            // A tenant may just be arriving at rules: its refusal is asked about again, too.
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(ONE_REQUEST);
        };
        // Nobody there: the call is over.
        let _ = answer.send(Outcome { decision, own_sides, facts_version });
    });
}

fn read(response: DecideResponse) -> Result<(Decision, Vec<Side>), String> {
    let own_sides = response.own_sides().filter_map(|side| side.try_into().ok()).collect();
    match response.decision {
        Some(decision) => {
            let decision = Decision::try_from(decision).map_err(|e| e.to_string())?;
            Ok((decision, own_sides))
        }
        None if response.error.is_empty() => Err("rules gave neither a decision nor a reason".to_owned()),
        None => Err(response.error),
    }
}

/// The rule that stands in recordings that `whenUndecided` made.
fn stand_in_rule() -> ResourceName {
    "when-undecided".parse().expect("a constant resource name")
}

/// What happens to a call about which there is no decision: a legal-duty tenant records, a consent
/// tenant discards. Such a recording goes wherever recordings by legal duty may go. What needs no
/// rules to be known holds all the same: there is no duty without a rule that says so, and what the
/// PBX itself wants kept out stays out.
pub fn when_undecided(tenant: &TenantResources, facts: &CallFacts) -> Decision {
    let direction = facts.direction.unwrap_or(Direction::In);
    let trace = vec!["no decision from rules in time: the tenant's whenUndecided applies".to_owned()];
    let not = |reason: &str| Verdict::DoNotRecord(NotRecorded { reason: reason.to_owned() });
    let duties: Vec<_> =
        tenant.rules.iter().filter(|rule| rule.enabled && rule.profile == Profile::LegalDuty).collect();
    let verdict = match (tenant.tenant.when_undecided, facts.override_by_pbx) {
        (WhenUndecided::Discard, _) => {
            not("there was no decision in time and the tenant's whenUndecided is discard")
        }
        (WhenUndecided::Record, Override::Deny) => {
            not("there was no decision in time and the PBX asked that this call is never recorded")
        }
        (WhenUndecided::Record, Override::Manual) => {
            not("there was no decision in time and the PBX asked that this call is not recorded by itself")
        }
        (WhenUndecided::Record, _) if duties.is_empty() => {
            not("there was no decision in time and no rule of the tenant records by legal duty")
        }
        (WhenUndecided::Record, Override::Auto | Override::Force) => Verdict::Record(Recorded {
            rule: stand_in_rule(),
            class: Class::Regulated,
            channels: Channels::Stereo,
            targets: once_each(duties.iter().flat_map(|rule| &rule.targets)),
            journals: once_each(duties.iter().flat_map(|rule| &rule.journals)),
            consent: None,
            stop_keys: None,
        }),
    };
    Decision { direction, verdict, trace }
}

fn once_each<'a>(names: impl Iterator<Item = &'a ResourceName>) -> Vec<ResourceName> {
    let unique: std::collections::BTreeSet<_> = names.collect();
    unique.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use domain::resources::{RecordingRuleSpec, TenantSpec};

    use super::*;

    fn tenant(when_undecided: &str, rules: Vec<RecordingRuleSpec>) -> TenantResources {
        let spec = TenantSpec { when_undecided: Some(when_undecided.to_owned()), ..TenantSpec::default() };
        let mut resources = TenantResources::empty(spec.validate("acme".parse().unwrap()).unwrap());
        resources.rules =
            rules.into_iter().map(|rule| rule.validate("desk".parse().unwrap()).unwrap()).collect();
        resources
    }

    fn facts(override_by_pbx: Override) -> CallFacts {
        CallFacts {
            tenant: "acme".parse().unwrap(),
            call_id: String::new(),
            direction: None,
            caller: domain::Party::default(),
            callee: domain::Party::default(),
            override_by_pbx,
        }
    }

    #[test]
    fn without_a_decision_only_a_legal_duty_records_and_never_what_the_pbx_keeps_out() {
        let duty = || RecordingRuleSpec { targets: vec!["archive".into()], ..RecordingRuleSpec::default() };
        let consent = || RecordingRuleSpec {
            profile: "consent".into(),
            consent: Some(domain::resources::ConsentSpec {
                mode: "optIn".into(),
                asked_by: Some("pbx".into()),
                ..Default::default()
            }),
            ..RecordingRuleSpec::default()
        };
        for (when, rules, wish, recorded) in [
            ("record", vec![duty()], Override::Auto, true),
            ("record", vec![consent(), duty()], Override::Force, true),
            ("record", vec![duty()], Override::Deny, false),
            ("record", vec![duty()], Override::Manual, false),
            ("record", vec![consent()], Override::Auto, false),
            ("record", vec![consent()], Override::Force, false),
            ("record", vec![RecordingRuleSpec { enabled: false, ..duty() }], Override::Auto, false),
            ("record", vec![], Override::Auto, false),
            ("discard", vec![duty()], Override::Force, false),
        ] {
            let what = format!("{when}, {} rules, {wish}", rules.len());
            let decision = when_undecided(&tenant(when, rules), &facts(wish));
            assert_eq!(decision.recorded().is_some(), recorded, "{what}");
            if let Some(recorded) = decision.recorded() {
                assert_eq!(recorded.targets, ["archive".parse().unwrap()]);
            }
        }
    }
}
