//! `callseal shipments`, `targets`, `retry`, `abandon` and `sweep` as commands, against a running
//! `callseal up`: what is where, since when, and why not.

use std::{fs, path::Path, process::Command, time::Duration};

use bus::{Bus, BusOptions};
use domain::RecordingId;
use harness::{sshd::Sshd, up::Up, wait};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use wire::recording_v1::{RecordingSealed, SealedFile};

const PATIENCE: Duration = Duration::from_secs(150);
/// What waits for a target that is not in the configuration is orphaned after a minute, here after a second.
const SOON: &[(&str, &str)] = &[("CALLSEAL_ORPHAN_AFTER", "1")];

const TENANT: &str = "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\n\
                      spec: {country: DE, timeZone: Europe/Berlin}\n";
const ARCHIVE: &str = "---\napiVersion: callseal.io/v1alpha1\nkind: StorageTarget\n\
                       metadata: {name: archive, namespace: acme}\nspec: {folder: {path: archive}}\n";

fn vault(sshd: &Sshd) -> String {
    let key: String = sshd.client_key().unwrap().lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "---\napiVersion: callseal.io/v1alpha1\nkind: Secret\nmetadata: {{name: login, namespace: acme}}\n\
         stringData:\n  key: |\n{key}---\napiVersion: callseal.io/v1alpha1\nkind: StorageTarget\n\
         metadata: {{name: vault, namespace: acme}}\nspec: {{sftp: {{host: 127.0.0.1, port: {}, user: {}, \
         path: vault, hostKeys: [\"{}\"], privateKey: {{secretRef: {{name: login, key: key}}}}}}}}\n",
        sshd.port(),
        sshd.user().unwrap(),
        sshd.host_key("ed25519").unwrap(),
    )
}

/// Everything runs, and the server of the target `vault` does not.
struct Running {
    dir: TempDir,
    sshd: Sshd,
    nats: String,
    bus: Bus,
    _up: Up,
}

impl Running {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut sshd = Sshd::start(&dir.path().join("sshd")).await.unwrap();
        configure(dir.path(), &[TENANT, ARCHIVE, &vault(&sshd)]);
        sshd.stop().unwrap();
        Self::start_in(dir, sshd).await
    }

    /// The same with what is configured in `dir`.
    async fn start_in(dir: TempDir, sshd: Sshd) -> Self {
        let mut up = Up::start_with(dir.path(), "up", &[], SOON).unwrap();
        let nats = up.ready().await.unwrap().nats;
        let bus = Bus::connect(BusOptions::new(&nats, "test")).await.unwrap();
        Self { dir, sshd, nats, bus, _up: up }
    }

    /// A sealed recording lies in staging and is announced for these targets; its id.
    async fn seal(&self, targets: &[&str]) -> String {
        let id = RecordingId::new();
        let base = format!("20260701-220000.000Z_in_+4970311234_+4922198765_{id}");
        let staging_prefix = format!("sealed/acme/{id}");
        let folder = self.staging(&id.to_string());
        fs::create_dir_all(&folder).unwrap();
        let file = |ending: &str, size: usize| {
            let content = vec![b'x'; size];
            fs::write(folder.join(format!("{id}{ending}")), &content).unwrap();
            let (name, sha256) = (format!("{base}{ending}"), Sha256::digest(&content).to_vec());
            SealedFile { name, size: size as u64, sha256 }
        };
        let files = vec![file(".wav", 100_000), file("_hash.txt", 200)];
        let sealed = RecordingSealed {
            recording_id: id.to_string(),
            tenant: "acme".into(),
            class: "regulated".into(),
            base_name: base,
            files,
            staging_prefix,
            targets: targets.iter().map(|name| (*name).to_owned()).collect(),
            started_unix_ms: 1_782_943_200_000,
            time_zone: "Europe/Berlin".into(),
            ..Default::default()
        };
        self.bus.publish_sealed(&sealed).await.unwrap();
        id.to_string()
    }

    fn staging(&self, id: &str) -> std::path::PathBuf {
        self.dir.path().join("data/staging/sealed/acme").join(id)
    }

    /// Exit code, and everything that was said.
    fn callseal(&self, command: &str, words: &[&str]) -> (i32, String) {
        let mut callseal = Command::new(env!("CARGO_BIN_EXE_callseal"));
        let output = callseal.arg(command).args(["--nats", &self.nats]).args(words).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    /// `callseal shipments --json` with these words.
    fn shipments(&self, words: &[&str]) -> Vec<Value> {
        let (code, said) = self.callseal("shipments", &[&["--json"], words].concat());
        assert_eq!(code, 0, "{said}");
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The one of a recording to a target, once it is as it should be.
    async fn shipment(&self, id: &str, target: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let found = async || {
            let shipments = self.shipments(&["--recording", id, "--target", target]);
            shipments.into_iter().find(&is_so)
        };
        wait::until(&format!("{target} to be as it should"), PATIENCE, found).await.unwrap_or_else(|error| {
            panic!("{error}: {:?}", self.shipments(&[]));
        })
    }

    /// Repeats a command until it says this with exit code 0.
    async fn until_says(&self, command: &str, words: &[&str], awaited: &str) -> String {
        let said = async || Some(self.callseal(command, words).1).filter(|said| said.contains(awaited));
        let found = wait::until(&format!("{command} to say {awaited:?}"), PATIENCE, said).await;
        found.unwrap_or_else(|error| panic!("{error}: {}", self.callseal(command, words).1))
    }
}

fn configure(dir: &Path, texts: &[&str]) {
    fs::create_dir_all(dir.join("config")).unwrap();
    fs::write(dir.join("config/new"), texts.concat()).unwrap();
    fs::rename(dir.join("config/new"), dir.join("config/resources.yaml")).unwrap();
}

fn is(state: &str) -> impl Fn(&Value) -> bool {
    move |shipment| shipment["state"] == state
}

#[tokio::test]
async fn what_is_where_is_said_and_why_not_and_a_retry_brings_it_at_once() {
    let mut running = Running::start().await;
    let id = running.seal(&["archive", "vault"]).await;
    let there = running.shipment(&id, "archive", is("done")).await;
    let waits = running.shipment(&id, "vault", |it| it["state"] == "queued" && it["attempts"] != 0).await;

    // Where, since when, by what, for scripts.
    assert_eq!((there["kind"].as_str(), there["tenant"].as_str()), (Some("target"), Some("acme")));
    assert!(
        there["done"].is_string() && there["nextAttempt"].is_null() && there["lastError"].is_null(),
        "{there}"
    );
    let files: Vec<_> = there["files"].as_array().unwrap().iter().map(|file| &file["verifiedBy"]).collect();
    assert_eq!(files, ["read-back", "read-back"]);
    let why = waits["lastError"].as_str().unwrap();
    assert!(why.contains("127.0.0.1") && why.contains("cannot be reached"), "{waits}");
    assert!(
        waits["done"].is_null() && waits["arrived"].is_string() && waits["nextAttempt"].is_string(),
        "{waits}"
    );
    let failed = running.shipments(&["--failed"]);
    assert!(failed.len() == 1 && failed[0]["name"] == "vault", "{failed:?}");
    assert!(running.shipments(&["--tenant", "other"]).is_empty());

    // And for people.
    let (code, said) = running.callseal("shipments", &[]);
    assert_eq!(code, 0);
    assert!(said.contains(&format!("{id} target acme/archive: there since 20")), "{said}");
    assert!(said.contains("  .wav: verified by read-back 20"), "{said}");
    assert!(said.contains(&format!("{id} target acme/vault: waits, came 20")), "{said}");
    assert!(said.contains(why) && said.contains("times; not before 20"), "{said}");
    let (code, said) = running.callseal("targets", &[]);
    assert_eq!(code, 0);
    let vault = said.split("target acme/vault\n").nth(1).unwrap();
    assert!(vault.starts_with("  1 recording waiting, the oldest since 20"), "{said}");
    assert!(vault.contains("  fails since 20") && vault.contains(why), "{said}");
    assert!(said.contains("target acme/archive\n  nothing waits"), "{said}");
    // No number stands in what a terminal shows.
    assert!(!said.contains("+49"), "{said}");

    assert_eq!(running.callseal("sweep", &[]), (0, "staging, orders and targets agree\n".to_owned()));
    running.sshd.start_again().await.unwrap();
    let (code, said) = running.callseal("retry", &["vault"]);
    // It may have been tried by itself just then.
    assert!(code == 0 && said.starts_with("target acme/vault: ") && said.contains("tried now"), "{said}");
    running.shipment(&id, "vault", is("done")).await;
    assert_eq!(running.callseal("shipments", &["--failed"]), (0, String::new()));
    wait::until("staging to be emptied", PATIENCE, async || (!running.staging(&id).exists()).then_some(()))
        .await
        .unwrap();
    let (code, said) = running.callseal("retry", &[&id]);
    assert!(code == 2 && said.contains("nothing waits for recording"), "{said}");
    let (code, said) = running.callseal("retry", &["nowhere"]);
    assert!(code == 2 && said.contains("there is no target or journal nowhere"), "{said}");
}

#[tokio::test]
async fn what_a_deleted_target_was_owed_waits_is_given_up_by_name_and_what_is_nowhere_is_swept_up() {
    let running = Running::start().await;
    let (given_up, lost) = (running.seal(&["vault"]).await, running.seal(&["vault"]).await);
    for id in [&given_up, &lost] {
        running.shipment(id, "vault", |it| it["state"] == "queued" && it["attempts"] != 0).await;
    }
    // Somebody removes one of them from staging.
    fs::remove_dir_all(running.staging(&lost)).unwrap();
    let said = running.until_says("sweep", &[], "not in staging").await;
    assert!(said.starts_with(&format!("{lost} acme since 20")) && !said.contains(&given_up), "{said}");
    assert_eq!(running.callseal("sweep", &[]).0, 1);

    let (_, said) = running.callseal("abandon", &["vault", "--reason", "sold", "--by", "jane"]);
    assert!(!said.contains("2 recordings given up"), "{said}");
    configure(running.dir.path(), &[TENANT, ARCHIVE]);
    let said = running.until_says("targets", &[], "2 recordings orphaned").await;
    assert!(said.contains("target acme/vault (not in the configuration)"), "{said}");
    assert!(said.contains("callseal abandon vault --reason … --by …"), "{said}");
    assert_eq!(running.shipments(&["--target", "vault"]).len(), 2);
    running.shipment(&given_up, "vault", is("orphaned")).await;

    assert_eq!(running.callseal("abandon", &["vault"]).0, 2, "without a reason");
    assert_eq!(
        running.callseal("abandon", &["vault", "--reason", "the NAS was sold", "--by", "jane"]),
        (0, "target acme/vault: 2 recordings given up\n".to_owned())
    );
    let abandoned = running.shipment(&given_up, "vault", is("abandoned")).await;
    let note = abandoned["note"].as_str().unwrap();
    assert!(note.contains("jane") && note.contains("the NAS was sold"), "{abandoned}");
    let (_, said) = running.callseal("shipments", &["--recording", &given_up]);
    assert!(said.contains(": given up 20") && said.contains("the NAS was sold"), "{said}");
    assert!(running.shipments(&["--failed"]).is_empty());
    // Nobody has it: it stays in staging, and the sweep says so.
    let said = running.until_says("sweep", &[], "no target has it").await;
    assert!(said.starts_with(&format!("{given_up} acme since 20")), "{said}");
    assert!(running.staging(&given_up).exists());
}

#[tokio::test]
async fn a_target_gets_its_recordings_by_a_login_that_lies_sealed_in_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd")).await.unwrap();
    configure(dir.path(), &[TENANT, ARCHIVE, &vault(&sshd)]);
    let (config, data) = (dir.path().join("config"), dir.path().join("data"));
    let file = config.join("resources.yaml");
    let mut seal = Command::new(env!("CARGO_BIN_EXE_callseal"));
    seal.arg("seal-secret").arg("--config").arg(&config).arg("--data").arg(&data).arg(&file);
    let output = seal.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("sealedData") && !text.contains("PRIVATE KEY"), "{text}");

    let running = Running::start_in(dir, sshd).await;
    let id = running.seal(&["vault"]).await;
    running.shipment(&id, "vault", is("done")).await;
}
