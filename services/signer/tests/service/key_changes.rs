//! The process dies in the midst of a change of key, with a real token: the old key is in force, or the
//! new one, and the next attempt goes on from there.

use std::{path::Path, process::Command, time::Duration};

use callseal_signer::fail_point::KEY_CHANGE_STEPS;
use evidence::{
    Certificate, KeyChangeStatement,
    log::{Entry, KeyChange, What},
};
use keys::{CertificateSubject, KeyName, KeyOptions, NewKey, RsaBits, softhsm};
use wire::{
    Message,
    evidence_v1::{ChangeKeyRequest, ChangeKeyResponse},
};

use crate::{
    crashes::{make_token, start_with},
    support::{bench::Bench, call::Call},
};

const TOKEN_FOLDER: &str = "CALLSEAL_TEST_CHANGE_FOLDER";
const NEW: &str = "callseal-2027";
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the second key and signs the change as `callseal key rotate` does, in a process of its own as
/// SoftHSM wants it. Alone it does nothing.
#[test]
fn a_change_is_signed_for_the_other_tests() {
    let Some(folder) = std::env::var_os(TOKEN_FOLDER) else { return };
    let folder = Path::new(&folder);
    let options = KeyOptions::default().in_softhsm(&softhsm::prepare(folder, "callseal").unwrap());
    let old = keys::open(&options, &options.key).unwrap();
    let subject = CertificateSubject {
        holder: "Test".to_owned(),
        installation: "test".to_owned(),
        valid_from: "2026-11-22T00:00:00Z".parse().unwrap(),
        years: 30,
    };
    let new =
        keys::create(&options, &KeyName::label(NEW), &NewKey { subject, bits: RsaBits::default() }).unwrap();
    let certificate = new.signing.certificate_pem();
    let statement = KeyChangeStatement {
        tenant: None,
        old: old.signing.key_id(),
        new: new.signing.key_id(),
        new_certificate: Certificate::from_pem(certificate).unwrap().fingerprint(),
        new_log_key: new.log.public(),
        at: "2026-11-22T12:00:00Z".parse().unwrap(),
        reason: "a test".to_owned(),
    };
    let text = statement.to_text().unwrap().into_bytes();
    let request = ChangeKeyRequest {
        tenant: String::new(),
        key: NEW.to_owned(),
        certificate_pem: certificate.to_owned(),
        old_signature: old.signing.sign(&text).unwrap().as_bytes().to_vec(),
        new_signature: new.signing.sign(&text).unwrap().as_bytes().to_vec(),
        statement: text,
    };
    std::fs::write(folder.join("change"), request.encode_to_vec()).unwrap();
}

fn sign_a_change(folder: &Path) -> ChangeKeyRequest {
    let made = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "key_changes::a_change_is_signed_for_the_other_tests", "--nocapture"])
        .env(softhsm::CONF_VARIABLE, softhsm::conf_path(folder))
        .env(TOKEN_FOLDER, folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    ChangeKeyRequest::decode(std::fs::read(folder.join("change")).unwrap().as_slice()).unwrap()
}

/// Asks until there is an answer or the process is dead.
async fn ask_a_dying_one(bench: &Bench, request: &ChangeKeyRequest, step: &str) {
    let mut process = start_with(bench, &[format!("--fail-at={step}")]);
    let asking = bench.bus.request::<_, ChangeKeyResponse>(
        bus::subjects::SIGNER_CHANGE_KEY,
        request,
        Duration::from_secs(600),
    );
    let died = harness::wait::until("the process to die", PATIENCE, || {
        let ended = process.ended().unwrap();
        async move { ended }
    });
    tokio::select! {
        answer = asking => panic!("{step}: {answer:?}"),
        died = died => assert!(!died.unwrap_or_else(|e| panic!("{step}: {e}")).success(), "{step}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_in_the_midst_of_a_change_of_key_leaves_one_key_in_force_and_one_entry() {
    let bench = Bench::start().await;
    let token = bench.path("token");
    make_token(&token);
    let request = sign_a_change(&token);
    let statement = KeyChangeStatement::parse(str::from_utf8(&request.statement).unwrap()).unwrap();
    let state = bench.state().await;
    let process = start_with(&bench, &[]);
    bench.publish(Call::new(1).messages()).await;
    let before = bench.announced(1).await.remove(0);
    assert_eq!(bench.info_value(&before, "KeyId"), Some(statement.old.to_string()));
    process.stop(PATIENCE).unwrap();

    assert_eq!(KEY_CHANGE_STEPS, ["key-change-published", "key-change-committed"]);
    for (step, in_force) in KEY_CHANGE_STEPS.iter().zip([statement.old, statement.new]) {
        ask_a_dying_one(&bench, &request, step).await;
        let row = state.key_in_force(None).await.unwrap().unwrap();
        assert_eq!(row.key_id, in_force.to_string(), "{step}");
    }

    let process = start_with(&bench, &[]);
    bench.publish(Call::new(1).messages()).await;
    let after = bench.announced(1).await.remove(0);
    assert_eq!(bench.info_value(&after, "KeyId"), Some(statement.new.to_string()));
    process.stop(PATIENCE).unwrap();
    let entries = state.log_entries(&"acme".parse().unwrap(), 0, 1000).await.unwrap();
    let changes: Vec<_> = entries
        .iter()
        .filter_map(|bytes| match Entry::parse(bytes).unwrap().what {
            What::Key(key) => Some((key.change, key.key_id)),
            _ => None,
        })
        .collect();
    assert_eq!(changes, [(KeyChange::First, statement.old), (KeyChange::Rotated, statement.new)]);
    let change = evidence::key_change::statement_path(&evidence::Sha256Hash::of(&request.statement));
    let published = std::fs::read(bench.path(&format!("staging/log/acme/{change}.txt"))).unwrap();
    assert!(published == request.statement);
    let certificates =
        std::fs::read_to_string(token.join("callseal.pem")).unwrap() + &request.certificate_pem;
    let report = bench.audit(&certificates);
    assert!(report.is_good(), "{report:#?}");
}
