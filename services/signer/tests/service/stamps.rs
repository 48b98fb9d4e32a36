//! Time stamps by a real authority (`openssl ts`): of checkpoints, of hash lists, and when it is away.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use callseal_signer::Options;
use futures::StreamExt;
use harness::{
    http_answers::{Answer, HttpAnswers},
    time_stamp_authority::{KeyKind, TimeStampAuthority},
};
use wire::event_v1::event::What;

use crate::support::{bench::Bench, call::Call};

const PATIENCE: Duration = Duration::from_secs(60);

struct Authority {
    real: Arc<TimeStampAuthority>,
    server: HttpAnswers,
    is_away: Arc<AtomicBool>,
}

fn authority() -> Authority {
    let real = Arc::new(TimeStampAuthority::new(KeyKind::P256).unwrap());
    let is_away = Arc::new(AtomicBool::new(false));
    let (asked, away) = (real.clone(), is_away.clone());
    let server = HttpAnswers::start(move |request| match away.load(Ordering::SeqCst) {
        true => Answer::status(503, Vec::new()),
        false => Answer::ok(asked.answer(&request.body).unwrap()),
    })
    .unwrap();
    Authority { real, server, is_away }
}

fn configure(bench: &Bench, authority: &Authority, stamp: &str) {
    let pem = authority.real.root_pem().unwrap().replace('\n', "\n        ");
    let tenant = format!(
        "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {{name: acme}}\nspec:\n  country: DE\n  \
         timeZone: Europe/Berlin\n  whenUndecided: record\n  evidence:\n    timeStamps:\n      url: {}/tsr\n      \
         stamp: {stamp}\n      every: 1s\n      authorities: |\n        {pem}\n",
        authority.server.url()
    );
    std::fs::write(bench.path("config/tenant.yaml"), tenant).unwrap();
}

/// OpenSSL's verdict on a raw token over a file.
fn openssl_accepts(authority: &Authority, token: &Path, data: &Path) {
    let at = authority.real.folder();
    let verified = Command::new("openssl")
        .args(["ts", "-verify", "-token_in", "-in"])
        .arg(token)
        .arg("-data")
        .arg(data)
        .arg("-CAfile")
        .arg(at.join("root.pem"))
        .arg("-untrusted")
        .arg(at.join("ca.pem"))
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_and_hash_lists_are_stamped_so_that_openssl_accepts_it() {
    let bench = Bench::start().await;
    let authority = authority();
    configure(&bench, &authority, "recordings");
    let signer = bench.signer(Options { checkpoint_every_s: 0.2, ..bench.options() });
    bench.publish(Call::new(1).messages()).await;
    let sealed = bench.announced(1).await.remove(0);
    let names: Vec<&str> =
        sealed.files.iter().map(|file| file.name.strip_prefix(&sealed.base_name).unwrap()).collect();
    assert_eq!(names[4..], ["_hash.SHA256withRSA.sig", "_log-proof.txt", "_hash.tsr"]);
    let path = |ending: &str| {
        bench.path("staging").join(sealed.staging_key(&format!("{}{ending}", sealed.base_name)))
    };
    openssl_accepts(&authority, &path("_hash.tsr"), &path("_hash.txt"));
    let stamped = harness::wait::until("a stamped checkpoint", PATIENCE, || async {
        let files = crate::support::bench::files_below(&bench.path("staging/log/acme/checkpoints"));
        files.into_iter().find(|file| file.extension().is_some_and(|ending| ending == "tsr"))
    })
    .await
    .unwrap();
    openssl_accepts(&authority, &stamped, &stamped.with_extension(""));
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_goes_on_without_its_stamp_when_the_authority_is_away_for_long_and_that_is_said() {
    let bench = Bench::start().await;
    let authority = authority();
    authority.is_away.store(true, Ordering::SeqCst);
    configure(&bench, &authority, "recordings");
    let mut events = bench.bus.events_from_now(None).await.unwrap();
    let options = Options { checkpoint_every_s: 0.2, stamp_patience_s: 3.0, ..bench.options() };
    let signer = bench.signer(options);
    bench.publish(Call::new(1).messages()).await;
    let sealed = bench.announced(1).await.remove(0);
    assert!(sealed.files.last().unwrap().name.ends_with("_log-proof.txt"), "no stamp");
    let told = async {
        loop {
            let event = events.next().await.unwrap();
            if let Some(What::Fault(fault)) = event.what
                && event.recording_id == sealed.recording_id
            {
                return fault;
            }
        }
    };
    let fault = tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert_eq!(fault.r#where, "signer/time-stamps");
    assert!(fault.problem.starts_with("a recording is delivered without a time stamp"), "{}", fault.problem);
    let health = signer.service.health();
    harness::wait::until("the remark", PATIENCE, || async {
        let remarks = health.remarks();
        remarks.iter().any(|remark| remark.contains("acme: ") && remark.contains("503")).then_some(())
    })
    .await
    .unwrap();

    // It is back: the next recording is stamped, and the checkpoint that waited for it.
    authority.is_away.store(false, Ordering::SeqCst);
    harness::wait::until("a stamped checkpoint", PATIENCE, || async {
        let files = crate::support::bench::files_below(&bench.path("staging/log/acme/checkpoints"));
        files.iter().any(|file| file.extension().is_some_and(|ending| ending == "tsr")).then_some(())
    })
    .await
    .unwrap();
    bench.publish(Call::new(1).messages()).await;
    let sealed = bench.announced(1).await.remove(0);
    assert!(sealed.files.last().unwrap().name.ends_with("_hash.tsr"), "{}", sealed.files.len());
    signer.stop().await;
}
