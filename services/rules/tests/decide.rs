//! Rules over a real NATS server: asked, answered, re-configured.

use std::{fs, path::Path, time::Duration};

use bus::{
    Bus, BusOptions,
    server::{NatsServer, find_program},
    subjects::RULES_DECIDE,
};
use callseal_rules::Options;
use domain::{CallFacts, Party};
use runtime::Service;
use tempfile::TempDir;
use wire::rules_v1::{DecideRequest, DecideResponse};

const TENANT: &str =
    "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\nspec: {country: DE}\n";

fn rule(directions: &str) -> String {
    format!(
        "apiVersion: callseal.io/v1alpha1\nkind: RecordingRule\nmetadata: {{name: desk}}\n\
         spec:\n  profile: legalDuty\n  scope: all\n  directions: [{directions}]\n"
    )
}

struct Running {
    _nats: NatsServer,
    _folder: TempDir,
    config: TempDir,
    bus: Bus,
    service: Service,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = tempfile::tempdir().unwrap();
        write(config.path(), "tenant.yaml", TENANT);
        write(config.path(), "rules.yaml", &rule("in"));
        let nats = NatsServer::start(&find_program().unwrap(), folder.path(), None).unwrap();
        let options = BusOptions {
            url: nats.url().to_owned(),
            name: "rules-test".into(),
            replicas: 1,
            calls_max_bytes: 1 << 20,
            monitor_url: None,
        };
        let bus = Bus::connect(options).await.unwrap();
        let service = Service::new("rules");
        let options = Options { config: config.path().to_owned() };
        let task = tokio::spawn(callseal_rules::run(options, bus.clone(), service.clone()));
        Self { _nats: nats, _folder: folder, config, bus, service, task }
    }

    async fn ask(&self, facts: Option<CallFacts>) -> DecideResponse {
        let request = DecideRequest { recording_id: String::new(), facts: facts.as_ref().map(Into::into) };
        self.bus.request(RULES_DECIDE, &request, Duration::from_secs(60)).await.unwrap()
    }

    /// Asks until the answer is as expected, or fails with the last one.
    async fn becomes(&self, expected: impl Fn(&DecideResponse) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let answer = self.ask(Some(inbound("acme"))).await;
            if expected(&answer) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn metric(&self, name: &str) -> f64 {
        let families = self.service.registry().gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        family.get_metric().iter().map(|m| m.get_counter().get_value() + m.get_gauge().get_value()).sum()
    }

    async fn stop(self) {
        self.service.shutdown().cancel();
        let ended = tokio::time::timeout(Duration::from_secs(60), self.task).await;
        ended.expect("drains in time").unwrap().unwrap();
    }
}

/// In one step, as editors do: nobody reads half of it.
fn write(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(".new"), text).unwrap();
    fs::rename(dir.join(".new"), dir.join(name)).unwrap();
}

fn inbound(tenant: &str) -> CallFacts {
    CallFacts {
        tenant: tenant.parse().unwrap(),
        call_id: "1@pbx".into(),
        direction: None,
        caller: Party { number: "+4922198765".into(), ..Party::default() },
        callee: Party { number: "22".into(), ..Party::default() },
    }
}

fn recorded(answer: &DecideResponse) -> bool {
    answer.decision.as_ref().is_some_and(|decision| decision.recorded.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_decided_and_counted_and_an_unknown_tenant_is_named() {
    let running = Running::start().await;
    let answer = running.ask(Some(inbound("acme"))).await;
    assert!(recorded(&answer), "{answer:?}");
    assert_eq!(answer.decision.unwrap().trace, ["desk: matches"]);

    let answer = running.ask(Some(inbound("globex"))).await;
    assert_eq!(answer.error, "there is no Tenant \"globex\" in force");
    assert!(answer.decision.is_none());
    assert!(!running.ask(None).await.error.is_empty());

    assert_eq!(running.metric("callseal_rules_decisions_total"), 3.0);
    assert_eq!(running.service.health().ready(), Ok(()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_rule_is_in_force_without_a_restart_and_a_broken_one_changes_nothing() {
    let running = Running::start().await;
    running.becomes(recorded).await;

    write(running.config.path(), "rules.yaml", &rule("out"));
    running.becomes(|answer| !recorded(answer)).await;

    write(running.config.path(), "rules.yaml", &rule("in"));
    running.becomes(recorded).await;

    write(running.config.path(), "rules.yaml", &rule("inn"));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while running.metric("callseal_rules_configuration_problems") < 1.0 {
        assert!(tokio::time::Instant::now() < deadline, "the broken rule is never reported");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(recorded(&running.ask(Some(inbound("acme"))).await), "the last good rule stays in force");
    running.stop().await;
}
