//! `callseal why` as a command, on events that a real NATS keeps.

use std::{
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use bus::{
    Bus, BusOptions,
    server::{NatsServer, find_program},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use wire::event_v1::{
    Assembled, ConsentAnswered, Decided, Ended, Event, Fault, Journalled, Ringing, Sealed, Shipped, Started,
    Stopped, event::What,
};

/// 2026-11-22 09:15:30.123 UTC.
const BEGIN_US: i64 = 1_795_338_930_123_000;

/// NATS as `callseal up` keeps it in its data folder.
struct Installation {
    data: TempDir,
    nats: NatsServer,
    bus: Bus,
}

impl Installation {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let nats = NatsServer::start(&find_program().unwrap(), &data.path().join("nats"), None).unwrap();
        let bus = Bus::connect(BusOptions::new(nats.url(), "test")).await.unwrap();
        bus.ensure_streams_when_reachable(CancellationToken::new()).await.unwrap();
        Self { data, nats, bus }
    }

    /// Stores what happened, each thing a second after the one before. `ms` is when the first did.
    async fn happened(&self, tenant: &str, recording: &str, ms: i64, what: impl IntoIterator<Item = What>) {
        for (second, what) in (0..).zip(what) {
            let service = match &what {
                What::Assembled(_) | What::Sealed(_) => "signer",
                What::Shipped(_) | What::Fault(_) => "shipper",
                What::Journalled(_) => "journal",
                What::ConsentAnswered(answer) if answer.source != "recorded call" => "rules",
                _ => "ingest",
            };
            self.bus.event(Event {
                recording_id: recording.to_owned(),
                tenant: tenant.to_owned(),
                at_unix_us: BEGIN_US + ms * 1_000 + second * 1_000_000,
                service: service.to_owned(),
                what: Some(what),
            });
        }
        assert!(self.bus.events_flushed(Duration::from_secs(60)).await);
    }

    fn why(&self, words: &[&str]) -> String {
        said(&why(&["--nats", self.nats.url()], words))
    }
}

fn why(place: &[&str], words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_callseal")).arg("why").args(place).args(words).output().unwrap()
}

/// Exit code and everything that was said.
fn said(output: &Output) -> String {
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    format!("{}: {}", output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

fn recording(n: u32) -> String {
    format!("01949c3e-7a5b-7000-8000-{n:012}")
}

fn ringing(call_id: &str) -> What {
    What::Ringing(Ringing { streams: 2, call_id: call_id.to_owned() })
}

fn recorded(rule: &str, trace: &[&str]) -> What {
    let trace = trace.iter().map(|&line| line.to_owned()).collect();
    What::Decided(Decided { recorded: true, rule: rule.to_owned(), trace, ..Decided::default() })
}

fn not_recorded(reason: &str, trace: &[&str]) -> What {
    let trace = trace.iter().map(|&line| line.to_owned()).collect();
    What::Decided(Decided { reason: reason.to_owned(), trace, ..Decided::default() })
}

fn asked(rule: &str) -> What {
    What::Decided(Decided { asks_consent: true, rule: rule.to_owned(), ..Decided::default() })
}

fn answered(call_id: &str, outcome: &str, source: &str) -> What {
    What::ConsentAnswered(ConsentAnswered {
        mode: "optIn".to_owned(),
        outcome: outcome.to_owned(),
        key: if outcome == "no-answer" { String::new() } else { "1".to_owned() },
        consented_unix_us: BEGIN_US,
        announcement: "greeting".to_owned(),
        announcement_sha256: "c0ffee".to_owned(),
        source: source.to_owned(),
        call_id: call_id.to_owned(),
        rule: String::new(),
    })
}

fn ended() -> What {
    What::Ended(Ended { reason: "bye".to_owned(), packets_received: 600 })
}

fn assembled(supplement_to: &str) -> What {
    What::Assembled(Assembled {
        packets_received: 600,
        packets_lost: 2,
        duration_ms: 6_020,
        supplement_to: supplement_to.to_owned(),
    })
}

fn archived(position: u64) -> [What; 3] {
    [
        What::Sealed(Sealed { chain_position: position, duration_ms: 6_020 }),
        What::Shipped(Shipped {
            target: "archive".to_owned(),
            verified_by: "read-back".to_owned(),
            folder: "2026/11/22".to_owned(),
            files: Vec::new(),
            handed_over: false,
        }),
        What::Journalled(Journalled { journal: "main".to_owned() }),
    ]
}

#[tokio::test]
async fn f59_a_call_that_was_not_recorded_is_explained_by_the_rules_that_were_passed_over() {
    let installation = Installation::start().await;
    let trace = ["rule desk: passed over: direction is out", "no rule is left"];
    let leg = [ringing("4711@pbx"), not_recorded("no rule matches", &trace), ended()];
    installation.happened("acme", &recording(1), 0, leg).await;
    installation
        .happened("acme", &recording(2), 0, [ringing("4712@pbx"), recorded("desk", &[]), ended()])
        .await;

    insta::assert_snapshot!(installation.why(&["4711@pbx"]), @r"
    0: call 4711@pbx

    leg 01949c3e-7a5b-7000-8000-000000000001 of acme
      NOT RECORDED: no rule matches
      2026-11-22T09:15:30.123Z  ingest   the leg began, streams: 2
      2026-11-22T09:15:31.123Z  ingest   decided: not recorded: no rule matches
                                          1. rule desk: passed over: direction is out
                                          2. no rule is left
      2026-11-22T09:15:32.123Z  ingest   the call ended (bye), packets received: 600
    ");
}

#[tokio::test]
async fn f24_a_call_with_consent_is_told_from_the_question_to_the_journal() {
    let installation = Installation::start().await;
    let call_id = "4711@pbx";
    // The consent call has no recording.
    installation.happened("acme", "", -9_000, [answered(call_id, "granted", "consent call")]).await;
    let leg = [ringing(call_id), recorded("advice", &["rule advice: matches"]), ended(), assembled("")];
    installation.happened("acme", &recording(1), 0, leg.into_iter().chain(archived(7))).await;
    // Another leg of it, to which nobody agreed.
    let leg = [
        ringing(call_id),
        asked("advice"),
        answered(call_id, "no-answer", "recorded call"),
        not_recorded("consent was not given in time", &[]),
        ended(),
    ];
    installation.happened("acme", &recording(2), 500, leg).await;

    insta::assert_snapshot!(installation.why(&[call_id]), @r"
    0: call 4711@pbx

    answers outside its legs
      2026-11-22T09:15:21.123Z  rules    consent: granted (optIn); key 1; at 2026-11-22T09:15:30.123Z; announcement greeting; sha256 c0ffee; by consent call

    leg 01949c3e-7a5b-7000-8000-000000000001 of acme
      RECORDED by rule advice; sealed as number 7 of its chain; lies in archive; in the journal main
      2026-11-22T09:15:30.123Z  ingest   the leg began, streams: 2
      2026-11-22T09:15:31.123Z  ingest   decided: recorded by rule advice
                                          1. rule advice: matches
      2026-11-22T09:15:32.123Z  ingest   the call ended (bye), packets received: 600
      2026-11-22T09:15:33.123Z  signer   assembled: 6.020 s, packets lost: 2
      2026-11-22T09:15:34.123Z  signer   sealed: 6.020 s, signed, number 7 of its chain
      2026-11-22T09:15:35.123Z  shipper  shipped: to archive, folder 2026/11/22, verified by read-back
      2026-11-22T09:15:36.123Z  journal  journalled: in main

    leg 01949c3e-7a5b-7000-8000-000000000002 of acme
      NOT RECORDED: consent was not given in time
      2026-11-22T09:15:30.623Z  ingest   the leg began, streams: 2
      2026-11-22T09:15:31.623Z  ingest   decided: recorded by rule advice once there is consent
      2026-11-22T09:15:32.623Z  ingest   consent: no-answer (optIn); at 2026-11-22T09:15:30.123Z; announcement greeting; sha256 c0ffee; by recorded call
      2026-11-22T09:15:33.623Z  ingest   decided: not recorded: consent was not given in time
      2026-11-22T09:15:34.623Z  ingest   the call ended (bye), packets received: 600
    ");
}

#[tokio::test]
async fn f32_stops_new_starts_faults_and_late_audio_are_told_leg_by_leg() {
    let installation = Installation::start().await;
    let call_id = "4711@pbx";
    let stopped = What::Stopped(Stopped { way: "keys on the callee's phone".to_owned() });
    let fault = What::Fault(Fault {
        r#where: "archive".to_owned(),
        problem: "the folder is full".to_owned(),
        will_retry: true,
    });
    let first = [ringing(call_id), recorded("desk", &[]), stopped, assembled(""), fault];
    installation.happened("acme", &recording(1), 0, first).await;
    let started = What::Started(Started { rule: "desk".to_owned(), way: "API".to_owned() });
    let second = [started, ringing(call_id), recorded("desk", &[]), ended()];
    installation.happened("acme", &recording(2), 10_000, second).await;
    // Sealed long ago when more of it came. Its events are the only ones that name it.
    let late: Vec<What> = [assembled(&recording(1))].into_iter().chain(archived(9)).collect();
    installation.happened("acme", &recording(3), 60_000, late).await;

    insta::assert_snapshot!(installation.why(&[call_id]), @r"
    0: call 4711@pbx

    leg 01949c3e-7a5b-7000-8000-000000000001 of acme
      RECORDED by rule desk, stopped before the call was over; NOT SEALED yet
      2026-11-22T09:15:30.123Z  ingest   the leg began, streams: 2
      2026-11-22T09:15:31.123Z  ingest   decided: recorded by rule desk
      2026-11-22T09:15:32.123Z  ingest   stopped by hand: keys on the callee's phone
      2026-11-22T09:15:33.123Z  signer   assembled: 6.020 s, packets lost: 2
      2026-11-22T09:15:34.123Z  shipper  FAULT in archive: the folder is full (tried again)

    leg 01949c3e-7a5b-7000-8000-000000000002 of acme
      RECORDED by rule desk; NOT ASSEMBLED yet
      2026-11-22T09:15:40.123Z  ingest   started by hand: API, rule desk
      2026-11-22T09:15:41.123Z  ingest   the leg began, streams: 2
      2026-11-22T09:15:42.123Z  ingest   decided: recorded by rule desk
      2026-11-22T09:15:43.123Z  ingest   the call ended (bye), packets received: 600

    leg 01949c3e-7a5b-7000-8000-000000000003 of acme
      RECORDED, late audio of 01949c3e-7a5b-7000-8000-000000000001; sealed as number 9 of its chain; lies in archive; in the journal main
      2026-11-22T09:16:30.123Z  signer   assembled: 6.020 s, packets lost: 2; late audio of 01949c3e-7a5b-7000-8000-000000000001
      2026-11-22T09:16:31.123Z  signer   sealed: 6.020 s, signed, number 9 of its chain
      2026-11-22T09:16:32.123Z  shipper  shipped: to archive, folder 2026/11/22, verified by read-back
      2026-11-22T09:16:33.123Z  journal  journalled: in main
    ");
    // By the id of a recording, as a file's name has it.
    let by_recording = installation.why(&[&recording(3)]);
    assert!(by_recording.starts_with(&format!("0: call {}", recording(3))), "{by_recording}");
    assert!(by_recording.contains("late audio of") && !by_recording.contains("keys"), "{by_recording}");
}

#[tokio::test]
async fn an_unknown_call_is_told_apart_from_events_that_cannot_be_read() {
    let mut installation = Installation::start().await;
    insta::assert_snapshot!(installation.why(&["4711@pbx"]), @r"
    1: nothing is known of the call 4711@pbx
      nothing is known of any call
      either it is older, or the PBX sent no INVITE with this id, or the INVITE was refused (see
      the log of ingest), or the PBX gave another id: look for it in CallId of an _info.txt
    ");
    // Two tenants may have calls of the same id.
    for (n, tenant) in [(1, "acme"), (2, "globex")] {
        installation
            .happened(tenant, &recording(n), 0, [ringing("1"), not_recorded("no rule matches", &[])])
            .await;
    }
    let both = installation.why(&["1"]);
    assert!(both.contains("of acme") && both.contains("of globex"), "{both}");
    let one = installation.why(&["--tenant", "globex", "1"]);
    assert!(!one.contains("of acme") && one.contains("of globex"), "{one}");
    let none = installation.why(&["2"]);
    assert!(
        none.starts_with("1: nothing is known of the call 2\n  what happened is known since 2"),
        "{none}"
    );
    // What steers a terminal stands in no output.
    let steered = installation.why(&["\u{1b}[2J"]);
    assert!(steered.starts_with("1: nothing") && !steered.contains('\u{1b}'), "{steered:?}");

    let data = installation.data.path().to_str().unwrap().to_owned();
    assert_eq!(said(&why(&["--data", &data], &["--tenant", "globex", "1"])), one);
    installation.nats.stop();
    let away = said(&why(&["--nats", "nats://127.0.0.1:1"], &["1"]));
    assert!(away.starts_with("2: error: NATS cannot be reached"), "{away}");
    let nothing = Path::new(&data).join("elsewhere");
    let nothing = said(&why(&["--data", nothing.to_str().unwrap()], &["1"]));
    assert!(nothing.starts_with("2: error: `callseal up` has to run with this data folder"), "{nothing}");
}
