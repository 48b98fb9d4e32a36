//! Authorities that are away, broken, or somebody else's.

use std::{error::Error, net::TcpListener, sync::Arc};

use attest::{AttestError, TimeStampAuthority};
use evidence::Sha256Hash;
use harness::{
    http_answers::{Answer, HttpAnswers},
    time_stamp_authority::{self as real, KeyKind},
};

use crate::stamps::configured;

#[tokio::test]
async fn an_authority_that_answers_nonsense_is_told_by_what_it_does() {
    let root = real::TimeStampAuthority::new(KeyKind::P256).unwrap().root_pem().unwrap();
    let asked = async |answer: Answer| {
        let server = HttpAnswers::start(move |_| answer.clone()).unwrap();
        let authority = TimeStampAuthority::new(&configured(server.url(), root.clone())).unwrap();
        authority.stamp(&Sha256Hash::of(b"x")).await.unwrap_err()
    };
    assert!(matches!(asked(Answer::status(503, Vec::new())).await, AttestError::Status(503)));
    let mut elsewhere = Answer::status(301, Vec::new());
    elsewhere.header.push("Location: http://127.0.0.1:1/".into());
    assert!(matches!(asked(elsewhere).await, AttestError::Status(301)));
    assert!(matches!(asked(Answer::ok(b"<html>".to_vec())).await, AttestError::Response(_)));
    assert!(matches!(asked(Answer::ok(vec![0; 300_000])).await, AttestError::TooLong));
}

#[tokio::test]
async fn an_authority_that_is_away_is_told_without_its_address() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let root = real::TimeStampAuthority::new(KeyKind::P256).unwrap().root_pem().unwrap();
    let url = format!("http://127.0.0.1:{port}/some-path");
    let error = TimeStampAuthority::new(&configured(url, root)).unwrap().stamp(&Sha256Hash::of(b"x")).await;
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), "no answer: it cannot be reached, or is too slow");
    let mut source = error.source();
    while let Some(cause) = source {
        assert!(!cause.to_string().contains("some-path"), "{cause}");
        source = cause.source();
    }
}

#[tokio::test]
async fn the_authority_of_somebody_else_is_refused() {
    let theirs = Arc::new(real::TimeStampAuthority::new(KeyKind::P256).unwrap());
    let ours = real::TimeStampAuthority::new(KeyKind::P256).unwrap();
    let server = theirs.serve().unwrap();
    let authority = TimeStampAuthority::new(&configured(server.url(), ours.root_pem().unwrap())).unwrap();
    let error = authority.stamp(&Sha256Hash::of(b"x")).await.unwrap_err();
    let reason = error.source().unwrap().to_string();
    assert_eq!(reason, "the time stamp was not made by one of the authorities given");
}
