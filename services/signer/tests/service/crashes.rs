//! The process dies right after each step of the write order, is started again, and the outcome is
//! the same: the real program with a real token.

use std::{path::Path, process::Command, time::Duration};

use callseal_signer::fail_point::STEPS;
use domain::{Class, Lane};
use harness::process::Process;
use keys::{CertificateSubject, KeyOptions, NewKey, RsaBits, softhsm};

use crate::support::{
    bench::Bench,
    call::{Call, said},
};

const TOKEN_FOLDER: &str = "CALLSEAL_TEST_TOKEN_FOLDER";

/// SoftHSM reads its configuration from the environment, once in a process: the token is made by
/// this test, run again as a process of its own. Alone it does nothing.
#[test]
fn a_token_is_made_for_the_other_tests() {
    let Some(folder) = std::env::var_os(TOKEN_FOLDER) else { return };
    let token = softhsm::prepare(Path::new(&folder), "callseal").unwrap();
    let subject = CertificateSubject {
        holder: "Test".to_owned(),
        installation: "test".to_owned(),
        valid_from: "2026-11-22T00:00:00Z".parse().unwrap(),
        years: 30,
    };
    let options = KeyOptions::default().in_softhsm(&token);
    let made = keys::create(&options, &options.key, &NewKey { subject, bits: RsaBits::default() }).unwrap();
    std::fs::write(Path::new(&folder).join("callseal.pem"), made.signing.certificate_pem()).unwrap();
}

pub(crate) fn make_token(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    softhsm::write_conf(folder).unwrap();
    let made = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::a_token_is_made_for_the_other_tests", "--nocapture"])
        .env(softhsm::CONF_VARIABLE, softhsm::conf_path(folder))
        .env(TOKEN_FOLDER, folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn start(bench: &Bench, fail_at: Option<&str>) -> Process {
    start_with(bench, &fail_at.map(|step| format!("--fail-at={step}")).into_iter().collect::<Vec<_>>())
}

/// The real program with the real token.
pub(crate) fn start_with(bench: &Bench, arguments: &[String]) -> Process {
    let token = bench.path("token");
    let mut command = Command::new(env!("CARGO_BIN_EXE_callseal-signer"));
    command
        .env(softhsm::CONF_VARIABLE, softhsm::conf_path(&token))
        .args(["--nats", bench.nats.url(), "--http", "127.0.0.1:0", "--state", &bench.state_url()])
        .arg("--config")
        .arg(bench.path("config"))
        .arg("--staging")
        .arg(bench.path("staging"))
        .arg("--pkcs11-pin-file")
        .arg(token.join("pin"))
        .args(["--flush-every", "0.5", "--lease", "2"])
        .args(arguments);
    Process::start("signer", bench.dir.path(), &mut command).unwrap()
}

/// Two calls before (one lies in the chain already), one while the process dies.
#[tokio::test(flavor = "multi_thread")]
async fn a_death_after_any_step_changes_nothing_of_the_outcome() {
    let bench = Bench::start().await;
    make_token(&bench.path("token"));
    let lane = Lane { tenant: "acme".parse().unwrap(), class: Class::Regulated };
    let mut announced = Vec::new();
    let mut expected = Vec::new();
    for step in STEPS {
        let (early, call) = (Call::new(3), Call::new(5));
        expected.extend([early.recording.to_string(), call.recording.to_string()]);
        let mut dying = start(&bench, Some(step));
        bench.publish(call.messages()[..3].to_vec()).await;
        bench.publish(early.messages()).await;
        // Time for a flush in mid-call, unless it has died already.
        let died = async |deadline| {
            harness::wait::until("the process to die", deadline, || {
                let ended = dying.ended().unwrap();
                async move { ended }
            })
            .await
        };
        let mut died = died;
        let mut ended = died(Duration::from_millis(1_500)).await;
        bench.publish(call.messages()[3..].to_vec()).await;
        if ended.is_err() {
            ended = died(Duration::from_secs(60)).await;
        }
        let status = ended.unwrap_or_else(|e| panic!("{step}: {e}\n{}", dying.output()));
        assert!(!status.success(), "{step}: {status}");

        let again = start(&bench, None);
        for sealed in bench.announced(2).await {
            let seconds = if sealed.recording_id == early.recording.to_string() { 3 } else { 5 };
            assert_eq!(bench.channels(&sealed, ".wav"), [said(0, 0..seconds), said(1, 0..seconds)], "{step}");
            announced.push(sealed.recording_id);
        }
        // What is left of the segments goes.
        harness::wait::until("the segments to go", Duration::from_secs(60), || async {
            crate::support::bench::files_below(&bench.path("staging/segments")).is_empty().then_some(())
        })
        .await
        .unwrap_or_else(|e| panic!("{step}: {e}"));
        again.stop(Duration::from_secs(60)).unwrap();
    }
    announced.sort();
    expected.sort();
    assert_eq!(announced, expected, "each is announced once");
    let certificate = std::fs::read_to_string(bench.path("token/callseal.pem")).unwrap();
    let report = bench.audit(&certificate);
    assert!(report.is_good(), "{report:#?}");
    assert_eq!(report.recordings.len(), 2 * STEPS.len());
    let chain = bench.state().await.chain(&lane).await.unwrap();
    assert!((1..).zip(&chain).all(|(place, link)| link.0 == place), "{chain:?}");
    assert_eq!(chain.len(), 2 * STEPS.len());
}
