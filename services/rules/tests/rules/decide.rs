//! Asked, answered, re-configured.

use domain::{CallFacts, Party};
use wire::call_v1::Side;

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
async fn f32_every_answer_says_who_is_the_tenants_own_also_about_a_call_that_is_not_recorded() {
    let world = World::start().await;
    for (extension, recorded, own) in
        [("22", true, vec![Side::Caller]), ("26", false, vec![Side::Caller]), ("99", false, vec![])]
    {
        let answer = world.ask(Some(&outbound(extension, "3@pbx"))).await;
        assert_eq!(
            (answer.own_sides().collect(), answer.decision.unwrap().recorded.is_some()),
            (own, recorded)
        );
    }
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
    let service = &world.replicas[0].service;
    let remarked = async || Some(service.health().remarks()).filter(|remarks| !remarks.is_empty());
    let remarks = harness::wait::until("the broken rule to be reported", PATIENCE, remarked).await.unwrap();
    assert!(remarks[0].starts_with("configuration: 1 problem"), "{remarks:?}");
    assert_eq!(world.replicas[0].metric("callseal_rules_configuration_problems"), 1.0);
    assert!(service.health().ready().is_ok(), "it decides all the same");
    assert!(world.decide(&inbound("acme")).await.recorded.is_some(), "the last good rule stays in force");

    write(world.config.path(), "resources.yaml", &resources("out"));
    world.becomes(false).await;
    let mended = async || service.health().remarks().is_empty().then_some(());
    harness::wait::until("the remark to go", PATIENCE, mended).await.unwrap();
    world.stop().await;
}
