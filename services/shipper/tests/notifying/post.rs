//! Mail servers that refuse, that are slow, that are away for long, and a shipper that is stopped while one has
//! a mail.

use std::fs;

use harness::{
    installation::http_get,
    mail_sink::{MailSink, Tls},
    ports, wait,
};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    scene::{STARTS, Scene, count},
    world::PATIENCE,
};

/// The tenant acme told at this server.
fn told_at(scene: &Scene, sink: &MailSink) {
    let notifications = format!(
        ", notifications: {{email: {{to: [it@acme.example], from: callseal@acme.example, \
         smtp: {{host: 127.0.0.1, port: {}, tls: \"off\"}}}}}}}}\n",
        sink.port()
    );
    let resources = scene.world.path("config/resources.yaml");
    let text = fs::read_to_string(&resources).unwrap();
    let tenant = "whenUndecided: record}\n";
    assert!(text.contains(tenant));
    let text = text.replacen(tenant, &format!("whenUndecided: record{notifications}"), 1);
    fs::write(&resources, text).unwrap();
}

#[tokio::test]
async fn a_mail_that_its_server_does_not_want_keeps_no_later_one_from_it() {
    let mut scene = Scene::start().await;
    let start = "[acme]: target “remote”";
    scene.sink.behave(&json!({ "subjects": { start: "554 5.7.1 looks like spam" } })).unwrap();
    scene.sshd.stop().unwrap();
    let port = ports::claim().unwrap();
    let http = format!("127.0.0.1:{port}");
    let _shipper = scene.shipper(&["--http", &http]);
    scene.world.seal(&["remote"]).await;
    wait::until("the refusal", PATIENCE, async || {
        let (_, said) = http_get(port, "/readyz").await.ok()?;
        said.contains("does not take the mail (554").then_some(())
    })
    .await
    .unwrap();
    scene.sshd.start_again().await.unwrap();
    let mails = scene.mails_until("over: target “remote”").await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    // It is offered again, and comes when it is wanted.
    scene.sink.behave(&json!({})).unwrap();
    scene.mails_until(start).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_holds_up_its_own_mails_alone() {
    let mut scene = Scene::start().await;
    let dir = tempfile::tempdir().unwrap();
    let tenants = MailSink::start(dir.path(), Tls::Off, false).await.unwrap();
    told_at(&scene, &tenants);
    // The operator's server has got the first mail, and never says so.
    scene.sink.behave(&json!({ "hold": true })).unwrap();
    scene.sshd.stop().unwrap();
    let _shipper = scene.shipper(&[]);
    scene.world.seal(&["remote"]).await;
    scene.sink.wait_for(1).await.unwrap();
    tenants.wait_for(1).await.unwrap();
    // It is looked on, and the tenant hears of it, while that lasts.
    scene.sshd.start_again().await.unwrap();
    let mails = wait::until("the end of it", PATIENCE, async || {
        tenants.mails().ok().filter(|mails| count(mails, "over: target “remote”") == 1)
    });
    assert_eq!(mails.await.unwrap().len(), 2);
    assert_eq!(scene.sink.mails().unwrap().len(), 1);
    scene.sink.behave(&json!({})).unwrap();
    scene.mails_until("over: target “remote”").await;
}

#[tokio::test]
async fn a_shipper_that_is_stopped_while_a_server_has_a_mail_does_not_send_it_again() {
    let mut scene = Scene::start().await;
    scene.sink.behave(&json!({ "hold": true })).unwrap();
    scene.sshd.stop().unwrap();
    let mut shipper = scene.shipper(&[]);
    scene.world.seal(&["remote"]).await;
    scene.sink.wait_for(1).await.unwrap();
    shipper.signal(Signal::SIGTERM).unwrap();
    wait::until("it to stop", PATIENCE, async || shipper.output().contains("draining").then_some(()))
        .await
        .unwrap();
    scene.sink.behave(&json!({})).unwrap();
    wait::until("it to end", PATIENCE, || std::future::ready(shipper.ended().unwrap())).await.unwrap();

    let _shipper = scene.shipper(&[]);
    scene.sshd.start_again().await.unwrap();
    // What waits is sent in its order: had it waited, it would have come before this one.
    let mails = scene.mails_until("over: ").await;
    assert_eq!((mails.len(), count(&mails, STARTS)), (2, 2), "{mails:?}");
}

#[tokio::test]
async fn who_missed_mails_since_the_server_was_away_too_long_is_told_how_many() {
    let mut scene = Scene::start().await;
    scene.sink.behave(&json!({ "sender": "451 later" })).unwrap();
    scene.sshd.stop().unwrap();
    // A digest each half second: three may wait.
    let port = ports::claim().unwrap();
    let http = format!("127.0.0.1:{port}");
    let flags = ["--notify-digest", "0.5", "--notify-most-waiting", "3", "--http", &http];
    let shipper = scene.shipper(&flags);
    scene.world.seal(&["remote"]).await;
    wait::until("mails to wait", PATIENCE, async || {
        let (_, said) = http_get(port, "/readyz").await.ok()?;
        said.contains("mails about faults wait").then_some(())
    })
    .await
    .unwrap();
    wait::until("mails to be dropped", PATIENCE, async || {
        let query = "SELECT CAST(mails AS TEXT) FROM notify_dropped WHERE audience = $1";
        let dropped = scene.world.stored(query, "operator").await;
        dropped.first().and_then(|mails| mails.parse::<u32>().ok()).filter(|mails| *mails >= 2)
    })
    .await
    .unwrap();
    shipper.stop(PATIENCE).unwrap();
    scene.sink.behave(&json!({})).unwrap();
    let _shipper = scene.shipper(&[]);
    let mails = scene.sink.wait_for(2).await.unwrap();
    let told =
        |index: usize| mails[index].field("text").contains("earlier mails could not be delivered to you");
    assert!(told(0) && !told(1), "{mails:?}");
}
