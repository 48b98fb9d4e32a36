//! From the messages of a call to its announced files.

use std::{
    path::PathBuf,
    process::Command,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use bus::{CallPublisher, CallPublisherOptions};
use keys::SigningKey as _;
use tokio_util::sync::CancellationToken;
use wire::call_v1::{EndReason, call_message::Body};

use crate::support::{
    bench::{Bench, files_below},
    call::{Call, said},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_call_is_sealed_bit_exact_and_openssl_accepts_it() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    let call = Call::new(3);
    let stop = CancellationToken::new();
    let options = CallPublisherOptions::new("ingest-1".parse().unwrap(), bench.path("spool"));
    let publisher = CallPublisher::start(bench.bus.clone(), options, stop.clone()).await.unwrap();
    let mut writer = publisher.call(&call.tenant, call.recording);
    for message in call.messages() {
        writer.send(message.body.unwrap());
    }
    let sealed = bench.announced(1).await.remove(0);

    assert_eq!(sealed.recording_id, call.recording.to_string());
    assert_eq!(sealed.chain_position, 1);
    assert_eq!(sealed.duration_ms, 3_000);
    assert_eq!(sealed.time_zone, "Europe/Berlin");
    assert_eq!(
        (sealed.targets.as_slice(), sealed.journals.as_slice()),
        (&["archive".to_owned()][..], &["main".to_owned()][..])
    );
    assert_eq!(
        sealed.base_name,
        format!("20261122-091530.123Z_in_+4922198765_+4970311234_{}", call.recording)
    );
    assert_eq!(bench.channels(&sealed, ".wav"), [said(0, 0..3), said(1, 0..3)]);
    for (key, value) in [
        ("Datetime", "2026-11-22T10:15:30.123+01:00"),
        ("Duration", "0:00:03.000"),
        ("CallId", "call-1@pbx"),
        ("Channels", "caller,callee"),
        ("PacketsReceived", "150,150"),
        ("PacketsLost", "0,0"),
        ("Interrupted", "no"),
        ("Gaps", "0"),
        ("PreviousRecording", "none"),
    ] {
        assert_eq!(bench.info_value(&sealed, key).as_deref(), Some(value), "{key}");
    }
    let endings: Vec<_> =
        sealed.files.iter().map(|f| f.name.strip_prefix(&sealed.base_name).unwrap()).collect();
    let all =
        [".wav", "_info.txt", "_journal.json", "_hash.txt", "_hash.SHA256withRSA.sig", "_log-proof.txt"];
    assert_eq!(endings, all);
    for file in &sealed.files {
        let content = std::fs::read(bench.path("staging").join(sealed.staging_key(&file.name))).unwrap();
        assert_eq!(content.len() as u64, file.size);
        assert_eq!(evidence::Sha256Hash::of(&content).as_bytes().as_slice(), file.sha256);
    }
    bench.audit_is_good(1);
    openssl_accepts(&bench, &sealed);

    // Nothing but the sealed files, the certificate and the log stays.
    let state = bench.state().await;
    harness::wait::until("the segments to go", Duration::from_secs(60), || async {
        let gone = files_below(&bench.path("staging/segments")).is_empty();
        (gone && state.segments(&call.recording).await.unwrap().is_empty()).then_some(())
    })
    .await
    .unwrap();
    // Nothing is kept of what was announced but its place in the chain.
    harness::wait::until("the outbox to be empty", Duration::from_secs(60), || async {
        let rows =
            sqlx::query("SELECT recording FROM outbox").fetch_all(state.database().pool()).await.unwrap();
        rows.is_empty().then_some(())
    })
    .await
    .unwrap();
    let count = |folder: &str| files_below(&bench.path("staging").join(folder)).len();
    assert_eq!((count("sealed"), count("certificates")), (all.len(), 1));
    let known = |file: &PathBuf| {
        ["sealed", "certificates", "log"]
            .iter()
            .any(|name| file.starts_with(bench.path("staging").join(name)))
    };
    assert!(files_below(&bench.path("staging")).iter().all(known));
    stop.cancel();
    signer.stop().await;
}

fn openssl_accepts(bench: &Bench, sealed: &wire::recording_v1::RecordingSealed) {
    let script = r#"set -e
        sha256sum -c --strict "$1_hash.txt"
        openssl x509 -in "$2" -pubkey -noout > pub.pem
        openssl base64 -d -in "$1_hash.SHA256withRSA.sig" -out sig.bin
        openssl dgst -sha256 -verify pub.pem -signature sig.bin "$1_hash.txt"
        rm pub.pem sig.bin"#;
    let certificate =
        bench.path("staging/certificates").join(format!("{}.pem", bench.keys.of("callseal").key_id()));
    let done = Command::new("sh")
        .current_dir(bench.exported())
        .args(["-c", script, "sh", &sealed.base_name])
        .arg(certificate)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_of_a_lane_are_chained_and_lanes_are_apart() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    let mut calls: Vec<Call> = (0..6).map(|_| Call::new(1)).collect();
    calls[4].class = "consent";
    calls[5].channels = "separate";
    for call in &calls {
        bench.publish(call.messages()).await;
    }
    let sealed = bench.announced(6).await;
    let mut positions: Vec<_> = sealed.iter().map(|s| (s.class.clone(), s.chain_position)).collect();
    positions.sort();
    let regulated = (1..=5).map(|position| ("regulated".to_owned(), position));
    assert_eq!(positions, [("consent".to_owned(), 1)].into_iter().chain(regulated).collect::<Vec<_>>());
    bench.audit_is_good(6);
    let separate = sealed.iter().find(|s| s.recording_id == calls[5].recording.to_string()).unwrap();
    assert_eq!(bench.channels(separate, "_caller.wav"), [said(0, 0..1)]);
    assert_eq!(bench.channels(separate, "_callee.wav"), [said(1, 0..1)]);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_rule_for_one_side_only_that_side_is_kept() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    for (channels, ending, stream) in [("callerOnly", "_caller.wav", 0), ("calleeOnly", "_callee.wav", 1)] {
        let mut call = Call::new(2);
        call.channels = channels;
        bench.publish(call.messages()).await;
        let sealed = bench.announced(1).await.remove(0);
        let audio: Vec<_> = sealed.files.iter().filter(|file| file.name.ends_with(".wav")).collect();
        assert_eq!(audio.len(), 1, "{channels}");
        assert!(audio[0].name.ends_with(ending), "{channels}");
        assert_eq!(bench.channels(&sealed, ending), [said(stream, 0..2)], "{channels}");
    }
    bench.audit_is_good(2);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_rtp_is_a_flagged_recording() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    let call = Call::new(0);
    bench.publish(call.messages()).await;
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(bench.channels(&sealed, ".wav"), [Vec::<u8>::new(), Vec::new()]);
    assert_eq!(bench.info_value(&sealed, "Interrupted").as_deref(), Some("no RTP was received"));
    bench.audit_is_good(1);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_recorder_or_silence_ended_is_marked_as_interrupted() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    for (reason, said) in [
        (EndReason::Shutdown, "the recorder was shut down"),
        (EndReason::Silent, "neither media nor signalling any more"),
        (EndReason::Cancel, "no"),
    ] {
        let call = Call::new(1);
        let mut messages = call.messages();
        let last = messages.last_mut().and_then(|message| message.body.as_mut());
        let Some(Body::Ended(ended)) = last else { unreachable!("the last message ends the call") };
        ended.reason = reason.into();
        bench.publish(messages).await;
        let sealed = bench.announced(1).await.remove(0);
        assert_eq!(bench.info_value(&sealed, "Interrupted").as_deref(), Some(said));
    }
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_recordings_wait_and_the_service_is_not_ready() {
    let bench = Bench::start().await;
    bench.keys.unplugged.store(true, Ordering::SeqCst);
    let signer = bench.signer(bench.options());
    let call = Call::new(1);
    bench.publish(call.messages()).await;
    let health = signer.service.health().clone();
    harness::wait::until("the key's condition to fail", Duration::from_secs(60), || async {
        health.ready().err().filter(|reasons| reasons.iter().any(|r| r.starts_with("key: there is no token")))
    })
    .await
    .unwrap();
    assert!(bench.nothing_announced_for(Duration::from_secs(1)).await);
    bench.keys.unplugged.store(false, Ordering::SeqCst);
    bench.announced(1).await;
    bench.audit_is_good(1);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_whose_record_is_damaged_waits_and_the_others_are_sealed() {
    let bench = Bench::start().await;
    bench.keys.unplugged.store(true, Ordering::SeqCst);
    let signer = bench.signer(bench.options());
    let (damaged, good) = (Call::new(1), Call::new(1));
    let state = bench.state().await;
    for (call, waiting) in [(&damaged, 1), (&good, 2)] {
        bench.publish(call.messages()).await;
        harness::wait::until("the queue", Duration::from_secs(60), || async {
            (state.waiting_count().await.unwrap() == waiting).then_some(())
        })
        .await
        .unwrap();
    }
    sqlx::query("UPDATE recording SET call_record = $1 WHERE id = $2")
        .bind(vec![0xFF_u8; 4])
        .bind(damaged.recording.to_string())
        .execute(state.database().pool())
        .await
        .unwrap();
    bench.keys.unplugged.store(false, Ordering::SeqCst);
    assert_eq!(bench.announced(1).await[0].recording_id, good.recording.to_string());
    assert_eq!(state.waiting_count().await.unwrap(), 1);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_whose_files_cannot_be_laid_out_holds_up_no_other_and_is_not_overwritten() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    let (taken, good) = (Call::new(1), Call::new(1));
    let id = taken.recording.to_string();
    let in_the_way = bench.path("staging/sealed/acme").join(&id).join(format!("{id}_info.txt"));
    std::fs::create_dir_all(in_the_way.parent().unwrap()).unwrap();
    std::fs::write(&in_the_way, "somebody else's").unwrap();
    bench.publish(taken.messages()).await;
    let state = bench.state().await;
    harness::wait::until("the sealing", Duration::from_secs(60), || async {
        (state.unsent(10).await.unwrap().len() == 1).then_some(())
    })
    .await
    .unwrap();
    bench.publish(good.messages()).await;
    assert_eq!(bench.announced(1).await[0].recording_id, good.recording.to_string());
    assert_eq!(std::fs::read_to_string(&in_the_way).unwrap(), "somebody else's");
    // Once that is out of the way it follows.
    std::fs::remove_file(&in_the_way).unwrap();
    assert_eq!(bench.announced(1).await[0].recording_id, id);
    bench.audit_is_good(2);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_that_end_together_are_sealed_at_once_and_do_not_wait_for_a_flush() {
    let bench = Bench::start().await;
    let mut options = bench.options();
    options.flush_every_s = 3_600.0;
    let signer = bench.signer(options);
    let calls: Vec<Call> = (0..100).map(|_| Call::new(30)).collect();
    for call in &calls {
        let mut messages = call.messages();
        messages.pop();
        bench.publish(messages).await;
    }
    signer.has_taken(100 * 31).await;
    let hung_up = Instant::now();
    let mut last = Vec::new();
    for call in &calls {
        last.extend(call.messages().pop());
    }
    bench.publish(last).await;
    let all = bench.announced(calls.len()).await;
    let took = hung_up.elapsed();
    for sealed in all {
        assert!(bench.channels(&sealed, ".wav") == [said(0, 0..30), said(1, 0..30)]);
    }
    println!("100 calls sealed and announced {took:?} after the hang-up");
    bench.audit_is_good(calls.len());
    signer.stop().await;
}
