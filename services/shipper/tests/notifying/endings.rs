//! What ends is told ahead.

use std::{fs, path::Path, process::Command, time::Duration};

use harness::{
    graph::{CLIENT, Graph, SECRET, TENANT, USER},
    installation::http_get,
    mail_sink::{Mail, MailSink, Tls},
    ports, wait,
};
use jiff::{SignedDuration, Timestamp};
use wire::event_v1::event::What;

use crate::{
    scene::{count, operator},
    world::{PATIENCE, World},
};

#[tokio::test]
async fn f77_a_secret_and_a_signing_certificate_that_end_are_told_once_by_mail_and_event_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["mail", "graph"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    let sink = MailSink::start(&dir.path().join("mail"), Tls::Off, false).await.unwrap();
    let graph = Graph::start(&dir.path().join("graph")).await.unwrap();
    let ends = Timestamp::now() + SignedDuration::from_hours(5 * 24);
    graph.secret_ends(&ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let mut world = World::new(&format!(
        "---\nkind: Secret\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: microsoft, namespace: acme}}\n\
         stringData: {{secret: \"{SECRET}\"}}\n\
         ---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: drive, namespace: acme}}\n\
         spec: {{oneDrive: {{login: {{app: {{tenantId: {TENANT}, clientId: {CLIENT}, \
         clientSecret: {{secretRef: {{name: microsoft, key: secret}}}}}}}}, drive: {{user: {USER}}}}}}}\n"
    ))
    .await;
    let ca = graph.ca().display().to_string();
    world.env = vec![("HTTPS_PROXY", graph.proxy()), ("NO_PROXY", "127.0.0.1".into()), ("SSL_CERT_FILE", ca)];
    certificate(&world.path("staging/certificates/new.pem"), 20);
    let (server, port) = (format!("127.0.0.1:{}", sink.port()), ports::claim().unwrap());
    let http = format!("127.0.0.1:{port}");
    let flags = [operator(&server), vec!["--http", &http]].concat();
    let shipper = world.shipper(&flags);
    let told = |mails: &[Mail]| {
        count(mails, "the client secret ends within 7 days: target “drive”")
            + count(mails, "the signing certificate ends within 30 days: signer")
    };
    let both =
        wait::until("both endings", PATIENCE, async || sink.mails().ok().filter(|mails| told(mails) == 2));
    both.await.unwrap();
    let mut ended = Vec::new();
    for _ in 0..2 {
        let fault = |what| match what {
            What::Fault(fault) => Some(format!("{}: {}", fault.r#where, fault.problem)),
            _ => None,
        };
        ended.push(world.event("an ending", fault).await);
    }
    ended.sort();
    assert!(ended[0].starts_with("signer: the signing certificate ends on "), "{ended:?}");
    assert!(ended[1].starts_with("target drive: the client secret ends on "), "{ended:?}");
    let (_, metrics) = http_get(port, "/metrics").await.unwrap();
    let line = r#"callseal_shipper_access_ends_timestamp_seconds{place="target drive",tenant="acme",what="the client secret"}"#;
    assert!(metrics.contains(line), "{metrics}");
    shipper.stop(PATIENCE).unwrap();

    // Nearer after a restart: news. Nothing else is told again.
    let ends = Timestamp::now() + SignedDuration::from_hours(5);
    graph.secret_ends(&ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let _shipper = world.shipper(&flags);
    let mails = wait::until("the last day", PATIENCE, async || {
        let mails = sink.mails().ok()?;
        (count(&mails, "the client secret ends within a day") == 1).then_some(mails)
    });
    assert_eq!(mails.await.unwrap().len(), 3);
}

/// A certificate that ends after so many days, as OpenSSL makes it.
fn certificate(path: &Path, days: u32) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=callseal",
            "-keyout",
            "/dev/null",
        ])
        .args(["-days", &days.to_string(), "-out"])
        .arg(path)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // Newer than what the world put there, to the second.
    let later = std::time::SystemTime::now() + Duration::from_secs(2);
    fs::File::options().append(true).open(path).unwrap().set_modified(later).unwrap();
}
