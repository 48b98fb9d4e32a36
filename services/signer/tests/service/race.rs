//! Two signers that seal one lane over one PostgreSQL, the lease taken back and forth: one chain, one
//! log.

use std::time::Duration;

use callseal_signer::{Options, state::State};
use domain::{Class, Lane};
use evidence::log::{PublishedLog, What};
use harness::postgres::Postgres;

use crate::support::{
    bench::{Bench, Signer},
    call::Call,
    log::{entries, keyring, newest, published},
};

const CALLS: usize = 60;
const ROBBERIES: usize = 30;

#[tokio::test(flavor = "multi_thread")]
async fn two_signers_that_take_the_sealing_from_each_other_make_one_chain_and_one_log() {
    let bench = Bench::start().await;
    let postgres = Postgres::start().await.unwrap();
    let url = format!("{}?schema=signer", postgres.url());
    let options = |replica: &str| Options {
        state: url.clone(),
        replica: replica.parse().unwrap(),
        checkpoint_every_s: 0.05,
        lease_s: 0.6,
        ..bench.options()
    };
    let signers: [Signer; 2] = ["one", "two"].map(|replica| bench.signer(options(replica)));
    let state = State::open(&url).await.unwrap();
    // Takes the lease out of the hand of whoever seals, in mid-work, as a stall of its machine would; and
    // ends at some time, so that a slow machine gets done.
    let robber = {
        let database = state.database().clone();
        tokio::spawn(async move {
            for _ in 0..ROBBERIES {
                sqlx::query("UPDATE lease SET expires_ms = 0, fence = fence + 1 WHERE name = 'seal'")
                    .execute(database.pool())
                    .await
                    .unwrap();
                tokio::time::sleep(Duration::from_millis(400)).await;
            }
        })
    };
    let calls: Vec<Call> = (0..CALLS).map(|_| Call::new(1)).collect();
    let mut seen = Vec::new();
    for some in calls.chunks(6) {
        for call in some {
            bench.publish(call.messages()).await;
        }
        seen.extend(newest(&bench));
    }
    let mut announced: Vec<String> =
        bench.announced(CALLS).await.into_iter().map(|sealed| sealed.recording_id).collect();
    robber.await.unwrap();
    let mut expected: Vec<String> = calls.iter().map(|call| call.recording.to_string()).collect();
    announced.sort();
    expected.sort();
    assert_eq!(announced, expected, "each is announced once");
    for signer in signers {
        signer.stop().await;
    }

    let lane = Lane { tenant: "acme".parse().unwrap(), class: Class::Regulated };
    let chain = state.chain(&lane).await.unwrap();
    assert!(chain.iter().map(|link| link.0).eq(1..=CALLS as u64), "{chain:?}");
    bench.audit_is_good(CALLS);
    let files = published(&bench);
    let keys = keyring(&bench);
    let log = PublishedLog::open(&files, &keys).unwrap_or_else(|problems| panic!("{problems:?}"));
    for earlier in &seen {
        log.is_consistent_with(earlier).unwrap_or_else(|problem| panic!("{problem:?}"));
    }
    let order: Vec<(u64, String)> = entries(&bench)
        .into_iter()
        .filter_map(|entry| match entry.what {
            What::Sealed(sealed) => Some((sealed.position, sealed.recording.to_string())),
            _ => None,
        })
        .collect();
    let links: Vec<(u64, String)> =
        chain.into_iter().map(|(position, recording, _)| (position, recording)).collect();
    assert_eq!(order, links, "the log names what the chain has, in its order");
}
