//! A NATS server, any number of replicas of rules with their APIs, and who asks them.

use std::{fs, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use bus::{
    Bus, BusOptions,
    server::{NatsServer, find_program},
    subjects::RULES_DECIDE,
};
use callseal_rules::{ApiAddress, Options, Rules};
use domain::{CallFacts, Party};
use runtime::Service;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, process::Command, task::JoinHandle};
use wire::{
    call_v1::Decision,
    rules_v1::{DecideRequest, DecideResponse},
};

/// Longer than anything takes on the slowest machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A token of the tenant acme; globex has none.
pub const TOKEN: &str = "0123456789abcdef-acme";

/// Erika and Max are listed in the group desk, Karl is not. Calls of the desk are recorded by legal
/// duty, those of Karl with consent that the PBX asks for; Karl and Erika may record by hand.
pub const RESOURCES: &str = r#"
apiVersion: callseal.io/v1alpha1
kind: Tenant
metadata: {name: acme}
spec: {country: DE, api: {tokens: [{secretRef: {name: api, key: token}}]}}
---
apiVersion: callseal.io/v1alpha1
kind: Secret
metadata: {name: api, namespace: acme}
stringData: {token: 0123456789abcdef-acme}
---
apiVersion: callseal.io/v1alpha1
kind: Tenant
metadata: {name: globex}
spec: {country: DE}
---
apiVersion: callseal.io/v1alpha1
kind: Directory
metadata: {name: staff, namespace: acme}
spec:
  users:
    erika: {identities: ["22", "+49703112322", "erika@pbx.acme.example"]}
    max: {identities: ["23"]}
    karl: {identities: ["25"]}
    olga: {identities: ["26"]}
  groups:
    desk: {numbers: ["500"], members: [erika, max]}
---
apiVersion: callseal.io/v1alpha1
kind: RecordingRule
metadata: {name: advice, namespace: acme}
spec: {order: 10, profile: legalDuty, scope: {groups: [desk]}, directions: [out]}
---
apiVersion: callseal.io/v1alpha1
kind: RecordingRule
metadata: {name: asked, namespace: acme}
spec:
  order: 20
  profile: consent
  scope: {users: [karl]}
  directions: [out]
  consent: {mode: optIn, askedBy: pbx}
---
apiVersion: callseal.io/v1alpha1
kind: RecordingRule
metadata: {name: by-hand, namespace: acme}
spec:
  order: 30
  profile: legalDuty
  scope: {users: [karl, erika]}
  directions: [internal]
  manualRecording: {targets: [], journals: []}
"#;

/// Everything that a test has.
pub struct World {
    pub replicas: Vec<Replica>,
    /// Whoever is not rules: ingest, and people who watch.
    pub bus: Bus,
    nats: Option<NatsServer>,
    port: u16,
    folder: TempDir,
    pub config: TempDir,
}

/// One process of rules, as a task.
pub struct Replica {
    pub service: Service,
    pub api: SocketAddr,
    task: JoinHandle<anyhow::Result<()>>,
}

/// A server of the same data at another port.
pub struct Elsewhere {
    home: u16,
    nats: NatsServer,
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(RESOURCES, 1).await
    }

    pub async fn start_with(resources: &str, replicas: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = tempfile::tempdir().unwrap();
        write(config.path(), "resources.yaml", resources);
        let port = harness::ports::claim().unwrap();
        let nats = start_nats(folder.path(), port);
        let bus = connect(port, "test").await;
        harness::streams::ensure(&bus).await.unwrap();
        let mut world = Self { replicas: Vec::new(), bus, nats: Some(nats), port, folder, config };
        for _ in 0..replicas {
            world.start_replica().await;
        }
        world
    }

    pub async fn start_replica(&mut self) {
        let service = Service::new("rules");
        let api = ApiAddress(Some("127.0.0.1:0".parse().unwrap()));
        let options = Options {
            config: self.config.path().to_owned(),
            vault_key: self.config.path().join("vault.key"),
            api,
        };
        let bus = connect(self.port, &format!("rules-{}", self.replicas.len())).await;
        let rules = Rules::start(options, bus, service.clone()).await.unwrap();
        let api = rules.api_address().unwrap();
        let replica = Replica { service, api, task: tokio::spawn(rules.run()) };
        replica.is_ready().await;
        self.replicas.push(replica);
    }

    pub fn kill_nats(&mut self) {
        self.nats.take().unwrap().kill();
    }

    pub fn restart_nats(&mut self) {
        self.nats = Some(start_nats(self.folder.path(), self.port));
    }

    /// NATS goes on elsewhere: those who are connected do not see what happens there until it is back.
    pub fn nats_elsewhere(&mut self) -> Elsewhere {
        self.kill_nats();
        let port = harness::ports::claim().unwrap();
        let nats = start_nats(self.folder.path(), port);
        Elsewhere { home: std::mem::replace(&mut self.port, port), nats }
    }

    /// It is back.
    pub fn nats_back(&mut self, mut elsewhere: Elsewhere) {
        elsewhere.nats.kill();
        self.port = elsewhere.home;
        self.restart_nats();
    }

    /// Asks as ingest does, for as long as there is no decision.
    pub async fn decide(&self, facts: &CallFacts) -> Decision {
        harness::wait::until("a decision", PATIENCE, async || self.ask(Some(facts)).await.decision)
            .await
            .unwrap()
    }

    /// Asks as ingest does, once.
    pub async fn ask(&self, facts: Option<&CallFacts>) -> DecideResponse {
        let request = DecideRequest { recording_id: String::new(), facts: facts.map(Into::into) };
        self.bus.request(RULES_DECIDE, &request, PATIENCE).await.unwrap()
    }

    /// Asks the first replica's API for the tenant acme, with its token.
    pub async fn api(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        self.replicas[0].api(method, path, body).await
    }

    pub async fn stop(self) {
        for replica in self.replicas {
            replica.stop().await;
        }
    }
}

impl Replica {
    pub async fn is_ready(&self) {
        let ready = async || self.service.health().ready().ok();
        harness::wait::until("rules to be ready", PATIENCE, ready).await.unwrap();
    }

    /// Asks this replica's API for the tenant acme, with its token.
    pub async fn api(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let url = format!("http://{}/v1/tenants/acme/{path}", self.api);
        curl(method, &url, &[&format!("Authorization: Bearer {TOKEN}")], body).await
    }

    pub fn metric(&self, name: &str) -> f64 {
        let families = self.service.registry().gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        family.get_metric().iter().map(|m| m.get_counter().get_value() + m.get_gauge().get_value()).sum()
    }

    pub async fn stop(self) {
        self.service.shutdown().cancel();
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("drains in time").unwrap().unwrap();
    }
}

fn start_nats(folder: &Path, port: u16) -> NatsServer {
    NatsServer::start(&find_program().unwrap(), folder, Some(port)).unwrap()
}

async fn connect(port: u16, name: &str) -> Bus {
    let url = format!("nats://127.0.0.1:{port}");
    let options = BusOptions { calls_max_bytes: 1 << 20, ..BusOptions::new(url, name) };
    Bus::connect(options).await.unwrap()
}

/// In one step, as editors do: nobody reads half of it.
pub fn write(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(".new"), text).unwrap();
    fs::rename(dir.join(".new"), dir.join(name)).unwrap();
}

/// Status and body, as the real curl sees them. The body goes in by standard input, so that it may
/// be of any size.
pub async fn curl(method: &str, url: &str, headers: &[&str], body: &str) -> (u16, String) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "60", "--write-out", "\n%{http_code}"]);
    match method {
        // curl would wait for a body that HEAD does not have.
        "HEAD" => command.args(["--head", url]),
        _ => command.args(["--request", method, url]),
    };
    for header in headers {
        command.args(["--header", header]);
    }
    if !body.is_empty() {
        command.args(["--data-binary", "@-", "--header", "Content-Type: application/json"]);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("curl is installed");
    let mut stdin = child.stdin.take().unwrap();
    // A server that refuses the body does not read it all.
    let _ = stdin.write_all(body.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (text, status) = text.rsplit_once('\n').expect("curl writes the status");
    let failure = String::from_utf8_lossy(&output.stderr);
    assert_ne!(status, "000", "curl got no answer: {failure}");
    (status.parse().unwrap(), text.to_owned())
}

/// A call of `extension` to the outside.
pub fn outbound(extension: &str, call_id: &str) -> CallFacts {
    CallFacts {
        tenant: "acme".parse().unwrap(),
        call_id: call_id.into(),
        direction: None,
        caller: Party { number: extension.into(), ..Party::default() },
        callee: Party { number: "+4922198765".into(), ..Party::default() },
        override_by_pbx: domain::Override::Auto,
    }
}

pub fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
