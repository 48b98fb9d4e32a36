//! What was told survives everything, and is known everywhere.

use std::time::Instant;

use bus::subjects::RULES_DECIDE;
use wire::rules_v1::{DecideRequest, DecideResponse};

use crate::setup::*;

const ERIKA: &str = "groups/desk/members/erika";
const OVERRIDE: &str = "calls/1%40pbx/override";
const CONSENT: &str = "calls/1%40pbx/consent";

impl World {
    async fn tell(&self) {
        assert_eq!(self.api("PUT", ERIKA, r#"{"active": false}"#).await.0, 200);
        assert_eq!(self.api("PUT", OVERRIDE, r#"{"override": "manual"}"#).await.0, 200);
        assert_eq!(self.api("PUT", CONSENT, r#"{"outcome": "denied"}"#).await.0, 200);
    }

    async fn is_known(&self) {
        assert!(self.decide(&outbound("22", "2@pbx")).await.recorded.is_none(), "Erika is logged off");
        assert_eq!(self.api("GET", OVERRIDE, "").await.1, r#"{"override":"manual"}"#);
        assert_eq!(json(&self.api("GET", CONSENT, "").await.1)["outcome"], "denied");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_survives_a_kill_of_nats_and_restarts_of_rules() {
    let mut world = World::start().await;
    world.tell().await;
    world.kill_nats();
    let noticed = async || world.replicas[0].service.health().ready().err();
    let why = harness::wait::until("rules to notice", PATIENCE, noticed).await.unwrap();
    assert!(why[0].starts_with("run-time state: NATS is away"), "{why:?}");
    // Nothing is taken that could be lost, and the API says so.
    for (method, path, body) in [
        ("PUT", ERIKA, r#"{"active": true}"#),
        ("PUT", OVERRIDE, r#"{"override": "deny"}"#),
        ("GET", CONSENT, ""),
        ("POST", "calls/1%40pbx/recording:start", r#"{"user": "erika"}"#),
    ] {
        let (status, answer) = world.api(method, path, body).await;
        assert_eq!(status, 503, "{method} {path}: {answer}");
        assert!(!json(&answer)["error"].as_str().unwrap().is_empty());
    }
    world.restart_nats();
    world.replicas[0].is_ready().await;
    world.is_known().await;

    world.replicas.remove(0).stop().await;
    world.start_replica().await;
    world.is_known().await;
    assert_eq!(world.replicas[0].metric("callseal_rules_memberships"), 1.0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_the_first_decision_after_an_outage_knows_what_changed_meanwhile() {
    let mut world = World::start().await;
    for round in 0..5 {
        let active = round % 2 == 1;
        let elsewhere = world.nats_elsewhere();
        world.start_replica().await;
        let other = world.replicas.remove(1);
        assert_eq!(other.api("PUT", ERIKA, &format!(r#"{{"active": {active}}}"#)).await.0, 200);
        other.stop().await;
        world.nats_back(elsewhere);
        // Asked for again and again, the first answer comes as soon as anything can.
        let request = DecideRequest { facts: Some((&outbound("22", "2@pbx")).into()), ..Default::default() };
        let asked = async || {
            let answer = world.bus.request::<_, DecideResponse>(RULES_DECIDE, &request, PATIENCE).await;
            answer.ok()?.decision
        };
        let decision = harness::wait::until("a decision", PATIENCE, asked).await.unwrap();
        assert_eq!(decision.recorded.is_some(), active, "round {round}: {decision:?}");
        world.replicas[0].is_ready().await;
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_is_told_every_replica_knows() {
    let world = World::start_with(RESOURCES, 2).await;
    let [here, there] = &world.replicas[..] else { panic!("two replicas") };
    let mut longest = std::time::Duration::ZERO;
    for round in 0..20 {
        // Read at each decision: the very next look anywhere sees it.
        let wish = ["deny", "force"][round % 2];
        assert_eq!(here.api("PUT", OVERRIDE, &format!(r#"{{"override": "{wish}"}}"#)).await.0, 200);
        assert_eq!(there.api("GET", OVERRIDE, "").await.1, format!(r#"{{"override":"{wish}"}}"#));
        // Followed: at once here, and there when the news has come.
        let active = round % 2 == 0;
        let body = format!(r#"{{"active": {active}}}"#);
        assert_eq!(here.api("PUT", ERIKA, &body).await.0, 200);
        let told = Instant::now();
        let known = async || {
            let (_, list) = there.api("GET", "groups/desk/members", "").await;
            (json(&list)["members"][0]["active"] == active).then_some(())
        };
        harness::wait::until("the other replica to know", PATIENCE, known).await.unwrap();
        longest = longest.max(told.elapsed());
    }
    println!("the other replica knew after at most {longest:?}, curl included");
    world.stop().await;
}
