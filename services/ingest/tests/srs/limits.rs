//! When there is no room for a call, or no tenant.

use super::{
    client::{Client, SIPREC, offer},
    rig::{PATIENCE, Rig, Rules, TENANT},
};

#[tokio::test]
async fn a_call_without_ports_for_it_is_sent_elsewhere() {
    let first = *harness::ports::claim_rtp(100).unwrap().start();
    let ports = format!("{first}-{}", first + 3);
    let mut rig = Rig::with(Some(Rules::Record), TENANT, &["--rtp-ports", &ports]).await;
    let mut client = Client::udp(rig.sip).await;
    client.call(2).await;
    let mut other = Client::udp(rig.sip).await;
    let answer = other.invite(SIPREC, "application/sdp", &offer(1)).await;
    assert_eq!((answer.status(), answer.header("Retry-After")), (503, "10"));
    assert!(answer.header("Warning").contains("--rtp-ports"), "{}", answer.head);
    other.ack().await;
    client.bye().await;
    rig.recording().await;
    // The ports are free again, a moment after the end.
    let again = async {
        loop {
            let mut third = Client::udp(rig.sip).await;
            let answer = third.invite(SIPREC, "application/sdp", &offer(2)).await;
            if answer.status() == 200 {
                return answer.ports().len();
            }
            third.ack().await;
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, again).await.expect("the ports never came back"), 2);
}

#[tokio::test]
async fn a_call_finds_its_tenant_by_domain_and_an_unknown_one_is_refused() {
    let two = format!(
        "{TENANT}---\n{}",
        TENANT.replace("acme", "globex").replace("spec: {", "spec: {sip: {domains: [srs.globex.example]}, ")
    );
    let mut rig = Rig::with(Some(Rules::Record), &two, &[]).await;
    let mut client = Client::udp(rig.sip).await;
    let refused = client.invite(SIPREC, "application/sdp", &offer(1)).await;
    assert_eq!(refused.status(), 404, "{}", refused.head);
    assert!(refused.header("Warning").contains("tenant"), "{}", refused.head);
    client.ack().await;
    client.to = "<sip:rec@SRS.globex.example>".to_owned();
    assert_eq!(client.invite(SIPREC, "application/sdp", &offer(1)).await.status(), 200);
    client.bye().await;
    assert_eq!(rig.recording().await.started().facts.clone().unwrap().tenant, "globex");
}

#[tokio::test]
async fn the_advertised_address_stands_in_description_and_contact() {
    let mut rig = Rig::with(Some(Rules::Record), TENANT, &["--advertise", "192.0.2.7"]).await;
    let mut client = Client::tcp(rig.sip).await;
    let answer = client.invite(SIPREC, "application/sdp", &offer(1)).await;
    assert!(answer.body.contains("c=IN IP4 192.0.2.7"), "{}", answer.body);
    let contact = format!("<sip:callseal@192.0.2.7:{};transport=tcp>;+sip.srs", rig.sip.port());
    assert_eq!(answer.header("Contact"), contact);
    client.bye().await;
    rig.recording().await;
}
