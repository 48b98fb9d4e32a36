//! Mailboxes and scripts: what went to nobody else is kept, what is due is sent, what was cut off comes
//! again and can be told.

mod world;

use std::{fs, os::unix::fs::PermissionsExt as _};

use harness::{
    mail_sink::{MailSink, Tls},
    wait,
};
use nix::sys::signal::Signal;
use serde_json::json;
use wire::{
    delivery_v1::{
        ListDestinationsRequest, ListDestinationsResponse, ListShipmentsRequest, ListShipmentsResponse,
        Shipment, SweepRequest, SweepResponse,
    },
    event_v1::{Shipped, event::What},
};
use world::{PATIENCE, World, files_below};

const ARCHIVE: &str = "---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {name: archive, namespace: acme}\n\
                       spec: {subFolder: $Y, folder: {path: archive}}\n";
const SCRIPT: &str = "---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {name: crm, namespace: acme}\n\
                      spec: {script: {command: to-crm}}\n";

/// The target `mail` at this server; `further` fields of it end with a comma.
fn mail(sink: &MailSink, further: &str) -> String {
    format!(
        "---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: mail, namespace: acme}}\n\
         spec: {{email: {{to: [a@acme.example, b@acme.example], from: callseal@acme.example, {further} \
         smtp: {{host: 127.0.0.1, port: {}, tls: \"off\"}}}}}}\n",
        sink.port()
    )
}

fn shipped(what: What) -> Option<Shipped> {
    match what {
        What::Shipped(shipped) => Some(shipped),
        _ => None,
    }
}

async fn shipments(world: &World) -> Vec<Shipment> {
    let subject = bus::subjects::shipments("shipper");
    let answer: ListShipmentsResponse =
        world.bus.request(&subject, &ListShipmentsRequest::default(), PATIENCE).await.unwrap();
    assert_eq!(answer.error, "");
    answer.shipments
}

async fn sweep(world: &World) -> SweepResponse {
    world.bus.request(bus::subjects::SHIPPER_SWEEP, &SweepRequest {}, PATIENCE).await.unwrap()
}

/// Waits until every order is done.
async fn until_done(world: &World) -> Vec<Shipment> {
    wait::until("all orders to be done", PATIENCE, async || {
        let shipments = shipments(world).await;
        shipments.iter().all(|shipment| shipment.state == "done").then_some(shipments)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_recording_that_was_only_mailed_stays_in_staging_and_nothing_says_that_a_target_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(dir.path(), Tls::Off, false).await.unwrap();
    let mut world = World::new(&format!("{}{ARCHIVE}", mail(&sink, ""))).await;
    let shipper = world.shipper(&[]);
    let sealed = world.seal(&["mail"]).await;
    let told = world.event("handed over", shipped).await;
    assert!(told.handed_over && told.verified_by == "handed over" && told.folder.is_empty());
    let problem = world
        .event("that it is kept nowhere", |what| match what {
            What::Fault(fault) if fault.problem.contains("stay in staging") => Some(fault.problem),
            _ => None,
        })
        .await;
    assert!(problem.contains("only mailboxes and scripts"), "{problem}");
    let mails = sink.wait_for(1).await.unwrap();
    assert_eq!(mails[0].attachments().unwrap().len(), sealed.files.len());
    let done = until_done(&world).await;
    assert_eq!(done[0].files[0].verified_by, "handed over");
    // The next recording leaves staging; when it does, this one could have, too.
    let kept = world.seal(&["mail", "archive"]).await;
    wait::until("staging to be emptied", PATIENCE, async || (!world.is_staged(&kept)).then_some(()))
        .await
        .unwrap();
    assert!(world.is_staged(&sealed));
    // Its mail names where it is kept.
    let mails = sink.wait_for(2).await.unwrap();
    assert!(mails[1].field("text").contains("- archive, folder 2026"), "{}", mails[1].field("text"));
    assert!(mails[0].field("text").contains("No target keeps the recording"), "{}", mails[0].field("text"));
    // A restart sweeps first, then answers.
    shipper.stop(PATIENCE).unwrap();
    let shipper = world.shipper(&[]);
    assert_eq!(sweep(&world).await.findings, []);
    assert!(world.is_staged(&sealed));
    let log = shipper.output();
    for secret in ["+4970311234", "acme.example"] {
        assert!(!log.contains(secret), "{log}");
    }
    // A mailbox has neither certificates nor a log: the mails are all that came.
    assert_eq!(sink.mails().unwrap().len(), 2);
}

#[tokio::test]
async fn a_shipper_killed_while_the_server_has_the_mail_sends_it_again_under_the_same_id() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(dir.path(), Tls::Off, false).await.unwrap();
    sink.behave(&json!({"hold": true})).unwrap();
    let world = World::new(&mail(&sink, "")).await;
    let shipper = world.shipper(&[]);
    world.seal(&["mail"]).await;
    // The server has all of it, and the shipper has not heard so.
    sink.wait_for(1).await.unwrap();
    shipper.kill_hard().unwrap();
    sink.behave(&json!({})).unwrap();
    let _shipper = world.shipper(&[]);
    let mails = sink.wait_for(2).await.unwrap();
    assert_eq!(mails[0].field("messageId"), mails[1].field("messageId"));
    until_done(&world).await;
    assert_eq!(sink.mails().unwrap().len(), 2);
}

#[tokio::test]
async fn a_shipper_that_is_stopped_while_the_server_has_the_mail_sends_it_once() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(dir.path(), Tls::Off, false).await.unwrap();
    sink.behave(&json!({"hold": true})).unwrap();
    let world = World::new(&mail(&sink, "")).await;
    let mut shipper = world.shipper(&[]);
    world.seal(&["mail"]).await;
    sink.wait_for(1).await.unwrap();
    shipper.signal(Signal::SIGTERM).unwrap();
    wait::until("it to stop", PATIENCE, async || shipper.output().contains("draining").then_some(()))
        .await
        .unwrap();
    sink.behave(&json!({})).unwrap();
    wait::until("it to end", PATIENCE, || std::future::ready(shipper.ended().unwrap())).await.unwrap();
    let _shipper = world.shipper(&[]);
    until_done(&world).await;
    assert_eq!(sink.mails().unwrap().len(), 1);
}

#[tokio::test]
async fn a_shipper_killed_once_it_knows_who_has_the_mail_sends_it_to_nobody_again() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(dir.path(), Tls::Off, false).await.unwrap();
    let world = World::new(&mail(&sink, "")).await;
    world.seal(&["mail"]).await;
    let mut shipper = world.shipper(&["--fail-at", "handed-over"]);
    wait::until("the shipper to die", PATIENCE, || std::future::ready(shipper.ended().unwrap()))
        .await
        .unwrap();
    let _shipper = world.shipper(&[]);
    until_done(&world).await;
    assert_eq!(sink.mails().unwrap().len(), 1);
}

#[tokio::test]
async fn what_came_before_the_last_due_time_goes_at_once_and_what_came_after_it_waits_for_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(dir.path(), Tls::Off, false).await.unwrap();
    // On the 29th of February alone: nothing comes due while the test runs.
    let yearly = mail(&sink, "at: \"0 0 29 2 *\",");
    let world = World::new(&yearly).await;
    let shipper = world.shipper(&[]);
    world.seal_small(&["mail"]).await;
    wait::until("the order", PATIENCE, async || (!shipments(&world).await.is_empty()).then_some(()))
        .await
        .unwrap();
    let subject = bus::subjects::destinations("shipper");
    let told: ListDestinationsResponse =
        world.bus.request(&subject, &ListDestinationsRequest::default(), PATIENCE).await.unwrap();
    assert_eq!(told.destinations[0].windows, "0 0 29 2 *");
    assert!(told.destinations[0].opens_unix_ms > 0);
    shipper.stop(PATIENCE).unwrap();
    assert!(sink.mails().unwrap().is_empty());

    // As if it had come before the last due time, and nobody had been there then.
    let state = format!("sqlite:{}", world.path("shipper.sqlite").display());
    let db = sql::Database::open(&state).await.unwrap();
    sqlx::query("UPDATE delivery_orders SET enqueued_at = 0").execute(db.pool()).await.unwrap();
    db.close().await;
    let _shipper = world.shipper(&[]);
    sink.wait_for(1).await.unwrap();
    until_done(&world).await;
}

#[tokio::test]
async fn a_script_is_run_where_that_is_allowed_and_what_it_said_is_shown_to_who_asks() {
    let world = World::new(&format!("{SCRIPT}{ARCHIVE}")).await;
    let scripts = world.path("scripts");
    fs::create_dir(&scripts).unwrap();
    let program = scripts.join("to-crm");
    let counter = world.path("runs").display().to_string();
    let body = format!(
        "#!/bin/sh\necho run >> {counter}\necho unheard-of\ngrep -o '\"recording\":\"[^\"]*\"' \"$2\"\n[ $(wc -l < {counter}) -gt 1 ] || exit 7\n"
    );
    fs::write(&program, body).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let sealed = world.seal_small(&["crm", "archive"]).await;
    // Without --scripts nothing is run, and that is said.
    let shipper = world.shipper(&[]);
    let refused = wait::until("the refusal", PATIENCE, async || {
        let found = shipments(&world).await.into_iter().find(|one| one.name == "crm")?;
        (!found.last_error.is_empty()).then_some(found.last_error)
    });
    let refused = refused.await.unwrap();
    assert!(refused.contains("--scripts"), "{refused}");
    assert!(world.is_staged(&sealed) && !world.path("runs").exists());
    shipper.stop(PATIENCE).unwrap();

    let shipper = world.shipper(&["--scripts", scripts.to_str().unwrap()]);
    let done = until_done(&world).await;
    let run = done.iter().find(|one| one.name == "crm").unwrap();
    let said = format!("unheard-of\n\"recording\":\"{}\"", sealed.recording_id);
    assert_eq!(run.note.trim(), said);
    assert_eq!(fs::read_to_string(world.path("runs")).unwrap(), "run\nrun\n");
    assert_eq!(files_below(&world.path("data/script-runs")), [""; 0]);
    wait::until("staging to be emptied", PATIENCE, async || (!world.is_staged(&sealed)).then_some(()))
        .await
        .unwrap();
    let log = shipper.output();
    assert!(!log.contains("unheard-of"), "{log}");
}
