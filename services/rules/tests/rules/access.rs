//! Who may ask, and what is answered to what is no request.

use crate::setup::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_one_answer_whatever_there_is() {
    let world = World::start().await;
    let address = world.replicas[0].api;
    let good = format!("Authorization: Bearer {TOKEN}");
    let strangers: [(&str, &[&str]); 6] = [
        ("acme", &[]),
        ("acme", &["Authorization: Bearer 0123456789abcdef"]),
        ("acme", &["Authorization: Basic 0123456789abcdef-acme"]),
        // A tenant without tokens, one that is not there, one that cannot be.
        ("globex", &[&good]),
        ("initech", &[&good]),
        ("Not%20A%20Tenant", &[&good]),
    ];
    let mut answers = Vec::new();
    for (tenant, headers) in strangers {
        let url = format!("http://{address}/v1/tenants/{tenant}/groups/desk/members/erika");
        // Not even what is wrong with the body is said.
        answers.push(curl("PUT", &url, headers, "rubbish").await);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].0, 401);
    assert!(answers[0].1.contains("spec.api.tokens"), "{}", answers[0].1);
    let url = format!("http://{address}/v1/tenants/acme/groups/desk/members");
    assert_eq!(curl("GET", &url, &[&good], "").await.0, 200);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_answered_by_a_sentence() {
    let world = World::start().await;
    let large = format!(r#"{{"override": "{}"}}"#, "x".repeat(17 << 10));
    let long = format!("calls/{}/override", "x".repeat(1025));
    for (method, path, body, status, sentence) in [
        ("PUT", "calls/1/override", large.as_str(), 413, "the body is larger than 16 KiB"),
        (
            "POST",
            "calls/1/override",
            "",
            405,
            "this address does not know that method; see docs/control-api.md",
        ),
        ("GET", "calls/1/overrides", "", 404, "there is no such address; see docs/control-api.md"),
        ("PUT", &long, r#"{"override": "deny"}"#, 400, "the id of a call has at most 1024 bytes"),
        (
            "PUT",
            "calls/1/override",
            r#"{"callId": "2", "override": "deny"}"#,
            400,
            "field callId: the body says something else than the address",
        ),
        (
            "PUT",
            "calls/1/override",
            r#"{"override": 4970311234}"#,
            400,
            "field override: its value is of the wrong kind; see docs/control-api.md",
        ),
    ] {
        let (got, answer) = world.api(method, path, body).await;
        assert_eq!((got, json(&answer)["error"].as_str().unwrap()), (status, sentence), "{path}");
    }
    assert!(world.replicas[0].metric("callseal_rules_api_requests_total") >= 4.0);
    world.stop().await;
}
