//! The shipper and a drive of Microsoft 365, as the harness plays it.

#[allow(dead_code, reason = "other tests use more of it")]
mod published;
#[allow(dead_code, reason = "other tests use more of it")]
mod world;

use std::fs;

use harness::{
    graph::{CLIENT, Graph, Instead, LABEL, SECRET, TENANT, USER, USER_DRIVE},
    wait,
};
use published::Log;
use wire::event_v1::event::What;
use world::{PATIENCE, World};

const RANGE: usize = 16 * 320 * 1024;

fn drive() -> String {
    format!(
        "---\nkind: Secret\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: microsoft, namespace: acme}}\n\
         stringData: {{secret: \"{SECRET}\"}}\n\
         ---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: drive, namespace: acme}}\n\
         spec: {{subFolder: $Y, oneDrive: {{login: {{app: {{tenantId: {TENANT}, clientId: {CLIENT}, \
         clientSecret: {{secretRef: {{name: microsoft, key: secret}}}}}}}}, drive: {{user: {USER}}}, path: Calls, \
         retentionLabel: {LABEL}}}}}\n"
    )
}

async fn world(graph: &Graph) -> World {
    let mut world = World::new(&drive()).await;
    let ca = graph.ca().display().to_string();
    world.env = vec![("HTTPS_PROXY", graph.proxy()), ("NO_PROXY", "127.0.0.1".into()), ("SSL_CERT_FILE", ca)];
    world
}

#[tokio::test]
async fn a_shipper_killed_in_mid_upload_goes_on_where_it_was_and_labels_the_recording_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let graph = Graph::start(dir.path()).await.unwrap();
    let mut world = world(&graph).await;
    let files = [(".wav", 2 * RANGE + 1_000_000), ("_hash.txt", 200), ("_hash.SHA256withRSA.sig", 500)];
    let sealed = world.prepare_files(&["drive"], &files);
    // The second range stands still, so that the shipper is certainly in its midst.
    graph.instead("PUT /uploads", Instead::Nothing);
    graph.instead("PUT /uploads", Instead::StandStillAfter(1_000_000));
    let shipper = world.shipper(&[]);
    world.bus.publish_sealed(&sealed).await.unwrap();
    wait::until("the second range to stand still", PATIENCE, async || {
        graph.seen().into_iter().find(|seen| seen.range.is_some() && seen.status == 0)
    })
    .await
    .unwrap();
    shipper.kill_hard().unwrap();
    for entry in fs::read_dir(world.dir.path()).unwrap().flatten() {
        let database = entry.file_name().to_string_lossy().contains("sqlite");
        let found =
            database && fs::read(entry.path()).unwrap().windows(8).any(|window| window == b"tempauth");
        assert!(!found, "the address of the upload is a credential, and lies open in {:?}", entry.path());
    }
    let path = |ending: &str| format!("Calls/2026/{}{ending}", sealed.base_name);
    assert_eq!(graph.file(USER_DRIVE, &path(".wav")), None);

    let _shipper = world.shipper(&[]);
    let shipped = world
        .event("shipped", |what| match what {
            What::Shipped(shipped) => Some(shipped),
            _ => None,
        })
        .await;
    assert_eq!(shipped.verified_by, "quickXorHash");
    wait::until("staging to be emptied", PATIENCE, async || (!world.is_staged(&sealed)).then_some(()))
        .await
        .unwrap();
    let ranges: Vec<String> = graph.seen().into_iter().filter_map(|seen| seen.range).collect();
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    assert!(ranges[0].starts_with(&format!("bytes {RANGE}-")), "{ranges:?}");
    for (ending, size) in files {
        let stored = graph.file(USER_DRIVE, &path(ending)).unwrap();
        assert_eq!((stored.content.len(), stored.versions), (size, 1), "{ending}");
        assert_eq!(stored.label.as_deref(), Some(LABEL), "{ending}");
    }
    assert_eq!(graph.unfinished(), 0);
}

#[tokio::test]
async fn f75_a_login_that_nobody_made_is_told_as_soon_as_a_rule_names_the_drive() {
    let dir = tempfile::tempdir().unwrap();
    let graph = Graph::start(dir.path()).await.unwrap();
    let mut world = world(&graph).await;
    world.configure(&format!(
        "---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: drive, namespace: acme}}\n\
         spec: {{oneDrive: {{login: {{user: {{tenantId: {TENANT}, clientId: {CLIENT}, account: main}}}}, drive: {{user: {USER}}}}}}}\n\
         ---\nkind: RecordingRule\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: all, namespace: acme}}\n\
         spec: {{order: 1, profile: legalDuty, scope: all, targets: [drive]}}\n"
    ));
    let mut log = Log::new(&world.path("staging"), "acme", 1);
    log.grow(1);
    let _shipper = world.shipper(&["--archive-log-every", "0.05"]);
    // No recording was made yet: the first one must not be what finds it out.
    let fault = world
        .event("the missing login", |what| match what {
            What::Fault(fault) => Some(fault),
            _ => None,
        })
        .await;
    assert!(fault.problem.contains("callseal login --config"), "{}", fault.problem);
    assert!(graph.signed_in().is_empty());
}
