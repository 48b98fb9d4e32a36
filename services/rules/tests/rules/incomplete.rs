//! Rules that name incomplete targets (F-75), and API tokens that are sealed (F-81).

use config::sealed::seal;
use vault::Vault;

use crate::setup::*;

/// A target without a pinned host key, and a rule that names it.
const NEW: &str = r#"
---
apiVersion: callseal.io/v1alpha1
kind: StorageTarget
metadata: {name: new, namespace: acme}
spec: {sftp: {host: files.acme.example, user: u, password: {secretRef: {name: api, key: token}}}}
---
apiVersion: callseal.io/v1alpha1
kind: RecordingRule
metadata: {name: early, namespace: acme}
spec: {order: 5, profile: legalDuty, scope: {users: [olga]}, targets: [new]}
"#;

/// What `/readyz` shows of targets.
fn told_of(replica: &Replica) -> Vec<String> {
    let remarks = replica.service.health().remarks();
    remarks.into_iter().filter(|remark| remark.starts_with("targets: ")).collect()
}

/// Rule and target of each incomplete target, as the metric has them.
fn counted(replica: &Replica) -> Vec<String> {
    let families = replica.service.registry().gather();
    let family = families.iter().find(|family| family.name() == "callseal_rules_incomplete_targets");
    let each = family.into_iter().flat_map(|family| family.get_metric());
    each.map(|metric| {
        let labels: Vec<&str> = metric.get_label().iter().map(|label| label.value()).collect();
        labels.join(" ")
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn f75_a_rule_that_names_an_incomplete_target_stands_on_readiness_and_metrics_until_it_is_complete() {
    let text = format!("{RESOURCES}{NEW}");
    let world = World::start_with(&text, 1).await;
    let replica = &world.replicas[0];
    let remarks = told_of(replica);
    let [remark] = remarks.as_slice() else { panic!("{remarks:?}") };
    for part in ["targets: ", "acme/early", "storage target new", "no host key is pinned yet"] {
        assert!(remark.contains(part), "{part}: {remark}");
    }
    assert!(!remark.contains(TOKEN), "{remark}");
    // By name of label: kind, rule, target, tenant.
    assert_eq!(counted(replica), ["StorageTarget early new acme"]);

    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    let pinned = text.replace("user: u,", &format!("user: u, hostKeys: [\"{key}\"],"));
    write(world.config.path(), "resources.yaml", &pinned);
    let none = async || (told_of(replica).is_empty() && counted(replica).is_empty()).then_some(());
    harness::wait::until("nothing incomplete", PATIENCE, none).await.unwrap();

    write(world.config.path(), "resources.yaml", &text);
    let told = async || (counted(replica).len() == 1).then_some(());
    harness::wait::until("told at a reload", PATIENCE, told).await.unwrap();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f81_a_sealed_token_opens_the_api() {
    let mut world = World::start_with(RESOURCES, 0).await;
    let vault = Vault::open(&world.config.path().join("vault.key")).unwrap();
    let sealed = seal(&vault, &"acme".parse().unwrap(), &"api".parse().unwrap(), "token", &TOKEN.into());
    let text = RESOURCES.replace(
        "stringData: {token: 0123456789abcdef-acme}",
        &format!("sealedData: {{token: \"{sealed}\"}}"),
    );
    assert!(!text.contains(TOKEN));
    write(world.config.path(), "resources.yaml", &text);
    world.start_replica().await;
    assert_eq!(world.api("GET", "groups/desk/members", "").await.0, 200);
    world.stop().await;
}
