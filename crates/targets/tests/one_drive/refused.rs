//! Every refusal that Graph gives, and what becomes of the put.

use std::{error::Error as _, time::Duration};

use harness::graph::{Instead, USER_DRIVE};
use targets::{ErrorKind, Outcome, Target};

use crate::{
    content::content_of,
    world::{LARGE, ONE_RANGE, World},
};

/// Status, code, wish to wait; and the kind of fault that follows.
const REFUSALS: &[(u16, &str, Option<u64>, ErrorKind)] = &[
    (429, "activityLimitReached", Some(430), ErrorKind::Busy),
    (503, "serviceNotAvailable", Some(9), ErrorKind::Busy),
    (503, "serviceNotAvailable", None, ErrorKind::Unreachable),
    (500, "generalException", None, ErrorKind::Unreachable),
    (502, "badGateway", None, ErrorKind::Unreachable),
    (504, "gatewayTimeout", None, ErrorKind::Unreachable),
    (507, "insufficientStorage", None, ErrorKind::Full),
    (400, "invalidRequest", None, ErrorKind::Io),
];

#[tokio::test]
async fn each_refusal_has_its_kind_wherever_it_comes_and_the_next_put_stores_the_file() {
    let world = World::start().await;
    for (status, code, wait, kind) in REFUSALS.iter().copied() {
        for (request, length) in
            [("PUT /v1.0", 1_000), ("createUploadSession", ONE_RANGE), ("PUT /uploads", ONE_RANGE)]
        {
            let target = world.recordings();
            for _ in 0..3 {
                world.graph.instead(request, Instead::Refuse(status, code, wait));
            }
            let context = format!("{status} to {request}");
            let error = target.put("", "+493012345678.wav", &content_of(length)).await.expect_err(&context);
            assert_eq!(error.kind(), kind, "{context}: {error}");
            assert_eq!(error.retry_after(), wait.map(Duration::from_secs), "{context}");
            assert!(!error.concerns_record() && !error.is_permanent(), "{context}");
            let text = format!("{error} {}", error.source().unwrap());
            assert!(!text.contains("493012345678") && text.contains(&status.to_string()), "{text}");
            // What is left of the refusals is used up.
            while target.put("", "other.wav", &content_of(length)).await.is_err() {}
            target.remove("", "other.wav").await.unwrap();
            let put = target.put("", "+493012345678.wav", &content_of(length)).await.unwrap();
            assert_eq!(put.outcome, Outcome::Stored, "{context}");
            target.remove("", "+493012345678.wav").await.unwrap();
        }
    }
}

#[tokio::test]
async fn who_is_asked_to_wait_is_left_alone_at_once() {
    let world = World::start().await;
    let target = world.recordings();
    target.test().await.unwrap();
    world.graph.instead("PUT /uploads", Instead::Refuse(429, "activityLimitReached", Some(300)));
    target.put("", "a.wav", &content_of(LARGE)).await.unwrap_err();
    assert!(world.graph.seen().iter().all(|seen| !seen.too_early));
}

#[tokio::test]
async fn a_login_without_the_right_is_denied_and_told_which_right_it_needs() {
    let world = World::start().await;
    world.graph.instead("PUT /v1.0", Instead::Refuse(403, "accessDenied", None));
    let error = world.recordings().put("", "a.wav", &content_of(9)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.is_permanent() && error.to_string().contains("Sites.Selected"), "{error}");
}

#[tokio::test]
async fn a_full_drive_takes_the_rest_when_there_is_space_again() {
    let world = World::start().await;
    let target = world.recordings();
    world.graph.quota(Some(LARGE as u64 / 2));
    let error = target.put("", "a.wav", &content_of(LARGE)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert!(world.graph.files(USER_DRIVE).is_empty());
    world.graph.quota(None);
    assert_eq!(target.put("", "a.wav", &content_of(LARGE)).await.unwrap().outcome, Outcome::Stored);
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_renewed_once_and_then_the_login_counts_as_refused() {
    let world = World::start().await;
    let target = world.recordings();
    target.put("", "a.wav", &content_of(9)).await.unwrap();
    world.graph.end_tokens();
    target.put("", "b.wav", &content_of(9)).await.unwrap();
    assert_eq!(world.graph.signed_in(), ["secret", "secret"]);
    for _ in 0..2 {
        world.graph.instead("PUT /v1.0", Instead::Refuse(401, "InvalidAuthenticationToken", None));
    }
    let error = target.put("", "c.wav", &content_of(9)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginRefused, "{error}");
    assert_eq!(world.graph.signed_in().len(), 3);
}

#[tokio::test]
async fn many_at_once_share_one_token() {
    let world = World::start().await;
    let target = world.recordings();
    let puts = (0..16).map(|number| {
        let target = &target;
        async move { target.put("", &format!("{number}.wav"), &content_of(100)).await.unwrap() }
    });
    futures::future::join_all(puts).await;
    assert_eq!(world.graph.signed_in(), ["secret"]);
    assert_eq!(world.graph.files(USER_DRIVE).len(), 16);
}

#[tokio::test]
async fn servers_that_cannot_be_reached_are_waited_for() {
    let world = World::start().await;
    let target = world.recordings();
    drop(world);
    let error = target.test().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}
