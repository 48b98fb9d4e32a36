//! Killed at every step of an upload, over each kind of target that is a server: no file lost, none doubled,
//! none half. Folder and SFTP: `resuming.rs`; OneDrive, in mid-upload: `one_drive.rs`.

#[allow(dead_code, reason = "other tests use more of it")]
mod world;

use std::{collections::BTreeMap, fs};

use domain::resources::{AzureBlobAccess, AzureBlobTarget};
use harness::{
    azurite::{ACCOUNT, Azurite},
    gcs::{BUCKET, Gcs},
    graph::{CLIENT, Graph, SECRET, TENANT, USER, USER_DRIVE},
    moto::Moto,
    samba::{PASSWORD, SHARE, Samba},
    wait,
};
use sha2::{Digest as _, Sha256};
use targets::{ObjectStorage, Target as _};
use tokio::io::AsyncReadExt as _;
use wire::recording_v1::RecordingSealed;
use world::{PATIENCE, World, files_below};

/// Every step at which the shipper can be told to die on the way of a recording to a target that keeps it.
const STEPS: [&str; 8] = [
    "taken-in",
    "bookmark-kept",
    "file-stored",
    "file-put",
    "file-noted",
    "brought",
    "noted-done",
    "staging-emptied",
];

/// More than goes in one request anywhere.
const FILES: [(&str, usize); 3] =
    [(".wav", 9 * 1024 * 1024), ("_hash.txt", 200), ("_hash.SHA256withRSA.sig", 500)];

fn target(spec: &str, secret: &str) -> String {
    let block: String = secret.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "---\nkind: Secret\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: login, namespace: acme}}\n\
         stringData:\n  key: |-\n{block}---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\n\
         metadata: {{name: remote, namespace: acme}}\nspec: {{{spec}}}\n"
    )
}

/// What lies on a target: name and content of each file.
type Lying = BTreeMap<String, Vec<u8>>;

/// At each step: one recording is brought by a shipper that dies there, and by one after it.
async fn dies_at_every_step(
    resources: &str,
    env: &[(&'static str, String)],
    steps: &[&str],
    lying: impl AsyncFn(&RecordingSealed) -> Lying,
) {
    for step in steps {
        let mut world = World::new(resources).await;
        world.env = env.to_vec();
        let sealed = world.prepare_files(&["remote"], &FILES);
        world.bus.publish_sealed(&sealed).await.unwrap();
        let mut shipper = world.shipper(&["--fail-at", step]);
        wait::until("the shipper to die", PATIENCE, || std::future::ready(shipper.ended().unwrap()))
            .await
            .unwrap_or_else(|error| panic!("{step}: {error}: {}", shipper.output()));
        let shipper = world.shipper(&[]);
        wait::until("staging to be emptied", PATIENCE * 2, || async {
            (!world.is_staged(&sealed)).then_some(())
        })
        .await
        .unwrap_or_else(|error| panic!("{step}: {error}: {}", shipper.output()));
        let found = lying(&sealed).await;
        let names: Vec<&String> = found.keys().collect();
        let mut expected: Vec<&String> = sealed.files.iter().map(|file| &file.name).collect();
        expected.sort();
        assert_eq!(names, expected, "{step}");
        for file in &sealed.files {
            assert_eq!(Sha256::digest(&found[&file.name]).to_vec(), file.sha256, "{step}");
        }
    }
}

/// Of all that lies there what belongs to the recording: the certificate of the installation does not.
fn of_the_recording(sealed: &RecordingSealed, all: impl IntoIterator<Item = (String, Vec<u8>)>) -> Lying {
    all.into_iter().filter(|(name, _)| name.contains(&sealed.recording_id)).collect()
}

#[tokio::test]
async fn a_shipper_killed_at_any_step_leaves_each_file_whole_and_once_on_a_share() {
    let dir = tempfile::tempdir().unwrap();
    let samba = Samba::start(dir.path()).await.unwrap();
    let spec = format!(
        "smb: {{host: 127.0.0.1, port: {}, share: {SHARE}, user: {}, path: calls, \
         password: {{secretRef: {{name: login, key: key}}}}}}",
        samba.port(),
        samba.user().unwrap()
    );
    let steps: Vec<&str> = STEPS.into_iter().filter(|step| *step != "bookmark-kept").collect();
    dies_at_every_step(&target(&spec, PASSWORD), &[], &steps, async |sealed| {
        let root = samba.share().join("calls");
        // A share knows no hidden names of its own: nothing unfinished may be left either.
        let lying = files_below(&root).into_iter().map(|name| {
            let content = fs::read(root.join(&name)).unwrap();
            (name, content)
        });
        let all: Lying = lying.collect();
        assert!(all.keys().all(|name| !name.contains(".part")), "{:?}", all.keys());
        of_the_recording(sealed, all)
    })
    .await;
}

#[tokio::test]
async fn a_shipper_killed_at_any_step_leaves_each_file_whole_and_once_in_a_bucket_of_s3() {
    let dir = tempfile::tempdir().unwrap();
    let moto = Moto::start(dir.path()).await.unwrap();
    moto.make_bucket("acme-archive", false).await.unwrap();
    let spec = format!(
        "s3: {{bucket: acme-archive, region: us-east-1, endpoint: \"http://127.0.0.1:{}\", \
         accessKeyId: AKIAEXAMPLE, secretAccessKey: {{secretRef: {{name: login, key: key}}}}}}",
        moto.s3_port()
    );
    dies_at_every_step(&target(&spec, "hunter2"), &[], &STEPS, async |sealed| {
        let listed = moto.s3("GET", "/acme-archive?list-type=2", &[], b"").await.unwrap();
        let listed = String::from_utf8(listed).unwrap();
        let names = listed.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap());
        let mut all = Lying::new();
        for name in names {
            let path = format!("/acme-archive/{}", name.replace('+', "%2B"));
            all.insert(name.to_owned(), moto.s3("GET", &path, &[], b"").await.unwrap());
        }
        let uploads = moto.s3("GET", "/acme-archive?uploads", &[], b"").await.unwrap();
        assert!(!String::from_utf8(uploads).unwrap().contains("<UploadId>"), "an upload is left behind");
        of_the_recording(sealed, all)
    })
    .await;
}

#[tokio::test]
async fn a_shipper_killed_at_any_step_leaves_each_file_whole_and_once_in_a_container_of_azure() {
    let dir = tempfile::tempdir().unwrap();
    let azurite = Azurite::start(dir.path()).await.unwrap();
    azurite.make_container("archive").unwrap();
    let endpoint = format!("http://127.0.0.1:{}/{ACCOUNT}", azurite.port());
    let spec = format!(
        "azureBlob: {{account: {ACCOUNT}, container: archive, endpoint: \"{endpoint}\", \
         accessKey: {{secretRef: {{name: login, key: key}}}}}}"
    );
    let archive = ObjectStorage::azure_blob(&AzureBlobTarget {
        account: ACCOUNT.into(),
        container: "archive".into(),
        prefix: String::new(),
        endpoint: Some(endpoint),
        access: AzureBlobAccess::Key(Azurite::key().into()),
        lock: false,
    });
    dies_at_every_step(&target(&spec, &Azurite::key()), &[], &STEPS, async |sealed| {
        let mut all = Lying::new();
        for blob in archive.list("").await.unwrap() {
            let mut content = Vec::new();
            let mut reader = archive.open("", &blob.name).await.unwrap().unwrap();
            reader.read_to_end(&mut content).await.unwrap();
            all.insert(blob.name, content);
        }
        of_the_recording(sealed, all)
    })
    .await;
}

#[tokio::test]
async fn a_shipper_killed_at_any_step_leaves_each_file_whole_and_once_in_a_bucket_of_google() {
    let dir = tempfile::tempdir().unwrap();
    let gcs = Gcs::start(dir.path()).await.unwrap();
    let spec = format!(
        "gcs: {{bucket: {BUCKET}, endpoint: \"http://127.0.0.1:{}\", \
         serviceAccountKey: {{secretRef: {{name: login, key: key}}}}}}",
        gcs.port()
    );
    let resources = target(&spec, &gcs.key_file().unwrap());
    dies_at_every_step(&resources, &[], &STEPS, async |sealed| {
        assert!(gcs.taken_in().is_empty(), "an upload is left behind");
        let all = gcs.names().into_iter().map(|name| {
            let content = gcs.object(&name).unwrap();
            (name, content)
        });
        of_the_recording(sealed, all)
    })
    .await;
}

#[tokio::test]
async fn a_shipper_killed_at_any_step_leaves_each_file_whole_and_once_in_a_drive() {
    let dir = tempfile::tempdir().unwrap();
    let graph = Graph::start(dir.path()).await.unwrap();
    let spec = format!(
        "oneDrive: {{login: {{app: {{tenantId: {TENANT}, clientId: {CLIENT}, \
         clientSecret: {{secretRef: {{name: login, key: key}}}}}}}}, drive: {{user: {USER}}}, path: Calls}}"
    );
    let ca = graph.ca().display().to_string();
    let env = [("HTTPS_PROXY", graph.proxy()), ("NO_PROXY", "127.0.0.1".to_owned()), ("SSL_CERT_FILE", ca)];
    dies_at_every_step(&target(&spec, SECRET), &env, &STEPS, async |sealed| {
        assert_eq!(graph.unfinished(), 0, "an upload is left behind");
        let all = graph.files(USER_DRIVE).into_iter().map(|path| {
            let stored = graph.file(USER_DRIVE, &path).unwrap();
            assert_eq!(stored.versions, 1, "it was stored over what was there");
            (path.trim_start_matches("Calls/").to_owned(), stored.content)
        });
        of_the_recording(sealed, all)
    })
    .await;
}
