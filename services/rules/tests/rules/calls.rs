//! What is told of one call: overrides (F-16) and answers (F-20 … F-24).

use std::time::Duration;

use bus::{
    kv::Bucket,
    subjects::{RULES_STORE_CONSENT, call_token},
};
use domain::{CallFacts, Class, Override};
use futures::StreamExt;
use wire::{
    call_v1::Consent,
    event_v1::event::What,
    rules_v1::{StoreConsentRequest, StoreConsentResponse, call_control},
    state_v1::{CallConsent, CallOverride},
};

use crate::{leg::Leg, setup::*};

/// Ids are whatever a PBX writes.
const ID: &str = "a/b c%ä@10.0.0.1:5060";
const PATH: &str = "calls/a%2Fb%20c%25%C3%A4%4010.0.0.1%3A5060";

#[tokio::test(flavor = "multi_thread")]
async fn f16_an_override_decides_the_very_next_look_at_its_call_and_no_other_call() {
    let world = World::start().await;
    let path = format!("{PATH}/override");
    assert_eq!(world.api("GET", &path, "").await, (200, r#"{"override":"auto"}"#.to_owned()));
    for _ in 0..20 {
        let (status, body) = world.api("PUT", &path, r#"{"override": "deny"}"#).await;
        assert_eq!((status, body.as_str()), (200, r#"{"override":"deny"}"#));
        let decision = world.decide(&outbound("22", ID)).await;
        assert!(decision.recorded.is_none(), "{decision:?}");
        assert_eq!(world.api("PUT", &path, r#"{"override": "auto"}"#).await.0, 200);
        assert!(world.decide(&outbound("22", ID)).await.recorded.is_some());
    }
    assert_eq!(world.api("PUT", &path, r#"{"override": "deny"}"#).await.0, 200);
    assert!(world.decide(&outbound("22", "another@pbx")).await.recorded.is_some());
    assert_eq!(world.api("GET", &path, "").await.1, r#"{"override":"deny"}"#);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_the_apis_override_goes_before_that_of_signalling_unless_it_is_auto() {
    let world = World::start().await;
    let denied = CallFacts { override_by_pbx: Override::Deny, ..outbound("22", ID) };
    assert!(world.decide(&denied).await.recorded.is_none());
    let path = format!("{PATH}/override");
    assert_eq!(world.api("PUT", &path, r#"{"override": "force"}"#).await.0, 200);
    assert!(world.decide(&denied).await.recorded.is_some());
    assert_eq!(world.api("PUT", &path, r#"{"override": "auto"}"#).await.0, 200);
    assert!(world.decide(&denied).await.recorded.is_none());
    let (status, body) = world.api("PUT", &path, r#"{"override": "never"}"#).await;
    assert_eq!(status, 400);
    assert_eq!(json(&body)["error"], "field override: has to be one of auto, force, deny, manual");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_that_a_pbx_tells_decides_the_call_and_is_its_proof() {
    let world = World::start().await;
    let path = format!("{PATH}/consent");
    assert!(world.decide(&outbound("25", ID)).await.ask_consent.is_some());
    let (status, body) = world.api("GET", &path, "").await;
    assert_eq!((status, json(&body)["error"].as_str().unwrap()), (404, "no answer is known for this call"));

    let (status, body) = world.api("PUT", &path, r##"{"outcome": "granted", "key": "#"}"##).await;
    assert_eq!(status, 200, "{body}");
    let consent = world.decide(&outbound("25", ID)).await.recorded.unwrap().consent.unwrap();
    assert_eq!(
        (consent.outcome.as_str(), consent.key.as_str(), consent.source.as_str()),
        ("granted", "#", "API")
    );
    let (_, shown) = world.api("GET", &path, "").await;
    assert_eq!(json(&shown), json(&body));
    assert_eq!(
        (&json(&shown)["permits"], &json(&shown)["proof"]["source"]),
        (&json("true"), &json("\"API\""))
    );

    assert_eq!(world.api("PUT", &path, r#"{"outcome": "denied"}"#).await.0, 200);
    let decision = world.decide(&outbound("25", ID)).await;
    assert!(decision.recorded.is_none() && decision.ask_consent.is_none(), "{decision:?}");
    for (body, sentence) in [
        ("{}", "field outcome: has to be one of granted, denied, no-answer"),
        (r#"{"outcome": "granted", "key": "12"}"#, "field key: one of 0-9, A-D, * and #"),
    ] {
        let (status, answer) = world.api("PUT", &path, body).await;
        assert_eq!((status, json(&answer)["error"].as_str().unwrap()), (400, sentence));
    }
    world.stop().await;
}

fn heard(outcome: &str) -> StoreConsentRequest {
    let consent = Consent {
        mode: "optIn".into(),
        outcome: outcome.into(),
        key: "1".into(),
        at_unix_us: 1_700_000_000_000_000,
        announcement: "greeting".into(),
        announcement_sha256: "00ff".into(),
        source: "consent call".into(),
    };
    StoreConsentRequest {
        tenant: "acme".into(),
        call_id: ID.into(),
        consent: Some(consent),
        rule: "hotline".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_of_a_consent_call_is_kept_told_and_decides_the_live_call() {
    let world = World::start().await;
    let mut leg = Leg::answers(&world.bus, outbound("25", ID)).await;
    let mut events = world.bus.events_from_now(Some(&"acme".parse().unwrap())).await.unwrap();
    let stored: StoreConsentResponse =
        world.bus.request(RULES_STORE_CONSENT, &heard("granted"), PATIENCE).await.unwrap();
    assert_eq!(stored.error, "");
    let consent = world.decide(&outbound("25", ID)).await.recorded.unwrap().consent.unwrap();
    assert_eq!(Some(consent), heard("granted").consent);
    let event = tokio::time::timeout(PATIENCE, events.next()).await.unwrap().unwrap();
    let Some(What::ConsentAnswered(answered)) = event.what else { panic!("{event:?}") };
    let said = (answered.call_id.as_str(), answered.outcome.as_str(), answered.rule.as_str());
    assert_eq!(said, (ID, "granted", "hotline"));
    assert!(matches!(leg.next_wish().await, call_control::What::DecideAgain(_)));

    for (request, why) in [
        (StoreConsentRequest { tenant: "initech".into(), ..heard("granted") }, "there is no Tenant"),
        (StoreConsentRequest { call_id: String::new(), ..heard("granted") }, "an answer needs the id"),
        (heard("maybe"), "the answer cannot be read"),
        (StoreConsentRequest { consent: None, ..heard("granted") }, "the request holds no answer"),
    ] {
        let refused: StoreConsentResponse =
            world.bus.request(RULES_STORE_CONSENT, &request, PATIENCE).await.unwrap();
        assert!(refused.error.starts_with(why), "{refused:?}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_a_live_call_has_it_decided_again() {
    let world = World::start().await;
    let mut leg = Leg::answers(&world.bus, outbound("25", ID)).await;
    assert_eq!(world.api("PUT", &format!("{PATH}/override"), r#"{"override": "deny"}"#).await.0, 200);
    assert!(matches!(leg.next_wish().await, call_control::What::DecideAgain(_)));
    assert_eq!(world.api("PUT", &format!("{PATH}/consent"), r#"{"outcome": "granted"}"#).await.0, 200);
    assert!(matches!(leg.next_wish().await, call_control::What::DecideAgain(_)));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_and_not_understood_is_not_taken_for_nothing() {
    let world = World::start().await;
    let bucket = |name| Bucket { name, keep: None, max_bytes: 1 << 20 };
    let facts = |extension, id| outbound(extension, id);
    let key = |id| format!("acme.{}", call_token(id));
    // As a later release may have written it.
    let wish = CallOverride { r#override: "denyAndTellMother".into(), changed_unix_us: 0 };
    let kept = world.bus.kv(bucket("overrides")).put(&key("1@pbx"), &wish, PATIENCE).await;
    kept.expect("the bucket is there");
    let consent = heard("granted").consent.map(|consent| Consent { mode: "optSideways".into(), ..consent });
    let kept = world.bus.kv(bucket("consents")).put(&key("2@pbx"), &CallConsent { consent }, PATIENCE).await;
    kept.expect("the bucket is there");
    for (facts, what) in [(facts("22", "1@pbx"), "an override"), (facts("25", "2@pbx"), "an answer")] {
        let answer = world.ask(Some(&facts)).await;
        assert!(answer.decision.is_none() && answer.error.contains(what), "{answer:?}");
    }
    assert_eq!(world.api("GET", "calls/1%40pbx/override", "").await.0, 503);
    assert_eq!(world.api("GET", "calls/2%40pbx/consent", "").await.0, 503);
    assert!(world.decide(&facts("22", "3@pbx")).await.recorded.is_some());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_while_being_recorded_with_consent_is_recorded_no_longer() {
    let world = World::start().await;
    let prompt = Leg::recorded(&world.bus, outbound("25", ID), Class::Consent).await;
    // Longer than anybody waits for a second leg to answer.
    let late = Duration::from_millis(500);
    let late = Leg::recorded_late(&world.bus, outbound("25", ID), Class::Consent, late).await;
    assert_eq!(world.api("PUT", &format!("{PATH}/consent"), r#"{"outcome": "denied"}"#).await.0, 200);
    for mut leg in [prompt, late] {
        let stop = loop {
            // It is also decided again.
            if let call_control::What::Stop(stop) = leg.next_wish().await {
                break stop;
            }
        };
        assert_eq!(stop.by.unwrap().way, "a refusal of consent");
    }
    world.stop().await;
}
