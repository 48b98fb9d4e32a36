//! No number, no name and nothing of SIP reaches a log.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_subscriber::fmt::MakeWriter;

use super::{
    client::{self, Client, SIPREC, multipart, offer, offer_as},
    rig::{Rig, Rules},
    rtp::Sender,
};

/// Longer than any number that a time, a port or an id in a log could hold by chance.
const CALLER: &str = "+49301112223334445";
const CALLEE: &str = "+49305556667778889";
const ODD: &str = "+49309998887776665";

fn metadata() -> String {
    client::metadata(CALLEE).replace("+49301@", &format!("{CALLER}@"))
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn the_log_of_a_call_holds_its_recording_id_and_nothing_of_anybody() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(runtime::logs::DEFAULT_FILTER)
        .with_writer(captured.clone())
        .with_ansi(false)
        .finish();
    // One test a process: nobody else sets one.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut rig = Rig::start(Rules::Record).await;
    let mut client = Client::udp(rig.sip).await;
    let (content_type, body) = multipart(&offer(2), &metadata());
    let answer = client.invite(SIPREC, &content_type, &body).await;
    assert_eq!(answer.status(), 200, "{}", answer.head);
    let ports = answer.ports();
    Sender::to(ports[0], 8).await.send(20).await;
    client.ask("UPDATE", "", "application/rs-metadata+xml", &metadata()).await;
    client.ask("UPDATE", "", "application/rs-metadata+xml", &format!("<recording><oops {ODD}>")).await;
    client.ask("INVITE", "", "application/sdp", &format!("v=0\r\no={ODD}")).await;
    client.ack().await;
    client.bye().await;
    let mut refused = Client::tcp(rig.sip).await;
    let (content_type, body) = multipart(&offer_as(1, "sendonly", "18", 1), &metadata());
    assert_eq!(refused.invite(SIPREC, &content_type, &body).await.status(), 488);
    refused.ack().await;
    refused.send(format!("INVITE sip:{ODD}@x\r\nContent-Length: 0\r\n\r\n").as_bytes()).await;
    let mut fool = Client::udp(rig.sip).await;
    let nobody = fool
        .request("INVITE", SIPREC, "application/sdp", &offer(1))
        .replace("From: ", &format!("From: {ODD} "));
    fool.send(nobody.as_bytes()).await;
    let answer = fool.response().await;
    assert_eq!(answer.status(), 200, "{}", answer.head);
    fool.to = answer.header("To").to_owned();
    fool.ack().await;
    fool.bye().await;
    for line in ["INVITE sip:ODD@ SIP/2.0", "INVITE sip:ODD@x SIP/2.0", "SIP/2.0 ODD OK"] {
        let malformed = format!("{line}\r\nCall-ID: ODD\r\nVia: ODD\r\nContent-Length: 0\r\n\r\n");
        let malformed = malformed.replace("ODD", ODD);
        Client::tcp(rig.sip).await.send(malformed.as_bytes()).await;
        fool.send(malformed.as_bytes()).await;
    }
    // The connection is closed before the answer can be sent.
    let mut gone = Client::tcp(rig.sip).await;
    gone.call_id = format!("{ODD}@x");
    let invite = gone.request("INVITE", SIPREC, &content_type, &body);
    gone.send(invite.as_bytes()).await;
    drop(gone);
    assert_eq!(fool.ask("OPTIONS", "", "", "").await.status(), 481);
    rig.recordings(2).await;
    rig.metric_becomes("calls_live", |n| n == 0.0).await;
    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("call began") && log.contains("recording="), "{log}");
    let digits = |number: &'static str| number.trim_start_matches("+4930");
    let private = [
        "+49",
        digits(CALLER),
        digits(CALLEE),
        digits(ODD),
        "Erika",
        "Muster",
        "Max Probe",
        &client.call_id,
        "sip:",
        "a=label",
        "<recording",
    ];
    for text in private {
        assert!(!log.contains(text), "{text:?} is in the log:\n{log}");
    }
}
