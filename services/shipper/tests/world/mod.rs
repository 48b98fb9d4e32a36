//! NATS, a configuration, staging, and the shipper as a process of its own.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use bus::{Bus, BusOptions, server::NatsServer};
use domain::RecordingId;
use harness::{events::Events, process::Process, sshd::Sshd};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use wire::{
    event_v1::event::What,
    recording_v1::{RecordingSealed, SealedFile},
};

/// NATS sets the size of the streams aside: a test does not need a large disk.
const CALLS_MAX_BYTES: i64 = 64 << 20;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct World {
    pub dir: TempDir,
    pub bus: Bus,
    /// Variables of the environment that a shipper gets.
    pub env: Vec<(&'static str, String)>,
    #[allow(dead_code, reason = "not every test file listens")]
    events: Events,
    _nats: NatsServer,
}

impl World {
    /// With these resources beside the tenant acme.
    pub async fn new(resources: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let nats =
            NatsServer::start(&bus::server::find_program().unwrap(), &dir.path().join("nats"), None).unwrap();
        let options = BusOptions { calls_max_bytes: CALLS_MAX_BYTES, ..BusOptions::new(nats.url(), "test") };
        let bus = Bus::connect(options).await.unwrap();
        harness::streams::ensure(&bus).await.unwrap();
        let events = Events::from_now(&bus).await.unwrap();
        let world = Self { dir, bus, env: Vec::new(), events, _nats: nats };
        fs::create_dir_all(world.path("config")).unwrap();
        fs::create_dir_all(world.path("staging/certificates")).unwrap();
        fs::write(world.path("staging/certificates/0a1b.pem"), "the certificate").unwrap();
        world.configure(resources);
        world
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Writes the configuration, atomically as a person's editor would.
    pub fn configure(&self, resources: &str) {
        let text = format!(
            "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {{name: acme}}\n\
             spec: {{country: DE, timeZone: Europe/Berlin, whenUndecided: record}}\n{resources}"
        );
        fs::write(self.path("config/new"), text).unwrap();
        fs::rename(self.path("config/new"), self.path("config/resources.yaml")).unwrap();
    }

    /// Starts the shipper; it retries after 0.1 s, at least each second.
    pub fn shipper(&self, further: &[&str]) -> Process {
        let state = format!("sqlite:{}", self.path("shipper.sqlite").display());
        self.shipper_on("shipper", &state, further)
    }

    /// Starts a shipper called `name` on a state database that it may share.
    pub fn shipper_on(&self, name: &str, state: &str, further: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callseal-shipper"));
        command.arg(format!("--calls-max-bytes={CALLS_MAX_BYTES}"));
        if !further.contains(&"--http") {
            command.args(["--http", "127.0.0.1:0"]);
        }
        if !further.contains(&"--retry-after") {
            command.args(["--retry-after", "0.1"]);
        }
        if !further.contains(&"--staging-quota") {
            // The disk of whoever tests may be nearly full: that is no news here.
            command.args(["--staging-quota", "1TB"]);
        }
        command.args(["--retry-at-least-every", "1"]);
        command.arg("--nats").arg(self._nats.url());
        command.arg("--config").arg(self.path("config")).arg("--staging").arg(self.path("staging"));
        command.arg("--data").arg(self.path("data")).args(further);
        command.arg("--state").arg(state).envs(self.env.iter().cloned());
        Process::start(name, self.dir.path(), &mut command).unwrap()
    }

    /// The first column of what the shipper's database answers, one parameter given.
    #[allow(dead_code, reason = "not every test file looks into the database")]
    pub async fn stored(&self, query: &'static str, parameter: &str) -> Vec<String> {
        let url = format!("sqlite:{}", self.path("shipper.sqlite").display());
        let db = sql::Database::open(&url).await.unwrap();
        let rows: Vec<(String,)> = sqlx::query_as(query).bind(parameter).fetch_all(db.pool()).await.unwrap();
        db.close().await;
        rows.into_iter().map(|(text,)| text).collect()
    }

    /// Puts the files of a sealed recording into staging and announces it for `targets`.
    #[allow(dead_code, reason = "not every test file announces at once")]
    pub async fn seal(&self, targets: &[&str]) -> RecordingSealed {
        let sealed = self.prepare(targets);
        self.bus.publish_sealed(&sealed).await.unwrap();
        sealed
    }

    /// The same of a short recording: two files.
    #[allow(dead_code, reason = "not every test file needs many")]
    pub async fn seal_small(&self, targets: &[&str]) -> RecordingSealed {
        let sealed = self.prepare_files(targets, &[(".wav", 100_000), ("_hash.txt", 200)]);
        self.bus.publish_sealed(&sealed).await.unwrap();
        sealed
    }

    /// Puts the files of a sealed recording into staging.
    pub fn prepare(&self, targets: &[&str]) -> RecordingSealed {
        let files = [
            (".wav", 300_000),
            ("_info.txt", 900),
            ("_hash.txt", 200),
            ("_hash.SHA256withRSA.sig", 500),
            ("_log-proof.txt", 1_200),
            ("_hash.tsr", 3_000),
        ];
        self.prepare_files(targets, &files)
    }

    /// The same with these endings of names and sizes in bytes.
    pub fn prepare_files(&self, targets: &[&str], endings: &[(&str, usize)]) -> RecordingSealed {
        let id = RecordingId::new();
        let base = format!("20260701-220000.000Z_in_+4970311234_+4922198765_{id}");
        let prefix = format!("sealed/acme/{id}");
        fs::create_dir_all(self.path("staging").join(&prefix)).unwrap();
        let mut files = Vec::new();
        for &(ending, size) in endings {
            let content: Vec<u8> = (0..size).map(|n: usize| (n * 7 % 251) as u8).collect();
            let name = format!("{base}{ending}");
            fs::write(self.path("staging").join(&prefix).join(format!("{id}{ending}")), &content).unwrap();
            files.push(SealedFile { name, size: size as u64, sha256: Sha256::digest(&content).to_vec() });
        }
        RecordingSealed {
            recording_id: id.to_string(),
            tenant: "acme".into(),
            class: "regulated".into(),
            chain_position: 1,
            base_name: base,
            files,
            staging_prefix: prefix,
            targets: targets.iter().map(|name| (*name).to_owned()).collect(),
            started_unix_ms: 1_782_943_200_000,
            time_zone: "Europe/Berlin".into(),
            ..Default::default()
        }
    }

    /// Whether staging still has anything of the recording.
    pub fn is_staged(&self, sealed: &RecordingSealed) -> bool {
        self.path("staging").join(&sealed.staging_prefix).exists()
    }

    /// The next event for which `choose` has an answer; one that it passes over comes again.
    #[allow(dead_code, reason = "not every test file listens")]
    pub async fn event<T>(&mut self, what: &str, choose: impl FnMut(What) -> Option<T>) -> T {
        self.events.next(choose).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }
}

/// Every file below `folder`, relative, except hidden ones; sorted.
pub fn files_below(folder: &std::path::Path) -> Vec<String> {
    fn walk(root: &std::path::Path, folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

/// The target `remote` on an SFTP server, and the secret to log in with.
#[allow(dead_code, reason = "not every test file has a server")]
pub fn sftp(sshd: &Sshd, host_key: &str) -> String {
    let key: String = sshd.client_key().unwrap().lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "---\nkind: Secret\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: login, namespace: acme}}\nstringData:\n  key: |\n{key}\
         ---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: remote, namespace: acme}}\n\
         spec: {{sftp: {{host: 127.0.0.1, port: {}, user: {}, path: archive, hostKeys: [\"{host_key}\"], \
         privateKey: {{secretRef: {{name: login, key: key}}}}}}}}\n",
        sshd.port(),
        sshd.user().unwrap()
    )
}
