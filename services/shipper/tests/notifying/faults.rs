//! A fault is told when it starts, while it lasts and when it is over.

use std::fs;

use harness::{installation::http_get, mail_sink::Mail, ports, postgres::Postgres, wait};
use serde_json::json;

use crate::{
    scene::{OPERATOR, STARTS, Scene, apart, count},
    world::PATIENCE,
};

#[tokio::test]
async fn f82_a_target_that_fails_at_each_attempt_is_a_mail_at_its_start_digests_and_a_mail_at_its_end() {
    let mut scene = Scene::start().await;
    let notifications = format!(
        ", notifications: {{language: de, email: {{to: [it@acme.example], from: callseal@acme.example, \
         smtp: {{host: 127.0.0.1, port: {}, tls: off}}}}}}}}\n",
        scene.sink.port()
    );
    scene.world.configure(&scene.target);
    let resources = scene.world.path("config/resources.yaml");
    let text = fs::read_to_string(&resources).unwrap();
    fs::write(&resources, text.replacen("}\n", &notifications, 2).replacen(&notifications, "}\n", 1))
        .unwrap();

    scene.sshd.stop().unwrap();
    let shipper = scene.shipper(&["--notify-digest", "2"]);
    let sealed = scene.world.seal(&["remote"]).await;
    scene.mails_until("one fault lasts on").await;
    scene.sshd.start_again().await.unwrap();
    let mails = scene.mails_until("over: target “remote”").await;
    let mails = if count(&mails, "vorbei") == 0 { scene.mails_until("vorbei").await } else { mails };

    // The target was tried every second and looked at five times as often.
    let starts = count(&mails, STARTS) - count(&mails, "over: ");
    assert_eq!((starts, count(&mails, "over: ")), (1, 1), "{mails:?}");
    let (first, over) =
        (&mails[0], mails.iter().find(|mail| mail.field("subject").contains("over: ")).unwrap());
    assert!(
        mails[0].field("text").contains("callseal retry remote")
            || mails[1].field("text").contains("callseal retry remote"),
        "{first:?}"
    );
    assert!(over.field("text").contains("Everything that waited has arrived."), "{over:?}");
    let german: Vec<&Mail> = mails.iter().filter(|mail| mail.to() == ["it@acme.example"]).collect();
    assert!(
        german[0].field("subject").starts_with("Callseal [acme]: Ziel „remote“ nimmt keine"),
        "{german:?}"
    );
    assert!(german[0].field("text").contains("Eine Aufzeichnung wartet."), "{german:?}");
    for mail in &mails {
        for secret in ["4970311234", "4922198765", "PRIVATE KEY", sealed.base_name.as_str()] {
            assert!(!format!("{mail:?}").contains(secret), "{mail:?}");
        }
    }
    let log = shipper.output();
    assert!(!log.contains("it@acme.example") && !log.contains(OPERATOR), "{log}");
}

#[tokio::test]
async fn f82_mails_wait_for_a_mail_server_that_is_away_over_a_restart_and_readyz_says_so() {
    let mut scene = Scene::start().await;
    scene.sink.behave(&json!({ "sender": "451 later" })).unwrap();
    scene.sshd.stop().unwrap();
    let port = ports::claim().unwrap();
    let http = format!("127.0.0.1:{port}");
    let shipper = scene.shipper(&["--http", &http]);
    scene.world.seal(&["remote"]).await;
    let waits = async || {
        let (_, said) = http_get(port, "/readyz").await.ok()?;
        said.contains("notifications: 1 mails about faults wait").then_some(said)
    };
    let said = wait::until("/readyz to say that a mail waits", PATIENCE, waits).await.unwrap();
    assert!(said.contains("does not take") && !said.contains(OPERATOR), "{said}");
    shipper.kill_hard().unwrap();
    assert_eq!(scene.sink.mails().unwrap().len(), 0);

    scene.sink.behave(&json!({})).unwrap();
    let _shipper = scene.shipper(&[]);
    scene.mails_until(STARTS).await;
    scene.sshd.start_again().await.unwrap();
    let mails = scene.mails_until("over: ").await;
    assert_eq!((count(&mails, STARTS) - 1, count(&mails, "over: "), mails.len()), (1, 1, 2), "{mails:?}");
}

#[tokio::test]
async fn f82_a_mail_that_the_server_took_without_saying_so_comes_again_as_the_same_mail() {
    let mut scene = Scene::start().await;
    scene.sink.behave(&json!({ "cut": "after" })).unwrap();
    scene.sshd.stop().unwrap();
    let shipper = scene.shipper(&[]);
    scene.world.seal(&["remote"]).await;
    let mails = scene.sink.wait_for(2).await.unwrap();
    assert_eq!(apart(&mails, STARTS), 1, "{mails:?}");
    shipper.kill_hard().unwrap();

    scene.sink.behave(&json!({})).unwrap();
    let _shipper = scene.shipper(&[]);
    scene.sshd.start_again().await.unwrap();
    let mails = scene.mails_until("over: ").await;
    assert_eq!((apart(&mails, STARTS), apart(&mails, "over: ")), (2, 1), "{mails:?}");
}

#[tokio::test]
async fn f82_two_replicas_tell_each_fault_once() {
    let mut scene = Scene::start().await;
    let postgres = Postgres::start().await.unwrap();
    scene.sshd.stop().unwrap();
    let _replicas = ["one", "two"].map(|name| scene.shipper_on(name, &postgres.url(), &[]));
    scene.world.seal(&["remote"]).await;
    scene.mails_until(STARTS).await;
    scene.sshd.start_again().await.unwrap();
    let mails = scene.mails_until("over: ").await;
    assert_eq!((count(&mails, STARTS) - 1, count(&mails, "over: "), mails.len()), (1, 1, 2), "{mails:?}");
}
