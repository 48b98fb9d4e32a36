//! Asked, answered, re-configured.

use domain::{CallFacts, Party};

use crate::setup::*;

fn resources(directions: &str) -> String {
    format!(
        "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {{name: acme}}\nspec: {{country: DE}}\n---\n\
         apiVersion: callseal.io/v1alpha1\nkind: RecordingRule\nmetadata: {{name: desk}}\n\
         spec:\n  profile: legalDuty\n  scope: all\n  directions: [{directions}]\n"
    )
}

fn inbound(tenant: &str) -> CallFacts {
    CallFacts {
        tenant: tenant.parse().unwrap(),
        caller: Party { number: "+4922198765".into(), ..Party::default() },
        callee: Party { number: "22".into(), ..Party::default() },
        ..outbound("", "1@pbx")
    }
}

impl World {
    /// Asks until the answer is as expected.
    async fn becomes(&self, recorded: bool) {
        let asked = async || {
            let answer = self.decide(&inbound("acme")).await;
            (answer.recorded.is_some() == recorded).then_some(())
        };
        harness::wait::until("another decision", PATIENCE, asked).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_decided_and_counted_and_an_unknown_tenant_is_named() {
    let world = World::start_with(&resources("in"), 1).await;
    let answer = world.ask(Some(&inbound("acme"))).await.decision.unwrap();
    assert!(answer.recorded.is_some(), "{answer:?}");
    assert_eq!(answer.trace, ["desk: matches"]);

    let answer = world.ask(Some(&inbound("globex"))).await;
    assert_eq!(answer.error, "there is no Tenant \"globex\" in force");
    assert!(answer.decision.is_none());
    assert!(!world.ask(None).await.error.is_empty());

    assert_eq!(world.replicas[0].metric("callseal_rules_decisions_total"), 3.0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_rule_is_in_force_without_a_restart_and_a_broken_one_changes_nothing() {
    let world = World::start_with(&resources("in"), 1).await;
    world.becomes(true).await;

    write(world.config.path(), "resources.yaml", &resources("out"));
    world.becomes(false).await;

    write(world.config.path(), "resources.yaml", &resources("in"));
    world.becomes(true).await;

    write(world.config.path(), "resources.yaml", &resources("inn"));
    let reported =
        async || (world.replicas[0].metric("callseal_rules_configuration_problems") >= 1.0).then_some(());
    harness::wait::until("the broken rule to be reported", PATIENCE, reported).await.unwrap();
    assert!(world.decide(&inbound("acme")).await.recorded.is_some(), "the last good rule stays in force");
    let remarks = world.replicas[0].service.health().remarks();
    assert!(remarks[0].starts_with("configuration: "), "{remarks:?}");
    world.stop().await;
}
