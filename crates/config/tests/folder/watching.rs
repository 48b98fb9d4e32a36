//! A folder that changes while it is watched.

use std::{os::unix::fs::symlink, sync::Arc, time::Duration};

use config::{Watched, watch};
use domain::resources::{Resources, TenantResources};
use tokio_util::sync::CancellationToken;

use crate::files::{Folder, consent_rule, document, folder_target, rule, tenant};

/// Longer than a poll: also where nothing reports changes.
const DEADLINE: Duration = Duration::from_secs(60);

fn start(folder: &Folder) -> Watched {
    watch(folder.0.path(), CancellationToken::new()).unwrap()
}

/// Waits until what is in force is as wanted.
pub async fn becomes(
    watched: &mut Watched,
    what: &str,
    wanted: impl Fn(&TenantResources, usize) -> bool,
) -> Arc<Resources> {
    let arrived = async {
        loop {
            let (resources, problems) = (watched.current(), watched.problems().len());
            if resources.tenants.values().next().is_some_and(|tenant| wanted(tenant, problems)) {
                return resources;
            }
            watched.changed().await;
        }
    };
    tokio::time::timeout(DEADLINE, arrived).await.unwrap_or_else(|_| panic!("never: {what}"))
}

fn rules(tenant: &TenantResources) -> Vec<(&str, i64)> {
    tenant.rules.iter().map(|rule| (rule.name.as_str(), rule.order)).collect()
}

#[tokio::test]
async fn what_is_changed_added_and_removed_is_in_force_without_a_restart() {
    let folder = Folder::new(&[("acme/tenant.yaml", tenant("acme")), ("acme/a.yaml", rule("a", "order: 1"))]);
    let mut watched = start(&folder);
    becomes(&mut watched, "at the start", |t, _| rules(t) == [("a", 1)]).await;

    folder.write("acme/a.yaml", &rule("a", "order: 7"));
    becomes(&mut watched, "changed", |t, _| rules(t) == [("a", 7)]).await;

    folder.write("acme/new/b.yaml", &rule("b", "order: 2"));
    becomes(&mut watched, "added in a new folder", |t, _| rules(t) == [("b", 2), ("a", 7)]).await;

    folder.remove("acme/a.yaml");
    becomes(&mut watched, "removed", |t, problems| rules(t) == [("b", 2)] && problems == 0).await;
}

#[tokio::test]
async fn the_last_good_version_stays_in_force_whatever_breaks() {
    let good = rule("a", "order: 1") + &rule("b", "order: 2, targets: [archive]") + &folder_target("archive");
    let folder = Folder::new(&[("tenant.yaml", tenant("acme")), ("rules.yaml", good.clone())]);
    let mut watched = start(&folder);
    for (what, broken) in [
        ("a wrong value", good.replace("order: 1", "order: 9, directions: [up]")),
        ("a wrong type", good.replace("order: 1", "order: one")),
        ("an unknown field", good.replace("order: 1", "ordre: 9")),
        ("a syntax error in the content", good.replace("order: 1", "order: [9")),
        ("a syntax error above the name", good.replacen("kind:", "kind: [", 1)),
        ("a kind that is not known", good.replacen("RecordingRule", "RecordingRul", 1)),
        ("another API version", good.replacen("v1alpha1", "v1", 1)),
        ("a missing name", good.replacen("name: a", "nam: a", 1)),
        ("a target that does not exist", good.replace("targets: [archive]", "targets: [archve]")),
        ("a target that cannot be read", good.replace("folder:", "foldr:")),
    ] {
        folder.replace("rules.yaml", &broken);
        let resources = becomes(&mut watched, what, |_, problems| problems > 0).await;
        let acme = resources.tenants.values().next().unwrap();
        assert_eq!(rules(acme), [("a", 1), ("b", 2)], "{what}");
        assert_eq!(acme.rules[1].targets[0].as_str(), "archive", "{what}");
        assert_eq!(acme.storage_targets.len(), 1, "{what}");

        folder.replace("rules.yaml", &good);
        becomes(&mut watched, "mended", |_, problems| problems == 0).await;
    }
    folder.replace("tenant.yaml", &tenant("acme").replace("DE", "Germany"));
    let resources = becomes(&mut watched, "a broken tenant", |_, problems| problems > 0).await;
    let acme = resources.tenants.values().next().unwrap();
    assert_eq!((acme.rules.len(), acme.tenant.country.as_deref()), (2, Some("DE")));
}

#[tokio::test]
async fn an_exception_list_that_is_deleted_while_a_rule_selects_it_keeps_protecting() {
    let never = document("ExceptionList", "name: never", "{entries: [{number: \"+4989123456\"}]}");
    let folder = Folder::new(&[
        ("a.yaml", tenant("acme") + &consent_rule("desk", "exceptionLists: [never]")),
        ("b.yaml", never),
    ]);
    let mut watched = start(&folder);
    folder.remove("b.yaml");
    for round in ["deleted", "still deleted"] {
        let resources = becomes(&mut watched, round, |_, problems| problems > 0).await;
        let acme = resources.tenants.values().next().unwrap();
        assert_eq!((acme.rules.len(), acme.exception_lists.len()), (1, 1), "{round}");
        folder.write("c.yaml", &folder_target("another"));
        becomes(&mut watched, "another change", |t, _| t.storage_targets.len() == 1).await;
    }
    folder.replace("a.yaml", &(tenant("acme") + &rule("desk", "")));
    becomes(&mut watched, "no longer selected", |t, p| t.exception_lists.is_empty() && p == 0).await;
}

#[tokio::test]
async fn a_mounted_config_map_is_followed_when_its_generation_changes() {
    let folder = Folder::new(&[
        ("..1/a.yaml", tenant("acme") + &rule("a", "order: 1")),
        ("..2/a.yaml", tenant("acme") + &rule("a", "order: 2")),
    ]);
    let path = |name: &str| folder.0.path().join(name);
    symlink("..1", path("..data")).unwrap();
    symlink("..data/a.yaml", path("a.yaml")).unwrap();
    let mut watched = start(&folder);
    becomes(&mut watched, "the first generation", |t, _| rules(t) == [("a", 1)]).await;
    symlink("..2", path("..data_tmp")).unwrap();
    std::fs::rename(path("..data_tmp"), path("..data")).unwrap();
    becomes(&mut watched, "the second generation", |t, _| rules(t) == [("a", 2)]).await;
}

#[tokio::test]
async fn a_folder_that_vanishes_takes_nothing_with_it() {
    let folder = Folder::new(&[("conf/a.yaml", tenant("acme") + &rule("a", "order: 1"))]);
    let dir = folder.0.path().join("conf");
    let mut watched = watch(&dir, CancellationToken::new()).unwrap();
    std::fs::rename(&dir, folder.0.path().join("elsewhere")).unwrap();
    becomes(&mut watched, "reported", |t, problems| problems == 1 && rules(t) == [("a", 1)]).await;
    std::fs::rename(folder.0.path().join("elsewhere"), &dir).unwrap();
    becomes(&mut watched, "back", |t, problems| problems == 0 && rules(t) == [("a", 1)]).await;
}
