//! Starting and stopping by the API and by a phone's button (F-17, F-32). The legs are peers on the
//! bus; ingest's own behaviour is tested there.

use domain::{CallFacts, Class, Override};
use wire::rules_v1::call_control::What;

use crate::{leg::Leg, setup::*};

const ID: &str = "7@pbx";
const START: &str = "calls/7%40pbx/recording:start";
const STOP: &str = "calls/7%40pbx/recording:stop";

/// A call of Karl's that the PBX wants recorded by hand or not at all.
fn by_hand(extension: &str) -> CallFacts {
    CallFacts { override_by_pbx: Override::Manual, ..outbound(extension, ID) }
}

fn error(body: &str) -> String {
    json(body)["error"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_a_user_whom_a_rule_permits_it_starts_and_stops_a_recording_of_class_manual() {
    let world = World::start().await;
    let mut leg = Leg::answers(&world.bus, by_hand("25")).await;
    let (status, body) = world.api("POST", START, r#"{"user": "karl"}"#).await;
    assert_eq!(status, 200, "{body}");
    let shown = &json(&body)["legs"][0];
    assert_eq!(
        (&shown["standing"], &shown["rule"], &shown["class"], &shown["recordingId"]),
        (&"recorded".into(), &"by-hand".into(), &"manual".into(), &leg.recording_id.as_str().into())
    );
    let What::Start(start) = leg.next_wish().await else { panic!("not a start") };
    assert_eq!((start.user.as_str(), start.way.as_str()), ("karl", "API"));

    let (status, body) = world.api("POST", STOP, r#"{"user": "25"}"#).await;
    assert_eq!((status, &json(&body)["legs"][0]["standing"]), (200, &"stopped".into()));
    let What::Stop(stop) = leg.next_wish().await else { panic!("not a stop") };
    let by = stop.by.unwrap();
    assert_eq!((by.user.as_str(), by.way.as_str()), ("karl", "API"));
    let (status, body) = world.api("POST", STOP, r#"{"user": "karl"}"#).await;
    assert_eq!((status, error(&body).as_str()), (409, "this call is not being recorded"));
    assert_eq!(world.api("POST", START, r#"{"user": "karl"}"#).await.0, 200, "anew after a stop");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_nobody_starts_a_call_that_is_not_live_not_theirs_or_not_permitted() {
    let world = World::start().await;
    let (status, body) = world.api("POST", START, r#"{"user": "karl"}"#).await;
    assert_eq!((status, error(&body).as_str()), (404, "there is no live call with this id at Callseal"));

    let mut leg = Leg::answers(&world.bus, by_hand("26")).await;
    for (user, status, why) in [
        ("gustav", 404, "the tenant's Directory has no user with this name or identity"),
        ("", 400, "a user has to be named"),
        ("karl", 409, "the user is not a party of this call"),
        ("olga", 409, "no enabled rule that covers the user has a section manualRecording"),
    ] {
        let (got, body) = world.api("POST", START, &format!(r#"{{"user": "{user}"}}"#)).await;
        assert_eq!((got, error(&body).as_str()), (status, why));
    }
    assert!(!leg.was_told());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f18_what_is_recorded_by_legal_duty_can_be_stopped_by_a_party_and_never_begins_anew() {
    let world = World::start().await;
    {
        let mut leg = Leg::recorded(&world.bus, outbound("22", ID), Class::Regulated).await;
        let (status, body) = world.api("POST", START, r#"{"user": "erika"}"#).await;
        assert_eq!(status, 409, "{body}");
        assert!(error(&body).contains("legal duty"), "{body}");
        let (status, body) = world.api("POST", STOP, r#"{"user": "karl"}"#).await;
        assert_eq!((status, error(&body).as_str()), (409, "the user is not a party of this call"));
        assert!(!leg.was_told());
        assert_eq!(world.api("POST", STOP, r#"{"user": "erika"}"#).await.0, 200);
        assert!(matches!(leg.next_wish().await, What::Stop(_)));
    }
    let mut leg = Leg::stopped(&world.bus, outbound("22", "8@pbx"), Class::Regulated).await;
    let (status, body) = world.api("POST", "calls/8%40pbx/recording:start", r#"{"user": "erika"}"#).await;
    assert_eq!(status, 409);
    assert!(error(&body).contains("cannot begin late, pause, or go on after a stop"), "{body}");
    assert!(!leg.was_told());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_recording_with_consent_goes_on_under_its_rule_and_its_proof() {
    let world = World::start().await;
    assert_eq!(world.api("PUT", "calls/7%40pbx/consent", r#"{"outcome": "granted"}"#).await.0, 200);
    let mut leg = Leg::stopped(&world.bus, outbound("25", ID), Class::Consent).await;
    let (status, body) = world.api("POST", START, r#"{"user": "karl"}"#).await;
    assert_eq!(status, 200, "{body}");
    let started = loop {
        // The PUT before may still be telling the legs.
        if let What::Start(start) = leg.next_wish().await {
            break start.decision.unwrap().recorded.unwrap();
        }
    };
    assert_eq!((started.rule.as_str(), started.class.as_str()), ("asked", "consent"));
    assert_eq!(started.consent.unwrap().outcome, "granted");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_legs_that_the_user_is_a_party_of_are_touched() {
    let world = World::start().await;
    let mut own = Leg::recorded(&world.bus, by_hand("25"), Class::Manual).await;
    let mut other = Leg::recorded(&world.bus, by_hand("26"), Class::Manual).await;
    let (status, body) = world.api("POST", STOP, r#"{"user": "karl"}"#).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(json(&body)["legs"].as_array().unwrap().len(), 1);
    assert!(matches!(own.next_wish().await, What::Stop(_)));
    assert!(!other.was_told());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_a_phone_button_toggles_and_answers_for_the_display() {
    let world = World::start().await;
    let mut leg = Leg::answers(&world.bus, by_hand("25")).await;
    let url = |token: &str| {
        format!(
            "http://{}/v1/tenants/acme/phone-button?call=7%40pbx&user=25&token={token}",
            world.replicas[0].api
        )
    };
    assert_eq!(curl("HEAD", &url(TOKEN), &[], "").await.0, 405, "who only looks presses nothing");
    assert!(!leg.was_told());
    assert_eq!(curl("GET", &url(TOKEN), &[], "").await, (200, "recording\n".to_owned()));
    let What::Start(start) = leg.next_wish().await else { panic!("not a start") };
    assert_eq!((start.user.as_str(), start.way.as_str()), ("karl", "phone button"));
    assert_eq!(curl("POST", &url(TOKEN), &[], "").await, (200, "stopped\n".to_owned()));
    let What::Stop(stop) = leg.next_wish().await else { panic!("not a stop") };
    assert_eq!(stop.by.unwrap().way, "phone button");
    let (status, text) = curl("GET", &url("0123456789abcdef-no"), &[], "").await;
    assert_eq!(status, 401, "{text}");
    drop(leg);

    let mut duty = Leg::recorded(&world.bus, outbound("22", "8@pbx"), Class::Regulated).await;
    let path = "phone-button?call=8%40pbx&user=22";
    let (status, text) = world.api("GET", path, "").await;
    let why = "this call is recorded by legal duty: the phone button leaves that as it is\n";
    assert_eq!((status, text.as_str()), (409, why));
    assert!(!duty.was_told());
    world.stop().await;
}
