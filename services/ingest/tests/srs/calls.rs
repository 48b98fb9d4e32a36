//! Calls as they should be.

use std::time::Duration;

use wire::call_v1::{EndReason, Side};

use super::{
    client::{Client, SIPREC, metadata, multipart, offer, offer_as},
    rig::{Rig, Rules, TENANT},
    rtp::Sender,
};

/// A whole call: two streams of `packets` packets, hung up at once after the last one.
async fn play(client: &mut Client, packets: u16) -> Vec<Sender> {
    let ports = client.call(2).await;
    let mut senders = vec![Sender::to(ports[0], 8).await, Sender::to(ports[1], 8).await];
    let [a, b] = senders.as_mut_slice() else { unreachable!() };
    tokio::join!(a.send(packets), b.send(packets));
    client.bye().await;
    senders
}

#[tokio::test]
async fn a_udp_call_is_on_the_bus_from_start_to_end_with_every_packet() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let senders = play(&mut client, 300).await;
    let heard = rig.recording().await;
    let started = heard.started();
    let facts = started.facts.clone().unwrap();
    assert_eq!((facts.tenant.as_str(), facts.call_id), ("acme", client.call_id));
    assert_eq!(facts.caller.unwrap().number, "+49301");
    assert_eq!(facts.callee.unwrap().number, "+493022");
    assert_eq!(started.decision.clone().unwrap().recorded.unwrap().rule, "desk");
    let sides: Vec<_> = started.streams.iter().map(|s| (s.index, s.label.as_str(), s.side())).collect();
    assert_eq!(sides, [(0, "0", Side::Caller), (1, "1", Side::Callee)]);
    assert_eq!(started.streams[0].payloads[0].encoding, "PCMA");
    for (stream, sender) in (0..).zip(&senders) {
        sender.assert_all(&heard.rtp(stream));
    }
    assert_eq!(heard.ended().reason(), EndReason::Bye);
    assert_eq!(heard.ended().packets_received, [300, 300]);
    assert!(
        heard
            .packets()
            .all(|p| (started.invited_unix_us..heard.ended().at_unix_us + 300_000)
                .contains(&p.arrival_unix_us))
    );
    rig.metric_becomes("calls_live", |n| n == 0.0).await;
    rig.metric_becomes("sockets", |n| n == 0.0).await;
    assert_eq!(rig.metric("datagrams_total"), 600.0);
}

#[tokio::test]
async fn a_tcp_call_is_recorded_the_same_way() {
    let mut rig = Rig::start(Rules::Record).await;
    let senders = play(&mut Client::tcp(rig.sip).await, 100).await;
    let heard = rig.recording().await;
    for (stream, sender) in (0..).zip(&senders) {
        sender.assert_all(&heard.rtp(stream));
    }
}

#[tokio::test]
async fn what_is_said_before_the_decision_is_recorded() {
    let mut rig = Rig::start(Rules::Slowly(900)).await;
    let mut client = Client::udp(rig.sip).await;
    let ports = client.call(1).await;
    let mut sender = Sender::to(ports[0], 8).await;
    sender.send(1_200).await;
    client.bye().await;
    sender.assert_all(&rig.recording().await.rtp(0));
}

#[tokio::test]
async fn a_call_that_is_over_before_its_decision_is_recorded() {
    let mut rig = Rig::start(Rules::Slowly(900)).await;
    let senders = play(&mut Client::udp(rig.sip).await, 50).await;
    let heard = rig.recording().await;
    senders[0].assert_all(&heard.rtp(0));
}

#[tokio::test]
async fn nothing_of_a_call_that_is_not_recorded_gets_to_the_bus_or_to_a_disk() {
    let mut rig = Rig::start(Rules::DoNotRecord).await;
    play(&mut Client::udp(rig.sip).await, 200).await;
    rig.metric_becomes("calls_total", |n| n == 1.0).await;
    rig.nothing_for(Duration::from_millis(500)).await;
    let spooled: u64 = std::fs::read_dir(rig.dir.path().join("spool"))
        .unwrap()
        .map(|f| f.unwrap().metadata().unwrap())
        .filter(std::fs::Metadata::is_file)
        .map(|m| m.len())
        .sum();
    assert!(spooled < 1_000, "{spooled} bytes in the spool");
    rig.metric_becomes("undecided_bytes", |n| n == 0.0).await;
}

#[tokio::test]
async fn without_rules_a_legal_duty_tenant_records_and_a_consent_tenant_does_not() {
    let brief = ["--decision-timeout", "0.5"];
    let mut rig = Rig::with(None, TENANT, &brief).await;
    let senders = play(&mut Client::udp(rig.sip).await, 50).await;
    let heard = rig.recording().await;
    senders[1].assert_all(&heard.rtp(1));
    assert_eq!(heard.started().decision.clone().unwrap().recorded.unwrap().rule, "when-undecided");
    assert_eq!(rig.metric("undecided_total"), 1.0);

    let mut rig = Rig::with(None, &TENANT.replace("record}", "discard}"), &brief).await;
    play(&mut Client::udp(rig.sip).await, 50).await;
    rig.metric_becomes("calls_total", |n| n == 1.0).await;
    rig.nothing_for(Duration::from_millis(300)).await;
}

#[tokio::test]
async fn a_spent_budget_decides_before_rules_do() {
    let mut rig = Rig::with(Some(Rules::Slowly(600_000)), TENANT, &["--memory-per-call", "20000"]).await;
    let mut client = Client::udp(rig.sip).await;
    let ports = client.call(1).await;
    let mut sender = Sender::to(ports[0], 8).await;
    sender.send(400).await;
    client.bye().await;
    let heard = rig.recording().await;
    sender.assert_all(&heard.rtp(0));
    assert_eq!(heard.started().decision.clone().unwrap().recorded.unwrap().rule, "when-undecided");
}

#[tokio::test]
async fn eight_streams_of_mu_law_are_recorded() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::tcp(rig.sip).await;
    let (content_type, body) = multipart(&offer_as(8, "sendonly", "0", 1), &metadata("+493022"));
    let ports = client.invite(SIPREC, &content_type, &body).await.ports();
    let mut senders = Vec::new();
    for port in &ports {
        senders.push(Sender::to(*port, 0).await);
    }
    for sender in &mut senders {
        sender.send(20).await;
    }
    client.bye().await;
    let heard = rig.recording().await;
    assert_eq!(heard.started().streams.len(), 8);
    for (stream, sender) in (0..).zip(&senders) {
        sender.assert_all(&heard.rtp(stream));
        assert_eq!(heard.started().streams[stream as usize].payloads[0].encoding, "PCMU");
    }
}

#[tokio::test]
async fn an_invite_without_metadata_is_recorded() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    assert_eq!(client.invite(SIPREC, "application/sdp", &offer(2)).await.status(), 200);
    client.bye().await;
    let heard = rig.recording().await;
    let sides: Vec<_> = heard.started().streams.iter().map(wire::call_v1::Stream::side).collect();
    assert_eq!(sides, [Side::Caller, Side::Callee]);
    assert_eq!(heard.ended().packets_received, [0, 0], "a call without audio makes a record");
}

#[tokio::test]
async fn twenty_calls_at_once_lose_nothing() {
    let mut rig = Rig::start(Rules::Record).await;
    let calls: Vec<_> = (0..20)
        .map(|n| {
            let sip = rig.sip;
            tokio::spawn(async move {
                let mut client = if n % 2 == 0 { Client::udp(sip).await } else { Client::tcp(sip).await };
                play(&mut client, 150).await
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let heard = rig.recordings(20).await;
    assert!(heard.iter().all(|h| h.ended().packets_received == [150, 150] && h.packets().count() == 300));
}

#[tokio::test]
async fn a_quiet_call_shows_that_it_lives() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    client.call(1).await;
    rig.messages(2).await;
    client.bye().await;
    let heard = rig.recording().await;
    assert!(heard.messages.len() >= 3, "started, a sign of life, ended: {:?}", heard.messages);
    assert_eq!(heard.packets().count(), 0);
    assert_eq!(heard.changes(), Vec::<&str>::new());
}
