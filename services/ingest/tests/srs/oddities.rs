//! SIP, SDP and metadata as vendors, networks and fools send them.

use std::time::Duration;

use super::{
    client::{Client, SIPREC, Wire, metadata, multipart, offer, offer_as},
    rig::{Rig, Rules},
    rtp::Sender,
};

/// INVITEs as raw text: how each is answered, and how many streams are then recorded.
#[tokio::test]
async fn invites_of_all_sorts_are_answered_as_they_deserve() {
    let mut rig = Rig::start(Rules::Record).await;
    let xml = metadata("+493022");
    let (content_type, body) = multipart(&offer(2), &xml);
    let cisco = "X-Cisco-Recording-Participant: sip:708090@192.0.2.5;media-index=\"0 1\"\r\n";
    let srtp = offer(1).replace("RTP/AVP", "RTP/SAVP");
    let mixed = offer(1).replace("m=audio", "m=video 41000 RTP/AVP 99\r\nm=audio");
    let broken_xml = xml.replace("</recording>", "<oops>");
    let gtd = body.replacen("--u\r\n", "--u\r\nContent-Type:application/gtd\r\n\r\nIAM,\r\n--u\r\n", 1);
    type Row<'a> = (&'a str, &'a str, &'a str, String, u16, usize);
    let table: Vec<Row<'_>> = vec![
        ("as it should be", SIPREC, &content_type, body.clone(), 200, 2),
        ("no Require", "", &content_type, body.clone(), 200, 2),
        ("Cisco, without metadata", cisco, "application/sdp", offer(2), 200, 2),
        ("Cisco's gtd part", SIPREC, &content_type, gtd, 200, 2),
        ("LF alone in the bodies", SIPREC, &content_type, body.replace("\r\n", "\n"), 200, 2),
        ("unreadable metadata", SIPREC, &content_type, multipart(&offer(2), &broken_xml).1, 200, 2),
        (
            "metadata with a doctype",
            SIPREC,
            &content_type,
            multipart(&offer(2), "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>").1,
            200,
            2,
        ),
        ("unquoted, upper-case type", SIPREC, "Multipart/Mixed; Boundary=u", body.clone(), 200, 2),
        ("boundary that is not used", SIPREC, "multipart/mixed;boundary=other", body.clone(), 200, 2),
        ("a video line before the audio", SIPREC, "application/sdp", mixed, 200, 1),
        ("held from the start", SIPREC, "application/sdp", offer_as(2, "inactive", "8", 1), 200, 2),
        (
            "old-style hold",
            SIPREC,
            "application/sdp",
            offer(1).replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"),
            200,
            1,
        ),
        ("seventeen streams", SIPREC, "application/sdp", offer(17), 200, 16),
        ("G.729 alone", SIPREC, "application/sdp", offer_as(1, "sendonly", "18", 1), 488, 0),
        ("SRTP", SIPREC, "application/sdp", srtp, 488, 0),
        ("no offer", SIPREC, "", String::new(), 488, 0),
        ("an offer without media", SIPREC, "application/sdp", "v=0\r\n".to_owned(), 488, 0),
        ("rubbish for an offer", SIPREC, "application/sdp", "\u{0}\u{1}ÄÖÜ".to_owned(), 488, 0),
    ];
    let mut recorded = Vec::new();
    for (what, headers, content_type, body, status, streams) in table {
        let mut client = Client::tcp(rig.sip).await;
        let answer = client.invite(headers, content_type, &body).await;
        assert_eq!(answer.status(), status, "{what}: {}", answer.head);
        if status == 200 {
            assert_eq!(answer.ports().iter().filter(|p| **p > 0).count(), streams, "{what}: {}", answer.body);
            assert!(answer.header("Contact").contains("+sip.srs"), "{what}");
            client.bye().await;
            recorded.push((what, streams));
        } else {
            assert!(answer.header("Warning").contains('"'), "{what}: {}", answer.head);
            client.ack().await;
        }
    }
    let heard = rig.recordings(recorded.len()).await;
    for ((what, streams), heard) in recorded.iter().zip(&heard) {
        assert_eq!(heard.started().streams.len(), *streams, "{what}");
    }
}

#[tokio::test]
async fn a_plain_call_is_refused_with_a_reason() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let plain = client.request("INVITE", "", "application/sdp", &offer(1)).replace(";+sip.src", "");
    client.send(plain.as_bytes()).await;
    let answer = client.response().await;
    assert_eq!(answer.status(), 488);
    assert!(answer.header("Warning").contains("SIPREC"), "{}", answer.head);
    client.ack().await;
    rig.nothing_for(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn audiocodes_contact_and_compact_headers_are_understood() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let mut invite = client.request("INVITE", "", "application/sdp", &offer(1)).replace(";+sip.src", ";src");
    for (long, short) in [
        ("Via:", "v:"),
        ("From:", "f:"),
        ("To:", "t:"),
        ("Call-ID:", "i:"),
        ("Contact:", "m:"),
        ("Content-Type:", "c:"),
        ("Content-Length:", "l:"),
    ] {
        invite = invite.replace(long, short);
    }
    client.send(invite.as_bytes()).await;
    let answer = client.response().await;
    assert_eq!(answer.status(), 200, "{}", answer.head);
    client.to = answer.header("To").to_owned();
    client.ack().await;
    client.bye().await;
    rig.recording().await;
}

#[tokio::test]
async fn lf_line_ends_and_a_missing_content_length_are_lived_with_over_udp() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let invite = client.request("INVITE", SIPREC, "application/sdp", &offer(1));
    let without_length: Vec<&str> =
        invite.split("\r\n").filter(|line| !line.starts_with("Content-Length")).collect();
    client.send(without_length.join("\n").as_bytes()).await;
    let answer = client.response().await;
    assert_eq!(answer.status(), 200, "{}", answer.head);
    client.to = answer.header("To").to_owned();
    client.ack().await;
    client.bye().await;
    rig.recording().await;
}

#[tokio::test]
async fn an_invite_too_large_for_udp_is_sent_to_tcp_where_it_is_taken() {
    let mut rig = Rig::start(Rules::Record).await;
    let large = format!("X-Padding: {}\r\n", "x".repeat(9_000));
    let xml =
        metadata("+493022").replace("</recording>", &format!("<x>{}</x></recording>", "y".repeat(9_000)));
    let (content_type, body) = multipart(&offer(2), &xml);
    let mut udp = Client::udp(rig.sip).await;
    let refused = udp.ask("INVITE", SIPREC, &content_type, &body).await;
    assert_eq!(refused.status(), 513);
    assert!(refused.header("Warning").contains("use TCP"), "{}", refused.head);
    udp.ack().await;
    let mut tcp = Client::tcp(rig.sip).await;
    assert_eq!(tcp.invite(&(SIPREC.to_owned() + &large), &content_type, &body).await.status(), 200);
    tcp.bye().await;
    rig.recording().await;
}

#[tokio::test]
async fn tcp_messages_come_in_pieces_and_together() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::tcp(rig.sip).await;
    let invite = client.request("INVITE", SIPREC, "application/sdp", &offer(2));
    for piece in invite.as_bytes().chunks(97) {
        client.send(piece).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let answer = client.response().await;
    assert_eq!(answer.status(), 200, "{}", answer.head);
    client.to = answer.header("To").to_owned();
    let ack = client.request("ACK", "", "", "");
    let options = client.request("OPTIONS", "", "", "");
    client.send((ack + &options).as_bytes()).await;
    assert_eq!(client.response().await.status(), 200);
    client.bye().await;
    rig.recording().await;
}

#[tokio::test]
async fn a_malformed_message_closes_its_connection_and_no_call() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::tcp(rig.sip).await;
    let ports = client.call(1).await;
    client.send(b"THIS IS NOT SIP\r\nContent-Length: 0\r\n\r\n").await;
    let mut sender = Sender::to(ports[0], 8).await;
    sender.send(50).await;
    client.reconnect().await;
    client.bye().await;
    sender.assert_all(&rig.recording().await.rtp(0));
}

#[tokio::test]
async fn rubbish_over_udp_disturbs_nobody() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let ports = client.call(1).await;
    let headless = "INVITE sip:srs@x SIP/2.0\r\nContent-Length: 0\r\n\r\n";
    for rubbish in [
        &b"\0\0\0\0"[..],
        b"\r\n\r\n",
        b"INVITE",
        headless.as_bytes(),
        &[0xff; 8192],
        b"SIP/2.0 200 OK\r\n\r\n",
    ] {
        let mut fool = Client::udp(rig.sip).await;
        fool.send(rubbish).await;
    }
    for rubbish in [&b""[..], b"x", &[0xff; 4_000]] {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(rubbish, ("127.0.0.1", ports[0])).await.unwrap();
    }
    client.bye().await;
    let heard = rig.recording().await;
    assert_eq!(heard.packets().count(), 3, "what comes to a port of the call is kept: signer judges it");
}

#[tokio::test]
async fn a_retransmitted_invite_is_one_call_and_a_merged_one_a_loop() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let invite = client.request("INVITE", SIPREC, "application/sdp", &offer(1));
    for _ in 0..3 {
        client.send(invite.as_bytes()).await;
    }
    let first = client.response().await;
    assert_eq!(first.status(), 200);
    let merged = invite.replace("z9hG4bK1x", "z9hG4bKother");
    client.send(merged.as_bytes()).await;
    loop {
        let answer = client.response().await;
        if answer.status() != 200 {
            assert_eq!(answer.status(), 482);
            break;
        }
        assert_eq!(answer.body, first.body, "a retransmission gets the same answer");
    }
    client.to = first.header("To").to_owned();
    client.ack().await;
    let bye = client.request("BYE", "", "", "");
    client.send(bye.as_bytes()).await;
    rig.recording().await;
}

#[tokio::test]
async fn requests_outside_of_any_call_are_answered() {
    let rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let options = client.ask("OPTIONS", "", "", "").await;
    assert_eq!(options.status(), 200);
    assert!(options.header("Allow").contains("UPDATE") && options.header("Accept").contains("rs-metadata"));
    for (method, status) in
        [("BYE", 481), ("UPDATE", 481), ("REGISTER", 405), ("SUBSCRIBE", 405), ("MESSAGE", 405)]
    {
        assert_eq!(client.ask(method, "", "", "").await.status(), status, "{method}");
    }
    client.to += ";tag=unknown";
    for method in ["BYE", "INVITE", "INFO", "OPTIONS"] {
        assert_eq!(client.ask(method, "", "", "").await.status(), 481, "{method}");
    }
    assert!(matches!(client.wire, Wire::Udp(_)));
}

#[tokio::test]
async fn a_cancel_that_comes_after_the_answer_changes_nothing() {
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let invite = client.request("INVITE", SIPREC, "application/sdp", &offer(1));
    let cancel = client.request("CANCEL", "", "", "");
    client.send(invite.as_bytes()).await;
    let answer = client.response().await;
    assert_eq!(answer.status(), 200, "{}", answer.head);
    client.send(cancel.as_bytes()).await;
    let mut to_cancel = client.response().await;
    while !to_cancel.header("CSeq").contains("CANCEL") {
        // The answer to the INVITE once more.
        to_cancel = client.response().await;
    }
    assert_eq!(to_cancel.status(), 200, "{}", to_cancel.head);
    client.to = answer.header("To").to_owned();
    client.ack().await;
    client.bye().await;
    rig.recording().await;
}
