//! The shipper tells people by mail: against a real mail server, a real SFTP server that goes away, a
//! real small disk.

#[allow(dead_code, reason = "other tests use more of it")]
mod world;

use std::{fs, io::Write as _, path::Path, process::Command, time::Duration};

use harness::{
    graph::{CLIENT, Graph, SECRET, TENANT, USER},
    installation::http_get,
    mail_sink::{Mail, MailSink, Tls},
    ports,
    postgres::Postgres,
    process::Process,
    small_disk::SmallDisk,
    sshd::Sshd,
    wait,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::TempDir;
use wire::event_v1::event::What;
use world::{PATIENCE, World, sftp};

const OPERATOR: &str = "ops@pbx.example";
const STARTS: &str = "takes no recordings";

/// A mail server, and a shipper's world that has a target on an SFTP server.
struct Scene {
    world: World,
    sink: MailSink,
    sshd: Sshd,
    target: String,
    _dir: TempDir,
}

impl Scene {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["mail", "sshd"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let sink = MailSink::start(&dir.path().join("mail"), Tls::Off, false).await.unwrap();
        let sshd = Sshd::start(&dir.path().join("sshd")).await.unwrap();
        let target = sftp(&sshd, &sshd.host_key("ed25519").unwrap());
        Self { world: World::new(&target).await, sink, sshd, target, _dir: dir }
    }

    fn shipper(&self, further: &[&str]) -> Process {
        let state = format!("sqlite:{}", self.world.path("shipper.sqlite").display());
        self.shipper_on("shipper", &state, further)
    }

    /// Faults are told after a second, and looked at five times a second.
    fn shipper_on(&self, name: &str, state: &str, further: &[&str]) -> Process {
        let server = format!("127.0.0.1:{}", self.sink.port());
        let mut flags = operator(&server);
        flags.extend(further);
        self.world.shipper_on(name, state, &flags)
    }

    /// Waits for the first mail whose subject holds `what`, and returns all until then.
    async fn mails_until(&self, what: &str) -> Vec<Mail> {
        let wanted = format!("a mail: {what}");
        let found = wait::until(&wanted, PATIENCE, async || {
            let mails = self.sink.mails().ok()?;
            mails.iter().any(|mail| mail.field("subject").contains(what)).then_some(mails)
        });
        found.await.unwrap()
    }
}

fn operator(server: &str) -> Vec<&str> {
    let mut flags = vec!["--operator-mail-to", OPERATOR, "--operator-smtp-tls", "off"];
    flags.extend(["--operator-smtp", server, "--notify-after", "1", "--notify-every", "0.2"]);
    flags
}

fn count(mails: &[Mail], what: &str) -> usize {
    mails.iter().filter(|mail| mail.field("subject").contains(what)).count()
}

/// How many of those mails are told apart by their Message-ID.
fn apart(mails: &[Mail], what: &str) -> usize {
    let found = mails.iter().filter(|mail| mail.field("subject").contains(what));
    found.map(|mail| mail.field("messageId")).collect::<std::collections::BTreeSet<_>>().len()
}

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

#[tokio::test]
async fn f83_a_disk_of_staging_that_fills_up_is_told_level_by_level_and_when_there_is_room_again() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(dir.path(), Tls::Off, false).await.unwrap();
    let mut world = World::new("").await;
    let staging = world.path("staging");
    let _disk = SmallDisk::mount(&staging, 40 << 20).unwrap();
    fs::create_dir_all(staging.join("sealed")).unwrap();
    let server = format!("127.0.0.1:{}", sink.port());
    let flags = [operator(&server), vec!["--staging-quota", "90%"]].concat();
    let _shipper = world.shipper(&flags);
    let told = async |what: &str| {
        let wanted = format!("a mail: {what}");
        let found = wait::until(&wanted, PATIENCE, async || {
            let mails = sink.mails().ok()?;
            mails.iter().any(|mail| mail.field("subject").contains(what)).then_some(mails)
        });
        found.await.unwrap()
    };
    // Of 36 MB: 78 %, then 97 %, then nothing.
    let filler = staging.join("sealed/filler");
    // Only ever more: a file that is written anew is empty for a moment.
    let mut file = fs::File::options().create(true).append(true).open(&filler).unwrap();
    file.write_all(&vec![1; 28 << 20]).unwrap();
    told("staging has reached 70 % of its quota").await;
    file.write_all(&vec![1; 7 << 20]).unwrap();
    told("staging has reached 95 % of its quota").await;
    drop(file);
    fs::remove_file(&filler).unwrap();
    let mails = told("over: staging has reached").await;
    assert_eq!(mails.len(), 3, "{mails:?}");
    assert!(mails[1].field("text").contains("36.7 MB / 37.7 MB (97 %)"), "{mails:?}");
    let mut events = Vec::new();
    for _ in 0..3 {
        let fault = |what| match what {
            What::Fault(fault) => (fault.r#where == "staging quota").then_some(fault.problem),
            _ => None,
        };
        events.push(world.event("how full staging is", fault).await);
    }
    assert!(events[0].starts_with("70 % of its quota are reached"), "{events:?}");
    assert!(events[1].starts_with("95 % of its quota are reached"), "{events:?}");
    assert!(events[2].starts_with("less than 95 % of its quota are taken again"), "{events:?}");
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
