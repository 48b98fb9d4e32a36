//! NATS, a configuration, staging and state in a temporary folder; signers to run on them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bus::{Bus, BusOptions, server::NatsServer};
use callseal_signer::{Options, key::KeySource, state::State};
use evidence::{
    Certificate,
    verify::{Folder, Keyring, Report, verify},
};
use runtime::Service;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use wire::{
    Message,
    call_v1::{CallMessage, call_message::Body},
    recording_v1::RecordingSealed,
};

use super::key::Keys;

const TENANT: &str = "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\n\
                      spec: {country: DE, timeZone: Europe/Berlin, whenUndecided: record}\n";

/// Everything a signer needs.
pub struct Bench {
    pub dir: TempDir,
    pub nats: NatsServer,
    pub bus: Bus,
    pub keys: Arc<Keys>,
}

impl Bench {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (nats_dir, config) = (dir.path().join("nats"), dir.path().join("config"));
        std::fs::create_dir_all(&nats_dir).unwrap();
        std::fs::create_dir_all(&config).unwrap();
        std::fs::write(config.join("tenant.yaml"), TENANT).unwrap();
        let program = bus::server::find_program().unwrap();
        // Its own port: a test may stop it and start it again.
        let port = harness::ports::claim().unwrap();
        let nats = NatsServer::start(&program, &nats_dir, Some(port)).unwrap();
        let mut options = BusOptions::new(nats.url(), "test");
        options.calls_max_bytes = 256 << 20;
        let bus = Bus::connect(options).await.unwrap();
        harness::streams::ensure(&bus).await.unwrap();
        let keys = Arc::new(Keys::new(dir.path()));
        Self { dir, nats, bus, keys }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn state_url(&self) -> String {
        format!("sqlite:{}", self.path("signer.sqlite").display())
    }

    /// Settings with deadlines that a test can wait for.
    pub fn options(&self) -> Options {
        let mut options = Options::new(self.path("config"), self.state_url(), self.path("staging"));
        options.lease_s = 2.0;
        options.flush_every_s = 0.5;
        options
    }

    /// A second tenant, `other`; `evidence` as in its configuration.
    pub fn add_other(&self, evidence: &str) {
        let other =
            TENANT.replace("name: acme", "name: other").replace("record}", &format!("record{evidence}}}"));
        std::fs::write(self.path("config/other.yaml"), other).unwrap();
    }

    /// Runs a signer in this process.
    pub fn signer(&self, options: Options) -> Signer {
        self.signer_with(options, self.keys.clone())
    }

    /// The same with keys that behave in another way.
    pub fn signer_with(&self, options: Options, keys: Arc<dyn KeySource>) -> Signer {
        let service = Service::new("signer");
        let task =
            tokio::spawn(callseal_signer::run_with_keys(options, self.bus.clone(), service.clone(), keys));
        Signer { service, task }
    }

    /// Publishes messages in the given order, each acknowledged before the next.
    pub async fn publish(&self, messages: impl IntoIterator<Item = CallMessage>) {
        let client = async_nats::connect(self.nats.url()).await.unwrap();
        let jetstream = async_nats::jetstream::new(client);
        for message in messages {
            assert!(!matches!(message.body, Some(Body::NodeStarted(_))), "use publish_everywhere");
            let subject =
                bus::subjects::call(&message.tenant.parse().unwrap(), &message.recording().unwrap());
            jetstream.publish(subject, message.encode_to_vec().into()).await.unwrap().await.unwrap();
        }
    }

    /// Publishes a message of a node to every partition.
    pub async fn publish_everywhere(&self, message: CallMessage) {
        let client = async_nats::connect(self.nats.url()).await.unwrap();
        let jetstream = async_nats::jetstream::new(client);
        for part in 0..domain::partition::PARTITIONS {
            let subject = bus::subjects::node(part, &message.node.parse().unwrap());
            jetstream.publish(subject, message.encode_to_vec().into()).await.unwrap().await.unwrap();
        }
    }

    /// The next `count` announcements, in the order of the stream.
    pub async fn announced(&self, count: usize) -> Vec<RecordingSealed> {
        let mut consumer = self.bus.sealed("shipper").await.unwrap();
        let mut got = Vec::new();
        while got.len() < count {
            let next = tokio::time::timeout(Duration::from_secs(60), consumer.next()).await;
            let next = next
                .unwrap_or_else(|_| panic!("{} of {count} recordings were announced", got.len()))
                .unwrap();
            got.push(next.message.clone());
            next.ack().await.unwrap();
        }
        got
    }

    /// True if nothing more is announced for `time`.
    pub async fn nothing_announced_for(&self, time: Duration) -> bool {
        let mut consumer = self.bus.sealed("shipper").await.unwrap();
        tokio::time::timeout(time, consumer.next()).await.is_err()
    }

    /// How many messages a stream holds.
    pub async fn messages_in(&self, stream: &str) -> u64 {
        let client = async_nats::connect(self.nats.url()).await.unwrap();
        let jetstream = async_nats::jetstream::new(client);
        jetstream.get_stream(stream).await.unwrap().get_info().await.unwrap().state.messages
    }

    pub async fn state(&self) -> State {
        State::open(&self.state_url()).await.unwrap()
    }

    /// Bytes of a file of a recording in staging.
    pub fn file(&self, sealed: &RecordingSealed, ending: &str) -> Vec<u8> {
        let name = format!("{}{ending}", sealed.base_name);
        let path = self.path("staging").join(sealed.staging_key(&name));
        std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// The value of a key in `_info.txt`.
    pub fn info_value(&self, sealed: &RecordingSealed, key: &str) -> Option<String> {
        let text = String::from_utf8(self.file(sealed, "_info.txt")).unwrap();
        text.lines().find_map(|line| line.strip_prefix(&format!("{key}: ")).map(str::to_owned))
    }

    /// The channels of a WAVE file of a recording.
    pub fn channels(&self, sealed: &RecordingSealed, ending: &str) -> Vec<Vec<u8>> {
        media::wav::read_channels(&mut self.file(sealed, ending).as_slice()).unwrap().1
    }

    /// All sealed files of staging under the names that they get at a target, in one folder.
    pub fn exported(&self) -> PathBuf {
        let export = self.path("export");
        std::fs::create_dir_all(&export).unwrap();
        for file in files_below(&self.path("staging/sealed")) {
            let folder = file.parent().unwrap();
            let id = folder.file_name().unwrap().to_str().unwrap();
            // The hash list knows the names; without one (a death came first) there is nothing to name.
            let Ok(list) = std::fs::read_to_string(folder.join(format!("{id}_hash.txt"))) else { continue };
            let (_, first) = list.lines().next().unwrap().split_once("  ").unwrap();
            let base = &first[..first.find(id).unwrap() + id.len()];
            let ending = file.file_name().unwrap().to_str().unwrap().strip_prefix(id).unwrap();
            // What a death in mid-write has left goes to no target.
            if ending.contains('#') {
                continue;
            }
            std::fs::copy(&file, export.join(format!("{base}{ending}"))).unwrap();
        }
        export
    }

    /// Verifies everything in staging as an auditor would, who knows these certificates.
    pub fn audit(&self, certificates_pem: &str) -> Report {
        let mut archive = Folder::new();
        archive.add(&self.exported()).unwrap();
        let mut keys = Keyring::new();
        for pem in certificates_pem.split_inclusive("-----END CERTIFICATE-----\n") {
            keys.add(Certificate::from_pem(pem).unwrap());
        }
        verify(&archive, &keys).unwrap()
    }

    /// Fails unless all recordings in staging are good, `count` of them, in chains without hole.
    pub fn audit_is_good(&self, count: usize) {
        let report = self.audit(&self.keys.certificates());
        assert!(report.is_good(), "{report:#?}");
        assert_eq!(report.recordings.len(), count);
        assert!(report.lanes.iter().all(|lane| lane.missing_before == 0), "{:?}", report.lanes);
    }
}

/// A running signer.
pub struct Signer {
    pub service: Service,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Signer {
    /// Waits until it has taken this many messages.
    pub async fn has_taken(&self, count: u64) {
        let registry = self.service.registry();
        harness::wait::until("the messages to be taken", Duration::from_secs(60), || async {
            let families = registry.gather();
            let taken = families.iter().find(|family| family.name() == "callseal_signer_messages_total")?;
            let sum: f64 = taken.get_metric().iter().map(|metric| metric.get_counter().get_value()).sum();
            (sum >= count as f64).then_some(())
        })
        .await
        .unwrap();
    }

    /// Ends it as if its process had died: nothing is flushed, no lease is given back.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Ends it in order.
    pub async fn stop(self) {
        self.service.shutdown().cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// All files below a folder.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(dir) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
