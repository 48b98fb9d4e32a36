//! What comes after its recording was sealed is sealed, too.

use std::time::Duration;

use bus::Told;
use domain::partition::partition_of;
use evidence::log::{self, Entry};
use wire::event_v1::{Event, event::What};

use crate::support::{
    bench::Bench,
    call::{Call, said},
};

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_come_after_the_deadline_are_sealed_as_a_supplement() {
    let bench = Bench::start().await;
    let mut options = bench.options();
    (options.interrupted_after_s, options.spool_deadline_s) = (3.0, 4.0);
    let signer = bench.signer(options);
    let call = Call::new(6);
    let mut messages = call.messages();
    // Seconds 2 and 3 of the call lie in a spool somewhere.
    let late: Vec<_> = messages.drain(3..5).collect();
    bench.publish(messages).await;
    let first = bench.announced(1).await.remove(0);
    assert_eq!(first.recording_id, call.recording.to_string());
    assert_eq!(bench.info_value(&first, "PartsMissing").as_deref(), Some("3-4"));
    assert_ne!(bench.info_value(&first, "Interrupted").as_deref(), Some("no"));
    let channels = bench.channels(&first, ".wav");
    assert_eq!(channels[0][..16_000], said(0, 0..2), "the beginning");
    assert_eq!(channels[0][32_000..], said(0, 4..6), "the end, at its place");
    assert!(channels[0][16_000..32_000].iter().all(|sample| *sample == 0xD5), "silence between");

    bench.publish(late.clone()).await;
    let second = bench.announced(1).await.remove(0);
    assert_ne!(second.recording_id, first.recording_id);
    assert_eq!(bench.channels(&second, ".wav"), [said(0, 2..4), said(1, 2..4)]);
    assert_eq!(bench.info_value(&second, "SupplementTo"), Some(call.recording.to_string()));
    assert_eq!(bench.info_value(&second, "CallId").as_deref(), Some("call-1@pbx"));
    assert_eq!(second.chain_position, 2);
    // Who asks what became of the call finds it: its events name no call id.
    let of_second = [second.recording_id.parse().unwrap()];
    let told = harness::wait::until("the event of the supplement", Duration::from_secs(60), || async {
        let mut told = None;
        let take = |event: Event| {
            if let Some(What::Assembled(assembled)) = event.what {
                told = Some(assembled.supplement_to);
            }
        };
        bench.bus.kept_events(Told::Of(&of_second), take).await.unwrap();
        told
    });
    assert_eq!(told.await.unwrap(), call.recording.to_string());

    // Now everything is there: doubles make nothing.
    bench.publish(late).await;
    bench.publish(call.messages()).await;
    assert!(bench.nothing_announced_for(Duration::from_secs(3)).await);
    bench.audit_is_good(2);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_an_interrupted_call_follows_as_a_supplement() {
    let bench = Bench::start().await;
    let mut options = bench.options();
    options.interrupted_after_s = 4.0;
    let signer = bench.signer(options);
    let call = Call::new(6);
    let messages = call.messages();
    bench.publish(messages[..4].to_vec()).await;
    bench.announced(1).await;
    bench.publish(messages[4..].to_vec()).await;
    let rest = bench.announced(1).await.remove(0);
    assert_eq!(bench.channels(&rest, ".wav"), [said(0, 3..6), said(1, 3..6)]);
    assert_eq!(bench.info_value(&rest, "Interrupted").as_deref(), Some("no"));
    assert_eq!(bench.info_value(&rest, "SupplementTo"), Some(call.recording.to_string()));
    bench.audit_is_good(2);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_end_without_audio_makes_no_recording() {
    let bench = Bench::start().await;
    let mut options = bench.options();
    options.interrupted_after_s = 4.0;
    let signer = bench.signer(options);
    let call = Call::new(2);
    let messages = call.messages();
    bench.publish(messages[..3].to_vec()).await;
    bench.announced(1).await;
    bench.publish(messages[3..].to_vec()).await;
    the_log_says_empty(&bench, "a late section of a call held no audio").await;
    assert!(bench.nothing_announced_for(Duration::from_secs(1)).await);
    bench.audit_is_good(1);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_its_beginning_is_kept_as_dead_letters_and_never_sealed_by_guess() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    let call = Call::new(3);
    bench.publish(call.messages()[1..4].to_vec()).await;
    bench.publish_everywhere(call.node_started_anew()).await;
    harness::wait::until("the dead letters", Duration::from_secs(60), || async {
        (bench.messages_in("DEAD").await == 3).then_some(())
    })
    .await
    .unwrap();
    the_log_says_empty(&bench, "the beginning of the call never came").await;
    assert!(bench.nothing_announced_for(Duration::from_secs(1)).await);
    signer.stop().await;
}

/// Waits until the log says why a call left nothing to seal.
async fn the_log_says_empty(bench: &Bench, why: &str) {
    let state = bench.state().await;
    harness::wait::until("the log to say that nothing is left", Duration::from_secs(60), || async {
        let entries = state.log_entries(&"acme".parse().unwrap(), 0, 1000).await.unwrap();
        let says = |bytes: &Vec<u8>| {
            matches!(Entry::parse(bytes).unwrap().what, log::What::Empty { reason, .. } if reason == why)
        };
        entries.iter().any(says).then_some(())
    })
    .await
    .unwrap();
}

/// Waits until the mark has passed what the call has sent so far although a part of it is missing.
async fn goes_on_without(bench: &Bench, call: &Call) {
    let part = partition_of(&call.tenant, &call.recording);
    let (state, sent) = (bench.state().await, bench.bus.partition(part).last_sequence().await.unwrap());
    harness::wait::until("the mark to pass the hole", Duration::from_secs(60), || async {
        // The call is not silent.
        bench.publish([call.messages().remove(0)]).await;
        (state.mark(part).await.unwrap() >= sent).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_never_comes_does_not_hold_up_a_call_that_goes_on() {
    let bench = Bench::start().await;
    let mut options = bench.options();
    (options.interrupted_after_s, options.spool_deadline_s) = (8.0, 1.0);
    let signer = bench.signer(options);
    let call = Call::new(6);
    let messages = call.messages();
    bench.publish(messages[..2].to_vec()).await;
    bench.publish(messages[3..5].to_vec()).await;
    goes_on_without(&bench, &call).await;
    bench.publish(messages[5..].to_vec()).await;
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(sealed.recording_id, call.recording.to_string());
    assert_eq!(bench.channels(&sealed, ".wav")[0].len(), 6 * 8_000);
    assert_eq!(bench.info_value(&sealed, "PartsMissing").as_deref(), Some("2"));
    let why = bench.info_value(&sealed, "Interrupted").unwrap();
    assert_eq!(why, "parts of the call did not arrive in time");
    bench.publish(messages[2..3].to_vec()).await;
    let late = bench.announced(1).await.remove(0);
    assert_eq!(bench.channels(&late, ".wav"), [said(0, 1..2), said(1, 1..2)]);
    bench.audit_is_good(2);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_comes_after_it_was_given_up_begins_a_section_in_which_the_call_goes_on() {
    let bench = Bench::start().await;
    let mut options = bench.options();
    (options.interrupted_after_s, options.spool_deadline_s) = (8.0, 1.0);
    let signer = bench.signer(options);
    let call = Call::new(6);
    let messages = call.messages();
    bench.publish(messages[..2].to_vec()).await;
    bench.publish(messages[3..5].to_vec()).await;
    goes_on_without(&bench, &call).await;
    bench.publish(messages[2..3].to_vec()).await;
    bench.publish(messages[5..].to_vec()).await;
    let [first, rest] = <[_; 2]>::try_from(bench.announced(2).await).unwrap();
    assert_eq!(first.recording_id, call.recording.to_string());
    assert_eq!(bench.info_value(&first, "PartsMissing").as_deref(), Some("2"));
    assert_eq!(bench.channels(&first, ".wav")[0].len(), 4 * 8_000);
    let channel = &bench.channels(&rest, ".wav")[0];
    assert_eq!(channel[..8_000], said(0, 1..2));
    assert_eq!(channel[channel.len() - 16_000..], said(0, 4..6));
    bench.audit_is_good(2);
    signer.stop().await;
}
