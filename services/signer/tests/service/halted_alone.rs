//! One tenant's log is halted: what the others do meanwhile, and what it makes up for.

use std::{path::PathBuf, time::Duration};

use evidence::log::{Entry, KeyChange, What};
use keys::SigningKey as _;

use crate::{
    keys::{ask, request},
    rollback::{options, refusal},
    support::{
        bench::{Bench, Signer},
        call::Call,
        log::{entries_of, keyring, published_in},
    },
};

const PATIENCE: Duration = Duration::from_secs(60);

fn logs(bench: &Bench, name: &str) -> PathBuf {
    bench.path("staging/log").join(name)
}

/// Both tenants have a log, and that of `acme` is halted: another one lies in its place.
async fn halt_acme(bench: &Bench) -> Signer {
    bench.add_other("");
    let signer = bench.signer(options(bench));
    for call in [Call::new(1), Call::of_other(1)] {
        bench.publish(call.messages()).await;
        bench.announced(1).await;
    }
    signer.stop().await;
    std::fs::rename(logs(bench, "acme"), bench.path("log-of-acme")).unwrap();
    let mut copy = std::process::Command::new("cp");
    copy.arg("-a").args([logs(bench, "other"), logs(bench, "acme")]);
    assert!(copy.status().unwrap().success());
    let signer = bench.signer(options(bench));
    let problem = refusal(bench, &signer).await;
    assert!(problem.contains("the state database has another one"), "{problem}");
    signer
}

fn right_acme(bench: &Bench) {
    std::fs::remove_dir_all(logs(bench, "acme")).unwrap();
    std::fs::rename(bench.path("log-of-acme"), logs(bench, "acme")).unwrap();
}

fn key_entries(bench: &Bench, tenant: &str) -> Vec<(KeyChange, String)> {
    let entries: Vec<Entry> = entries_of(&published_in(&logs(bench, tenant)), &keyring(bench));
    let key = |entry: &Entry| match &entry.what {
        What::Key(key) => Some((key.change, key.key_id.to_string())),
        _ => None,
    };
    entries.iter().filter_map(key).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_changed_for_all_others_and_the_halted_log_takes_it_in_when_it_goes_on() {
    let bench = Bench::start().await;
    let signer = halt_acme(&bench).await;
    let old = bench.keys.of("callseal");
    let second = bench.keys.make("second");
    let third = bench.keys.make("third");
    for (from, to, label) in [(&old, &second, "second"), (&second, &third, "third")] {
        let answer = ask(&bench, &request(from, to, label, "").0).await;
        assert_eq!(answer.problem, "");
        assert_eq!(answer.places.iter().map(|place| place.tenant.as_str()).collect::<Vec<_>>(), ["other"]);
        assert_eq!(answer.pending, ["acme"]);
    }
    bench.publish(Call::of_other(1).messages()).await;
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(bench.info_value(&sealed, "KeyId"), Some(third.key_id().to_string()));
    let waiting = Call::new(1);
    bench.publish(waiting.messages()).await;
    signer.stop().await;

    right_acme(&bench);
    let signer = bench.signer(options(&bench));
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(sealed.recording_id, waiting.recording.to_string());
    assert_eq!(bench.info_value(&sealed, "KeyId"), Some(third.key_id().to_string()));
    signer.stop().await;
    let changes = [
        (KeyChange::First, old.key_id().to_string()),
        (KeyChange::Rotated, second.key_id().to_string()),
        (KeyChange::Rotated, third.key_id().to_string()),
    ];
    for tenant in ["acme", "other"] {
        assert_eq!(key_entries(&bench, tenant), changes, "{tenant}");
        let papers = |ending: &str| {
            let files = std::fs::read_dir(logs(&bench, tenant).join("keys")).unwrap();
            files
                .filter(|file| file.as_ref().unwrap().file_name().to_str().unwrap().ends_with(ending))
                .count()
        };
        assert_eq!((papers(".old.sig"), papers(".new.sig")), (2, 2), "{tenant}");
    }
    bench.audit_is_good(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_calls_is_purged_of_the_others_and_keeps_what_the_halted_tenant_may_need_again() {
    let bench = Bench::start().await;
    let signer = halt_acme(&bench).await;
    let waiting = Call::new(2).messages();
    let kept = waiting.len() as u64;
    bench.publish(waiting).await;
    bench.publish(Call::of_other(3).messages()).await;
    bench.announced(1).await;
    let left = |wanted: u64| {
        let bench = &bench;
        harness::wait::until("the stream to be purged", PATIENCE, move || async move {
            (bench.messages_in("CALLS").await == wanted).then_some(())
        })
    };
    left(kept).await.unwrap();
    signer.stop().await;

    right_acme(&bench);
    let signer = bench.signer(options(&bench));
    bench.announced(1).await;
    left(0).await.unwrap();
    signer.stop().await;
}
