//! Several witnesses, of which some suffice: who is away, who lies, and what an auditor accepts.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use evidence::{
    log::{WitnessKey, witness::answer},
    verify::{Folder, Options, verify_with},
};
use futures::{Stream, StreamExt};
use harness::{
    http_answers::{Answer, HttpAnswers},
    ports,
    witness::Witness,
};
use wire::event_v1::{Event, Fault, event::What};

use crate::{
    rollback::{options, seal_one},
    support::{
        bench::{Bench, Signer},
        log::{keyring, newest},
    },
    witnesses::log_keys,
};

const PATIENCE: Duration = Duration::from_secs(60);
const QUORUM: usize = 2;

/// A witness' place: its folder, its port and its key stay when the process ends.
struct Seat {
    name: String,
    data: PathBuf,
    port: u16,
    key: WitnessKey,
}

impl Seat {
    fn new(bench: &Bench, name: &str) -> Self {
        let data = bench.path(name);
        std::fs::create_dir(&data).unwrap();
        let name = format!("{name}.example");
        let key = WitnessKey::parse(&Witness::key(&data, &name).unwrap()).unwrap();
        Self { name, data, port: ports::claim().unwrap(), key }
    }

    fn sit(&self, logs: &[String]) -> Witness {
        Witness::start_at(self.port, &self.data, &self.name, logs).unwrap()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The tenant's witnesses, called w0, w1 …: where each is asked, and the key that it is believed by.
fn configure(bench: &Bench, members: &[(String, &WitnessKey)]) {
    let member = |(at, (url, key)): (usize, &(String, &WitnessKey))| {
        format!("{{name: w{at}, url: '{url}', key: '{}'}}", key.vkey())
    };
    let members: Vec<String> = members.iter().enumerate().map(member).collect();
    let tenant = format!(
        "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {{name: acme}}\nspec:\n  country: DE\n  \
         timeZone: Europe/Berlin\n  whenUndecided: record\n  evidence:\n    witnesses:\n      quorum: {QUORUM}\n      \
         members: [{}]\n",
        members.join(", ")
    );
    std::fs::write(bench.path("config/tenant.yaml"), tenant).unwrap();
}

/// Waits for a checkpoint over more than `after` entries that just these have cosigned; its size.
async fn cosigned(bench: &Bench, by: &[&WitnessKey], all: &[WitnessKey], after: u64) -> u64 {
    harness::wait::until("the cosignatures", PATIENCE, || async {
        let newest = newest(bench)?;
        let has = |key: &WitnessKey| !newest.cosigned_by(std::slice::from_ref(key)).is_empty();
        let as_wanted = all.iter().all(|key| has(key) == by.contains(&key));
        (as_wanted && newest.checkpoint.size > after).then_some(newest.checkpoint.size)
    })
    .await
    .unwrap()
}

/// A number that the signer tells now.
fn gauge(signer: &Signer, name: &str) -> f64 {
    let families = signer.service.registry().gather();
    let family = families.iter().find(|family| family.name() == name).unwrap();
    family.get_metric()[0].get_gauge().get_value()
}

/// Waits until the readiness remarks this.
async fn remarked(signer: &Signer, what: &str) -> String {
    let health = signer.service.health().clone();
    harness::wait::until("the remark", PATIENCE, || async {
        health.remarks().into_iter().find(|remark| remark.contains(what))
    })
    .await
    .unwrap()
}

/// What an auditor is told of the log who knows these witnesses and wants `quorum` of them.
fn audited(bench: &Bench, witnesses: &[WitnessKey], quorum: usize) -> Vec<String> {
    let archive = bench.exported();
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([bench.path("staging/log"), archive.join("log")])
        .status()
        .unwrap();
    assert!(copied.success());
    let mut folder = Folder::new();
    folder.add(&archive).unwrap();
    let mut options = Options {
        witnesses: witnesses.to_vec(),
        witness_quorum: NonZeroUsize::new(quorum),
        ..Options::default()
    };
    let report = verify_with(&folder, &keyring(bench), &mut options).unwrap();
    std::fs::remove_dir_all(archive).unwrap();
    let logs: Vec<_> = report.archives.iter().flat_map(|archive| &archive.logs).collect();
    assert_eq!(logs.len(), 1, "{report:#?}");
    logs[0].findings.first.iter().map(ToString::to_string).collect()
}

/// The next thing that people are told of the witnesses.
async fn told(events: &mut (impl Stream<Item = Event> + Unpin)) -> Fault {
    let next = async {
        loop {
            if let Some(What::Fault(fault)) = events.next().await.unwrap().what
                && fault.r#where == "signer/witnesses"
            {
                return fault;
            }
        }
    };
    tokio::time::timeout(PATIENCE, next).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_witnesses_one_may_be_away_in_silence_two_are_an_alarm_and_it_ends_when_they_are_back() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    let logs = log_keys(&bench);
    let seats = ["one", "two", "three"].map(|name| Seat::new(&bench, name));
    let keys = seats.each_ref().map(|seat| seat.key.clone());
    let [one, two, three] = seats.each_ref().map(|seat| seat.sit(&logs));
    configure(&bench, &seats.each_ref().map(|seat| (seat.url(), &seat.key)));
    let mut events = bench.bus.events_from_now(None).await.unwrap();

    let signer = bench.signer(options(&bench));
    let [a, b, c] = keys.each_ref();
    let size = cosigned(&bench, &[a, b, c], &keys, 0).await;
    assert!(audited(&bench, &keys, 3).is_empty());

    // One is away: the quorum holds, and who is missing can be counted.
    three.kill_hard().unwrap();
    seal_one(&bench).await;
    let size = cosigned(&bench, &[a, b], &keys, size).await;
    assert_eq!(gauge(&signer, "callseal_signer_log_unwitnessed"), 0.0);
    assert_eq!(gauge(&signer, "callseal_signer_log_witnesses_away"), 1.0);
    assert!(audited(&bench, &keys, QUORUM).is_empty());
    let said = audited(&bench, &keys, 3).join("\n");
    assert!(said.contains("by 2 of the 3 witnesses") && said.ends_with("not by three.example"), "{said}");

    // Two are: recordings are sealed and delivered all the same, and people are told. It is the first
    // that they hear.
    two.kill_hard().unwrap();
    seal_one(&bench).await;
    let size = cosigned(&bench, &[a], &keys, size).await;
    let fault = told(&mut events).await;
    assert!(fault.will_retry && fault.problem.starts_with("1 of 2 witnesses cosigned ("), "{fault:?}");
    assert!(fault.problem.contains("w1: ") && fault.problem.contains("w2: "), "{fault:?}");
    assert_eq!(gauge(&signer, "callseal_signer_log_unwitnessed"), 1.0);
    remarked(&signer, "acme: 1 of 2 witnesses cosigned (").await;
    let said = audited(&bench, &keys, QUORUM).join("\n");
    assert!(said.contains("by 1 of the 2 witnesses that have to: not by "), "{said}");

    // They are back: the checkpoint that lacked them is offered again, and all is as before.
    let _back = [seats[1].sit(&logs), seats[2].sit(&logs)];
    let fault = told(&mut events).await;
    assert!(!fault.will_retry, "{fault:?}");
    harness::wait::until("no remark", PATIENCE, || async {
        signer.service.health().remarks().is_empty().then_some(())
    })
    .await
    .unwrap();
    assert_eq!(gauge(&signer, "callseal_signer_log_unwitnessed"), 0.0);
    assert!(newest(&bench).unwrap().checkpoint.size >= size);
    assert!(audited(&bench, &keys, QUORUM).is_empty());
    signer.stop().await;
    drop(one);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_signs_with_another_key_or_another_checkpoint_is_none_of_the_quorum() {
    let bench = Bench::start().await;
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    signer.stop().await;
    let logs = log_keys(&bench);
    let [one, two, other] = ["one", "two", "other"].map(|name| Seat::new(&bench, name));
    let keys = [one.key.clone(), two.key.clone()];
    let (_one, real_two) = (one.sit(&logs), two.sit(&logs));
    let impostor = other.sit(&logs);

    // Who answers in the place of the second has another key.
    configure(&bench, &[(one.url(), &one.key), (other.url(), &two.key)]);
    let signer = bench.signer(options(&bench));
    let remark = remarked(&signer, "1 of 2 witnesses cosigned (w1: ").await;
    seal_one(&bench).await;
    let size = cosigned(&bench, &[&one.key], &keys, 0).await;
    assert_eq!(newest(&bench).unwrap().signatures().len(), 2, "no line of a stranger: {remark}");
    assert!(!audited(&bench, &keys, QUORUM).is_empty());
    signer.stop().await;
    drop(impostor);

    // The true one cosigns; what it signed is shown again for every later checkpoint.
    configure(&bench, &[(one.url(), &one.key), (two.url(), &two.key)]);
    let signer = bench.signer(options(&bench));
    let size = cosigned(&bench, &[&one.key, &two.key], &keys, size - 1).await;
    assert!(audited(&bench, &keys, QUORUM).is_empty());
    signer.stop().await;
    drop(real_two);
    let signed = newest(&bench).unwrap();
    let lines: Vec<_> =
        signed.signatures().iter().filter(|line| line.name() == two.key.name()).cloned().collect();
    assert_eq!(lines.len(), 1);
    let parrot = HttpAnswers::start(move |_| Answer::ok(answer(&lines))).unwrap();
    configure(&bench, &[(one.url(), &one.key), (parrot.url(), &two.key)]);
    let signer = bench.signer(options(&bench));
    seal_one(&bench).await;
    cosigned(&bench, &[&one.key], &keys, size).await;
    remarked(&signer, "1 of 2 witnesses cosigned (w1: ").await;
    assert!(!audited(&bench, &keys, QUORUM).is_empty());
    signer.stop().await;
}
