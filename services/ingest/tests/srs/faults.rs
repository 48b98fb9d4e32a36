//! Clients that vanish, a bus that goes away, an ingest that is stopped.

use std::time::Duration;

use bus::server::NatsServer;
use tokio::net::TcpListener;
use wire::call_v1::EndReason;

use super::{
    client::{Client, SIPREC, Wire, offer, offer_as},
    rig::{PATIENCE, Rig, Rules, TENANT},
    rtp::Sender,
};

#[tokio::test]
async fn a_client_that_vanished_is_asked_for_and_its_call_ended() {
    let mut rig = Rig::with(Some(Rules::Record), TENANT, &["--silence-timeout", "1"]).await;
    let mut client = Client::udp(rig.sip).await;
    let ports = client.call(1).await;
    let mut sender = Sender::to(ports[0], 8).await;
    sender.send(20).await;
    let question = client.receive().await;
    assert!(question.head.starts_with("OPTIONS "), "{}", question.head);
    assert_eq!(question.header("Call-ID"), client.call_id);
    // No answer. (The client hears a BYE after that.)
    let heard = rig.recording().await;
    assert_eq!(heard.ended().reason(), EndReason::Silent);
    sender.assert_all(&heard.rtp(0));
}

#[tokio::test]
async fn a_client_that_did_not_answer_but_sends_media_again_keeps_its_call() {
    // Longer than a busy machine holds up the media.
    let mut rig = Rig::with(Some(Rules::Record), TENANT, &["--silence-timeout", "4"]).await;
    let mut client = Client::udp(rig.sip).await;
    let ports = client.call(1).await;
    let question = client.receive().await;
    assert!(question.head.starts_with("OPTIONS "), "{}", question.head);
    let mut sender = Sender::to(ports[0], 8).await;
    // Longer than an answer is waited for.
    sender.send(7_000).await;
    let bye = client.request("BYE", "", "", "");
    client.send(bye.as_bytes()).await;
    let heard = rig.recording().await;
    assert_eq!(heard.ended().reason(), EndReason::Bye);
    sender.assert_all(&heard.rtp(0));
}

#[tokio::test]
async fn a_silent_call_whose_client_answers_goes_on() {
    let mut rig = Rig::with(Some(Rules::Record), TENANT, &["--silence-timeout", "1"]).await;
    let mut client = Client::udp(rig.sip).await;
    let ports = client.call(1).await;
    for _ in 0..2 {
        let question = client.receive().await;
        assert!(question.head.starts_with("OPTIONS "), "{}", question.head);
        client.answer(&question, "200 OK").await;
    }
    let mut sender = Sender::to(ports[0], 8).await;
    sender.send(20).await;
    client.bye().await;
    let heard = rig.recording().await;
    assert_eq!(heard.ended().reason(), EndReason::Bye);
    sender.assert_all(&heard.rtp(0));
}

#[tokio::test]
async fn a_held_call_may_be_silent_for_longer() {
    let mut rig = Rig::with(Some(Rules::Record), TENANT, &["--silence-timeout", "1"]).await;
    let mut client = Client::udp(rig.sip).await;
    assert_eq!(
        client.invite(SIPREC, "application/sdp", &offer_as(1, "inactive", "8", 1)).await.status(),
        200
    );
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    let bye = client.request("BYE", "", "", "");
    client.send(bye.as_bytes()).await;
    let answer = client.receive().await;
    assert_eq!(answer.status(), 200, "a question instead of the answer to the BYE: {}", answer.head);
    assert_eq!(rig.recording().await.ended().reason(), EndReason::Bye);
}

#[tokio::test]
async fn a_missing_ack_ends_only_a_call_without_media() {
    let mut rig = Rig::with(Some(Rules::Record), TENANT, &["--sip-t1", "0.05"]).await;
    let (mut mute, mut heard_one) = (Client::udp(rig.sip).await, Client::udp(rig.sip).await);
    let answer = mute.ask("INVITE", SIPREC, "application/sdp", &offer(1)).await;
    assert_eq!(answer.status(), 200);
    let answer = heard_one.ask("INVITE", SIPREC, "application/sdp", &offer(1)).await;
    heard_one.to = answer.header("To").to_owned();
    let mut sender = Sender::to(answer.ports()[0], 8).await;
    // 64 times T1 is 3.2 s.
    sender.send(4_000).await;
    let bye = heard_one.request("BYE", "", "", "");
    heard_one.send(bye.as_bytes()).await;
    let mut heard = rig.recordings(2).await;
    heard.sort_by_key(|h| h.packets().count());
    assert_eq!([heard[0].ended().reason(), heard[1].ended().reason()], [EndReason::NoAck, EndReason::Bye]);
    sender.assert_all(&heard[1].rtp(0));
}

#[tokio::test]
async fn nats_may_go_away_in_mid_call_without_the_loss_of_a_packet() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let ports = client.call(1).await;
    let mut sender = Sender::to(ports[0], 8).await;
    sender.send(1_000).await;
    rig.packets(1).await;
    let (port, dir) = (rig.nats.port(), rig.dir.path().join("nats"));
    rig.nats.stop();
    sender.send(3_000).await;
    rig.nats = NatsServer::start(&bus::server::find_program().unwrap(), &dir, Some(port)).unwrap();
    sender.send(500).await;
    client.bye().await;
    sender.assert_all(&rig.recording().await.rtp(0));
}

#[tokio::test]
async fn a_stopped_ingest_refuses_new_calls_and_ends_live_ones_after_the_grace_time() {
    let mut rig = Rig::with(Some(Rules::Record), TENANT, &["--grace", "5"]).await;
    let mut client = Client::udp(rig.sip).await;
    let ports = client.call(1).await;
    let mut sender = Sender::to(ports[0], 8).await;
    sender.send(20).await;
    rig.service.shutdown().cancel();
    let mut other = Client::udp(rig.sip).await;
    while other.ask("OPTIONS", "", "", "").await.status() != 503 {}
    let refused = other.ask("INVITE", SIPREC, "application/sdp", &offer(1)).await;
    assert_eq!(refused.status(), 503, "{}", refused.head);
    other.ack().await;
    sender.send(20).await;
    rig.shut_down().await;
    let bye = client.receive().await;
    assert!(bye.head.starts_with("BYE "), "{}", bye.head);
    let heard = rig.recording().await;
    assert_eq!(heard.ended().reason(), EndReason::Shutdown);
    sender.assert_all(&heard.rtp(0));
}

#[tokio::test]
async fn a_call_that_ends_within_the_grace_time_ends_as_any_other() {
    let mut rig = Rig::with(Some(Rules::Record), TENANT, &["--grace", "60"]).await;
    let mut client = Client::tcp(rig.sip).await;
    client.call(1).await;
    rig.service.shutdown().cancel();
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.bye().await;
    rig.shut_down().await;
    assert_eq!(rig.recording().await.ended().reason(), EndReason::Bye);
}

#[tokio::test]
async fn a_call_that_ended_undecided_is_decided_before_ingest_stops() {
    let mut rig = Rig::with(None, TENANT, &[]).await;
    let mut client = Client::udp(rig.sip).await;
    let ports = client.call(1).await;
    let mut sender = Sender::to(ports[0], 8).await;
    sender.send(500).await;
    client.bye().await;
    rig.shut_down().await;
    let heard = rig.recording().await;
    assert_eq!(heard.ended().reason(), EndReason::Bye);
    sender.assert_all(&heard.rtp(0));
}

#[tokio::test]
async fn a_client_whose_connection_is_gone_is_asked_for_at_its_contact() {
    let mut rig = Rig::with(Some(Rules::Record), TENANT, &["--silence-timeout", "1"]).await;
    let contact = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = contact.local_addr().unwrap();
    let mut client = Client::tcp(rig.sip).await;
    let invite = client.request("INVITE", SIPREC, "application/sdp", &offer(1));
    let at_contact = format!("Contact: <sip:src@{address};transport=tcp>;+sip.src\r\n");
    let is_contact = |line: &&str| line.starts_with("Contact:");
    let old = invite.split_inclusive("\r\n").find(is_contact).unwrap();
    client.send(invite.replace(old, &at_contact).as_bytes()).await;
    let answer = client.response().await;
    client.to = answer.header("To").to_owned();
    client.ack().await;
    client.hang_up_connection().await;
    let (stream, _) = tokio::time::timeout(PATIENCE, contact.accept()).await.unwrap().unwrap();
    client.wire = Wire::Tcp(stream, Vec::new());
    let question = client.receive().await;
    assert!(question.head.starts_with("OPTIONS "), "{}", question.head);
    client.answer(&question, "200 OK").await;
    client.reconnect().await;
    client.bye().await;
    assert_eq!(rig.recording().await.ended().reason(), EndReason::Bye);
}

#[tokio::test]
async fn with_nats_away_and_the_spool_full_new_calls_are_refused_and_live_ones_go_on() {
    let mut rig = Rig::with(Some(Rules::Record), TENANT, &["--spool-max-bytes", "400000"]).await;
    let mut client = Client::udp(rig.sip).await;
    let ports = client.call(1).await;
    rig.any_call().await;
    let (port, dir) = (rig.nats.port(), rig.dir.path().join("nats"));
    rig.nats.stop();
    let mut sender = Sender::to(ports[0], 8).await;
    let mut status = 200;
    for _ in 0..30 {
        sender.send(100).await;
        let mut other = Client::udp(rig.sip).await;
        let answer = other.invite(SIPREC, "application/sdp", &offer(1)).await;
        status = answer.status();
        if status == 503 {
            assert!(answer.header("Warning").contains("spool"), "{}", answer.head);
            other.ack().await;
            break;
        }
        other.bye().await;
    }
    assert_eq!(status, 503, "the spool never filled");
    rig.nats = NatsServer::start(&bus::server::find_program().unwrap(), &dir, Some(port)).unwrap();
    sender.send(100).await;
    client.bye().await;
    let call_id = client.call_id.clone();
    sender.assert_all(&rig.recording_of(&call_id).await.rtp(0));
}
