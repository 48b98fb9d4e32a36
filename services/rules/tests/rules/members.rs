//! Logging on and off (F-08).

use crate::setup::*;

const ERIKA: &str = "groups/desk/members/erika";

impl World {
    async fn is_recorded(&self, extension: &str) -> bool {
        self.decide(&outbound(extension, "1@pbx")).await.recorded.is_some()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_who_logs_off_is_not_recorded_from_the_very_next_call_and_who_logs_on_is() {
    let world = World::start().await;
    assert!(world.is_recorded("22").await, "listed members are active until they log off");
    for _ in 0..20 {
        let (status, body) = world.api("PUT", ERIKA, r#"{"active": false}"#).await;
        assert_eq!(status, 200, "{body}");
        assert!(!world.is_recorded("22").await);
        assert_eq!(world.api("PUT", ERIKA, r#"{"active": true}"#).await.0, 200);
        assert!(world.is_recorded("22").await);
    }
    assert!(world.is_recorded("23").await, "Max was never meant");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_who_is_not_listed_is_a_member_while_logged_on() {
    let world = World::start().await;
    assert!(!world.is_recorded("26").await);
    assert_eq!(world.api("PUT", "groups/desk/members/olga", r#"{"active": true}"#).await.0, 200);
    assert!(world.is_recorded("26").await);
    assert_eq!(world.api("PUT", "groups/desk/members/olga", r#"{"active": false}"#).await.0, 200);
    assert!(!world.is_recorded("26").await);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_listed_with_what_the_directory_and_the_pbx_say() {
    let world = World::start().await;
    // By any identity, and the group by its number, as a dial plan knows them.
    let (status, body) =
        world.api("PUT", "groups/500/members/erika%40pbx.acme.example", r#"{"active": false}"#).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(world.api("PUT", "groups/desk/members/26", r#"{"active": true}"#).await.0, 200);
    let (status, body) = world.api("GET", "groups/desk/members", "").await;
    assert_eq!(status, 200, "{body}");
    let members = json(&body)["members"].as_array().unwrap().clone();
    let shown: Vec<_> =
        members.iter().map(|m| (m["user"].as_str().unwrap(), &m["active"], &m["listed"])).collect();
    let (yes, no) = (json("true"), json("false"));
    assert_eq!(shown, [("erika", &no, &yes), ("max", &yes, &yes), ("olga", &yes, &no)]);
    let changed: Vec<bool> =
        members.iter().map(|m| m["changedAt"].as_str().unwrap().ends_with('Z')).collect();
    assert_eq!(changed, [true, false, true]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_changes_nothing_and_is_answered_by_a_sentence_without_names() {
    let world = World::start().await;
    for (path, body, status, sentence) in [
        (ERIKA, "", 400, "field active: say true to log on, false to log off"),
        (
            ERIKA,
            r#"{"activ": false}"#,
            400,
            "unknown field `activ`, expected one of `tenant`, `group`, `user`, `active`",
        ),
        (ERIKA, "active=false", 400, "the body is not a JSON object"),
        (
            "groups/desk/members/gustav",
            r#"{"active": false}"#,
            404,
            "the tenant's Directory has no user with this name or identity",
        ),
        (
            "groups/sales/members/erika",
            r#"{"active": false}"#,
            404,
            "the tenant's Directory has no group of this name",
        ),
    ] {
        let (got, answer) = world.api("PUT", path, body).await;
        assert_eq!((got, json(&answer)["error"].as_str().unwrap()), (status, sentence));
    }
    assert!(world.is_recorded("22").await);
    world.stop().await;
}
