//! Which key signs: lost and found again, changed at the command line, changed by the configuration.

use std::{
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bus::server::NatsServer;
use callseal_signer::{key::KeySource, state::State};
use evidence::{
    Certificate, KeyChangeStatement, KeyId,
    log::{Entry, KeyChange, KeyEntry, What},
};
use jiff::Timestamp;
use keys::{KeyError, KeyName, KeySet, LogSigningKey as _, SigningKey as _};
use wire::evidence_v1::{ChangeKeyRequest, ChangeKeyResponse, LogStateRequest, LogStateResponse};

use crate::support::{
    bench::{Bench, files_below},
    call::{Call, said},
    key::{FileKey, Keys},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A request as `callseal key rotate` makes it.
pub fn request(old: &FileKey, new: &FileKey, label: &str, tenant: &str) -> (ChangeKeyRequest, String) {
    let statement = KeyChangeStatement {
        tenant: (!tenant.is_empty()).then(|| tenant.parse().unwrap()),
        old: old.key_id(),
        new: new.key_id(),
        new_certificate: Certificate::from_pem(new.certificate_pem()).unwrap().fingerprint(),
        new_log_key: new.public(),
        at: Timestamp::now(),
        reason: "a test".to_owned(),
    };
    let text = statement.to_text().unwrap();
    let request = ChangeKeyRequest {
        tenant: tenant.to_owned(),
        key: label.to_owned(),
        certificate_pem: new.certificate_pem().to_owned(),
        old_signature: old.sign_by_hand(text.as_bytes()).as_bytes().to_vec(),
        new_signature: new.sign_by_hand(text.as_bytes()).as_bytes().to_vec(),
        statement: text.clone().into_bytes(),
    };
    (request, text)
}

pub async fn ask(bench: &Bench, request: &ChangeKeyRequest) -> ChangeKeyResponse {
    bench.bus.request(bus::subjects::SIGNER_CHANGE_KEY, request, PATIENCE).await.unwrap()
}

/// The `key` entries of a tenant's log.
async fn key_entries(state: &State, tenant: &str) -> Vec<KeyEntry> {
    let entries = state.log_entries(&tenant.parse().unwrap(), 0, 1000).await.unwrap();
    let key = |bytes: &Vec<u8>| match Entry::parse(bytes).unwrap().what {
        What::Key(key) => Some(*key),
        _ => None,
    };
    entries.iter().filter_map(key).collect()
}

async fn sealed_by(bench: &Bench) -> Vec<KeyId> {
    let sealed = bench.announced(1).await.remove(0);
    vec![bench.info_value(&sealed, "KeyId").unwrap().parse().unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_signs_what_follows_and_the_log_and_the_archive_say_so() {
    let bench = Bench::start().await;
    let old = bench.keys.of("callseal");
    let signer = bench.signer(bench.options());
    bench.publish(Call::new(1).messages()).await;
    assert_eq!(sealed_by(&bench).await, [old.key_id()]);
    let state = bench.state().await;
    let first = key_entries(&state, "acme").await;
    assert_eq!(
        first.iter().map(|key| (key.change, key.key_id)).collect::<Vec<_>>(),
        [(KeyChange::First, old.key_id())]
    );

    let new = bench.keys.make("callseal-2027");
    let (good, text) = request(&old, &new, "callseal-2027", "");
    // Refused, each for its own reason, and nothing changes.
    let stranger = bench.keys.make("stranger");
    let unsigned = ChangeKeyRequest { old_signature: vec![1; 256], ..good.clone() };
    let elsewhere = ChangeKeyRequest { key: "stranger".to_owned(), ..good.clone() };
    let certificate =
        ChangeKeyRequest { certificate_pem: stranger.certificate_pem().to_owned(), ..good.clone() };
    let other_tenant = ChangeKeyRequest { tenant: "acme".to_owned(), ..good.clone() };
    let not_in_force = request(&stranger, &new, "callseal-2027", "").0;
    for (refused, why) in [
        (unsigned, "not signed by the old key"),
        (elsewhere, "another key or log key under this label"),
        (certificate, "not the one that the statement names"),
        (other_tenant, "another tenant"),
        (not_in_force, "another key as the old one"),
    ] {
        let answer = ask(&bench, &refused).await;
        assert!(answer.problem.contains(why), "{why}: {}", answer.problem);
    }
    assert_eq!(key_entries(&state, "acme").await.len(), 1);

    let answer = ask(&bench, &good).await;
    assert_eq!(answer.problem, "");
    assert_eq!(answer.places.iter().map(|place| place.tenant.as_str()).collect::<Vec<_>>(), ["acme"]);
    bench.publish(Call::new(1).messages()).await;
    assert_eq!(sealed_by(&bench).await, [new.key_id()]);
    let entries = key_entries(&state, "acme").await;
    let rotated = &entries[1];
    assert_eq!((rotated.change, rotated.previous), (KeyChange::Rotated, Some(old.key_id())));
    assert_eq!(rotated.statement, Some(evidence::Sha256Hash::of(text.as_bytes())));
    let change = evidence::key_change::statement_path(&rotated.statement.unwrap());
    for (ending, content) in [
        ("txt", text.into_bytes()),
        ("old.sig", old.sign_by_hand(&good.statement).to_file()),
        ("new.sig", new.sign_by_hand(&good.statement).to_file()),
    ] {
        let path = bench.path(&format!("staging/log/acme/{change}.{ending}"));
        assert_eq!(std::fs::read(path).unwrap(), content, "{ending}");
    }
    for key in [&old, &new] {
        let path = bench.path("staging/certificates").join(format!("{}.pem", key.key_id()));
        assert_eq!(std::fs::read_to_string(path).unwrap(), key.certificate_pem());
    }
    let again = request(&new, &old, "callseal", "").0;
    assert!(ask(&bench, &again).await.problem.contains("never comes back"));
    signer.stop().await;

    // A restart knows it.
    let signer = bench.signer(bench.options());
    bench.publish(Call::new(1).messages()).await;
    assert_eq!(sealed_by(&bench).await, [new.key_id()]);
    bench.audit_is_good(3);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn for_a_lost_key_a_ceremony_starts_a_new_one_and_nothing_that_waited_is_lost() {
    let bench = Bench::start().await;
    let old = bench.keys.of("callseal");
    let signer = bench.signer(bench.options());
    bench.publish(Call::new(1).messages()).await;
    assert_eq!(sealed_by(&bench).await, [old.key_id()]);
    let certificates = bench.keys.certificates();
    bench.keys.lose("callseal");
    let waiting = Call::new(2);
    bench.publish(waiting.messages()).await;
    let state = bench.state().await;
    let health = signer.service.health().clone();
    harness::wait::until("the key's condition to fail", PATIENCE, || async {
        let waits = state.waiting_count().await.unwrap() == 1;
        health.ready().err().filter(|reasons| waits && reasons.iter().any(|r| r.starts_with("key: ")))
    })
    .await
    .unwrap();

    let new = bench.keys.make("callseal-b");
    let replaced = ChangeKeyRequest { old_signature: Vec::new(), ..request(&old, &new, "callseal-b", "").0 };
    assert_eq!(ask(&bench, &replaced).await.problem, "");
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(sealed.recording_id, waiting.recording.to_string());
    assert_eq!(bench.channels(&sealed, ".wav"), [said(0, 0..2), said(1, 0..2)]);
    assert_eq!(bench.info_value(&sealed, "KeyId"), Some(new.key_id().to_string()));
    let changes: Vec<_> = key_entries(&state, "acme").await.iter().map(|key| key.change).collect();
    assert_eq!(changes, [KeyChange::First, KeyChange::Replaced]);
    harness::wait::until("the key's condition to hold", PATIENCE, || async {
        health.ready().err().unwrap_or_default().iter().all(|r| !r.starts_with("key: ")).then_some(())
    })
    .await
    .unwrap();
    let report = bench.audit(&(certificates + new.certificate_pem()));
    assert!(report.is_good(), "{report:#?}");
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_under_the_label_signs_nothing() {
    let bench = Bench::start().await;
    let old = bench.keys.of("callseal");
    let signer = bench.signer(bench.options());
    bench.publish(Call::new(1).messages()).await;
    assert_eq!(sealed_by(&bench).await, [old.key_id()]);
    signer.stop().await;
    for ending in ["rsa.pem", "cert.pem", "p256.pem", "log.der"] {
        std::fs::remove_file(bench.path(&format!("callseal-{ending}"))).unwrap();
    }
    let other = bench.keys.make("callseal");
    assert_ne!(other.key_id(), old.key_id());
    let signer = bench.signer(bench.options());
    let health = signer.service.health().clone();
    harness::wait::until("the key's condition to fail", PATIENCE, || async {
        let replaced = |reason: &String| reason.contains("somebody put another one in its place");
        health.ready().err().filter(|reasons| reasons.iter().any(replaced))
    })
    .await
    .unwrap();
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_names_its_own_key_is_signed_by_it_and_the_old_one_agrees() {
    let bench = Bench::start().await;
    let old = bench.keys.of("callseal");
    let signer = bench.signer(bench.options());
    bench.publish(Call::new(1).messages()).await;
    assert_eq!(sealed_by(&bench).await, [old.key_id()]);
    let new = bench.keys.make("acme-2026");
    let tenant = "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\n\
                  spec: {country: DE, timeZone: Europe/Berlin, whenUndecided: record, \
                  evidence: {signingKey: acme-2026}}\n";
    std::fs::write(bench.path("config/tenant.yaml"), tenant).unwrap();
    let state = bench.state().await;
    let acme = "acme".parse().unwrap();
    harness::wait::until("the change of key", PATIENCE, || async {
        // The configuration is noticed with a call that comes after it.
        bench.publish(Call::new(1).messages()).await;
        let sealed = sealed_by(&bench).await;
        (sealed == [new.key_id()]).then_some(())
    })
    .await
    .unwrap();
    let in_force = state.key_in_force(Some(&acme)).await.unwrap().unwrap();
    assert_eq!((in_force.tenant.as_str(), in_force.label.as_str()), ("acme", "acme-2026"));
    assert_eq!(state.key_in_force(None).await.unwrap().unwrap().label, "callseal");
    let entries = key_entries(&state, "acme").await;
    let changes: Vec<_> = entries.iter().map(|key| (key.change, key.key_id, key.previous)).collect();
    assert_eq!(
        changes,
        [(KeyChange::First, old.key_id(), None), (KeyChange::Rotated, new.key_id(), Some(old.key_id()))]
    );
    let change = evidence::key_change::statement_path(&entries[1].statement.unwrap());
    let text = std::fs::read_to_string(bench.path(&format!("staging/log/acme/{change}.txt"))).unwrap();
    let statement = KeyChangeStatement::parse(&text).unwrap();
    assert_eq!((statement.old, statement.new), (old.key_id(), new.key_id()));
    assert!(bench.audit(&bench.keys.certificates()).is_good());
    bench.keys.unplugged.store(true, Ordering::SeqCst);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_was_imported_is_published_while_the_signer_runs() {
    let bench = Bench::start().await;
    let key = bench.keys.of("callseal");
    let signer = bench.signer(bench.options());
    bench.publish(Call::new(1).messages()).await;
    sealed_by(&bench).await;
    let published = bench.path("staging/certificates").join(format!("{}.pem", key.key_id()));
    let before = std::fs::read_to_string(&published).unwrap();
    let issued = key.certify_anew();
    assert_ne!(issued, before);
    harness::wait::until("the certificate to be published", PATIENCE, || async {
        (std::fs::read_to_string(&published).unwrap() == issued).then_some(())
    })
    .await
    .unwrap();
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_own_certificate_lies_apart_from_those_of_the_installation() {
    let bench = Bench::start().await;
    bench.add_other(", evidence: {signingKey: other-2026}");
    let (ours, own) = (bench.keys.of("callseal"), bench.keys.make("other-2026"));
    let signer = bench.signer(bench.options());
    bench.publish(Call::new(1).messages()).await;
    assert_eq!(sealed_by(&bench).await, [ours.key_id()]);
    bench.publish(Call::of_other(1).messages()).await;
    assert_eq!(sealed_by(&bench).await, [own.key_id()]);
    signer.stop().await;
    let certificates = bench.path("staging/certificates");
    let mut names: Vec<PathBuf> = files_below(&certificates);
    names.iter_mut().for_each(|path| *path = path.strip_prefix(&certificates).unwrap().to_owned());
    let mut expected = [
        PathBuf::from(format!("{}.pem", ours.key_id())),
        PathBuf::from(format!("other/{}.pem", own.key_id())),
    ];
    expected.sort();
    assert_eq!(names, expected);
}

/// A key service that answers for one key only when it is let.
struct Slow {
    keys: Arc<Keys>,
    label: &'static str,
    asked: AtomicBool,
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Slow {
    fn let_it(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

impl KeySource for Slow {
    fn open(&self, key: &KeyName) -> Result<KeySet, KeyError> {
        if key.to_string() == self.label {
            self.asked.store(true, Ordering::SeqCst);
            let is_open = self.is_open.lock().unwrap();
            drop(self.opened.wait_while(is_open, |is_open| !*is_open).unwrap());
        }
        self.keys.open(key)
    }
}

/// Nothing is kept waiting when a test fails.
struct AtEnd(Arc<Slow>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0.let_it();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_key_takes_its_time_to_open_what_other_keys_sign_goes_on() {
    let bench = Bench::start().await;
    bench.add_other(", evidence: {signingKey: other-2026}");
    bench.keys.make("other-2026");
    let (keys, label) = (bench.keys.clone(), "other-2026");
    let (asked, is_open, opened) = (AtomicBool::new(false), Mutex::new(false), Condvar::new());
    let slow = Arc::new(Slow { keys, label, asked, is_open, opened });
    let at_end = AtEnd(slow.clone());
    let signer = bench.signer_with(bench.options(), slow.clone());
    let waiting = Call::of_other(1);
    bench.publish(waiting.messages()).await;
    harness::wait::until("the slow key to be asked for", PATIENCE, || async {
        slow.asked.load(Ordering::SeqCst).then_some(())
    })
    .await
    .unwrap();
    for _ in 0..2 {
        let call = Call::new(1);
        bench.publish(call.messages()).await;
        assert_eq!(bench.announced(1).await[0].recording_id, call.recording.to_string());
    }
    drop(at_end);
    assert_eq!(bench.announced(1).await[0].recording_id, waiting.recording.to_string());
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_again_when_the_bus_was_restarted() {
    let mut bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    let state = async |bench: &Bench| -> Option<LogStateResponse> {
        let asked = LogStateRequest::default();
        bench.bus.request(bus::subjects::SIGNER_LOG_STATE, &asked, Duration::from_secs(2)).await.ok()
    };
    for round in 0..2 {
        harness::wait::until("an answer", PATIENCE, || state(&bench))
            .await
            .unwrap_or_else(|e| panic!("{round}: {e}"));
        let (program, port) = (bus::server::find_program().unwrap(), bench.nats.port());
        bench.nats.stop();
        bench.nats = NatsServer::start(&program, &bench.path("nats"), Some(port)).unwrap();
    }
    let stranger = bench.keys.make("stranger");
    let (asked, _) = request(&stranger, &bench.keys.make("another"), "another", "");
    harness::wait::until("an answer about keys", PATIENCE, || async {
        let asking = bench.bus.request(bus::subjects::SIGNER_CHANGE_KEY, &asked, Duration::from_secs(2));
        asking.await.ok().filter(|answer: &ChangeKeyResponse| !answer.problem.is_empty())
    })
    .await
    .unwrap();
    signer.stop().await;
}
