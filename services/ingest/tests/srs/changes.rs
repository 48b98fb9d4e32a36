//! Calls that change while they last.

use std::time::Duration;

use super::{
    client::{Client, SIPREC, metadata, multipart, offer, offer_as},
    rig::{Rig, Rules},
    rtp::Sender,
};

#[tokio::test]
async fn hold_and_resumption_keep_ports_and_raise_the_version_of_our_description() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let (content_type, body) = multipart(&offer(2), &metadata("+493022"));
    let first = client.invite(SIPREC, &content_type, &body).await;
    let mut sender = Sender::to(first.ports()[0], 8).await;
    sender.send(20).await;
    let held = client.invite("", "application/sdp", &offer_as(2, "inactive", "8", 2)).await;
    assert_eq!((held.ports(), held.body.matches("a=inactive").count()), (first.ports(), 2));
    let resumed = client.invite("", "application/sdp", &offer_as(2, "sendonly", "8", 3)).await;
    assert_eq!((resumed.ports(), resumed.body.matches("a=recvonly").count()), (first.ports(), 2));
    let version = |m: &super::client::Message| -> u64 {
        m.body.lines().nth(1).unwrap().split(' ').nth(2).unwrap().parse().unwrap()
    };
    assert_eq!([version(&held), version(&resumed)], [version(&first) + 1, version(&first) + 2]);
    sender.send(20).await;
    client.bye().await;
    let heard = rig.recording().await;
    assert_eq!(heard.changes(), ["held", "resumed"]);
    sender.assert_all(&heard.rtp(0));
}

#[tokio::test]
async fn a_refresh_changes_nothing_and_is_answered_with_the_same_description() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let timer = "Require: siprec\r\nSupported: timer\r\nSession-Expires: 1800\r\n";
    let first = client.invite(timer, "application/sdp", &offer(2)).await;
    assert_eq!(first.header("Session-Expires"), "1800;refresher=uac");
    let again = client.invite("", "application/sdp", &offer(2)).await;
    assert_eq!(again.body, first.body);
    let update = client.ask("UPDATE", "Supported: timer\r\nSession-Expires: 1800\r\n", "", "").await;
    assert_eq!((update.status(), update.body.as_str()), (200, ""));
    let without_offer = client.invite("", "", "").await;
    assert_eq!(without_offer.body, first.body, "a re-INVITE without an offer gets ours");
    client.bye().await;
    assert_eq!(rig.recording().await.changes(), Vec::<&str>::new());
}

#[tokio::test]
async fn metadata_alone_in_an_update_is_told() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    client.call(2).await;
    let update = client.ask("UPDATE", "", "application/rs-metadata+xml", &metadata("+493077")).await;
    assert_eq!(update.status(), 200);
    client.bye().await;
    let heard = rig.recording().await;
    let changed: Vec<_> = heard.changed().collect();
    assert_eq!(changed[0].reason, "metadata");
    assert_eq!(changed[0].facts.clone().unwrap().callee.unwrap().number, "+493077");
    assert_eq!(changed[0].streams.len(), 2);
}

#[tokio::test]
async fn when_the_call_was_answered_is_told_as_soon_as_the_metadata_says_it() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let joined = |participant: &str, time: &str| {
        format!(
            "<participantsessionassoc participant_id=\"{participant}\" session_id=\"s1\">\
             <associate-time>2026-11-22T{time}Z</associate-time></participantsessionassoc>"
        )
    };
    let said = |associations: &str| {
        metadata("+493022").replace("</recording>", &format!("{associations}</recording>"))
    };
    let caller = joined("p1", "09:15:30");
    let (content_type, body) = multipart(&offer(2), &said(&caller));
    client.invite(SIPREC, &content_type, &body).await;
    let answered = said(&(caller + &joined("p2", "09:15:42")));
    client.ask("UPDATE", "", "application/rs-metadata+xml", &answered).await;
    client.bye().await;
    let heard = rig.recording().await;
    // 2026-11-22 09:15:42 UTC.
    assert_eq!(
        (heard.started().answered_unix_us, heard.changed().next().unwrap().answered_unix_us),
        (0, 1_795_338_942_000_000)
    );

    let mut client = Client::udp(rig.sip).await;
    let (content_type, body) = multipart(&offer(2), &answered);
    client.invite(SIPREC, &content_type, &body).await;
    client.bye().await;
    assert_eq!(rig.recordings(2).await[1].started().answered_unix_us, 1_795_338_942_000_000);
}

#[tokio::test]
async fn a_stream_that_is_added_is_recorded_too() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::tcp(rig.sip).await;
    let before = client.call(1).await;
    let update = client.ask("UPDATE", "", "application/sdp", &offer_as(3, "sendonly", "8", 2)).await;
    let ports = update.ports();
    assert_eq!((update.status(), ports.len(), ports[0]), (200, 3, before[0]));
    let mut sender = Sender::to(ports[2], 8).await;
    sender.send(30).await;
    client.bye().await;
    let heard = rig.recording().await;
    sender.assert_all(&heard.rtp(2));
    assert_eq!(heard.changed().next().unwrap().streams.len(), 3);
    assert_eq!(heard.ended().packets_received, [0, 0, 30]);
}

#[tokio::test]
async fn an_offer_that_cannot_be_taken_leaves_the_call_as_it_was() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let ports = client.call(1).await;
    for bad in [offer_as(1, "sendonly", "18", 2), "v=0\r\n".to_owned()] {
        let refused = client.ask("INVITE", "", "application/sdp", &bad).await;
        assert_eq!(refused.status(), 488, "{}", refused.head);
        client.ack().await;
    }
    let mut sender = Sender::to(ports[0], 8).await;
    sender.send(30).await;
    client.bye().await;
    sender.assert_all(&rig.recording().await.rtp(0));
}

#[tokio::test]
async fn gaps_in_cseq_are_fine_and_going_back_is_not() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    client.call(1).await;
    client.cseq += 1_000;
    assert_eq!(client.invite("", "application/sdp", &offer(1)).await.status(), 200);
    client.cseq -= 500;
    assert_eq!(client.ask("UPDATE", "", "", "").await.status(), 500);
    client.cseq += 1_000;
    assert_eq!(client.ask("INFO", "", "text/plain", "x").await.status(), 200);
    assert_eq!(client.ask("OPTIONS", "", "", "").await.status(), 200);
    client.bye().await;
    rig.recording().await;
}

const PROBE: &[u8] = &[0x80, 8, 0, 0];

#[tokio::test]
async fn a_call_that_comes_into_scope_is_recorded_from_then_on() {
    let mut rig = Rig::start(Rules::RecordDesk).await;
    let mut client = Client::udp(rig.sip).await;
    let (content_type, body) = multipart(&offer(1), &metadata("+499999"));
    let port = client.invite(SIPREC, &content_type, &body).await.ports()[0];
    let mut private = Sender::to(port, 8).await;
    private.send(100).await;
    rig.metric_becomes("decision_seconds", |decisions| decisions == 1.0).await;
    rig.nothing_for(Duration::from_millis(300)).await;
    client.ask("UPDATE", "", "application/rs-metadata+xml", &metadata("+493022")).await;
    // What is heard before the decision is in force is nobody's business: from the first probe on
    // that is recorded, all is.
    let probe = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let probing = async {
        loop {
            probe.send_to(PROBE, ("127.0.0.1", port)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = probing => {}
        () = rig.packets(1) => {}
    }
    let mut business = Sender::to(port, 8).await;
    business.send(100).await;
    client.bye().await;
    let heard = rig.recording().await;
    let heard_of_it: Vec<_> = heard.rtp(0).into_iter().filter(|packet| packet.data != PROBE).collect();
    business.assert_all(&heard_of_it);
    assert_eq!(rig.requests.lock().unwrap().len(), 2, "asked once for each of the facts");
    assert_eq!(heard.started().facts.clone().unwrap().callee.unwrap().number, "+493022");
}
