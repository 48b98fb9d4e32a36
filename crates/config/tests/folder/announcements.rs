//! Announcements and the files they consist of.

use std::{os::unix::fs::symlink, path::Path, time::Duration};

use config::{load, watch};
use domain::resources::{AudioSource, TenantResources};
use tokio_util::sync::CancellationToken;

use crate::{
    files::{Folder, document, rule, tenant, wav},
    watching::becomes,
};

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(bytes))
}

fn hello(acme: &TenantResources) -> &str {
    acme.announcements.values().next().map_or("", |announcement| announcement.sha256.as_str())
}

fn announcement(spec: &str) -> String {
    document("Announcement", "name: hello", spec)
}

#[test]
fn audio_comes_from_a_file_from_the_resource_itself_or_with_callseal() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let folder = Folder::new(&[
        ("tenant.yaml", tenant("acme")),
        ("deep/file.yaml", announcement("{file: ../sounds/hello.wav, comment: for all}")),
        (
            "data.yaml",
            announcement(&format!("{{data: {}}}", STANDARD.encode(wav(440)))).replace("hello", "data"),
        ),
    ]);
    folder.write_bytes("sounds/hello.wav", &wav(440));
    let loaded = load(folder.0.path()).unwrap();
    assert_eq!(*loaded.problems, []);
    let acme = loaded.resources.tenants.values().next().unwrap();
    let [data, hello] = ["data", "hello"].map(|name| &acme.announcements[&name.parse().unwrap()]);
    assert_eq!(hello.source, AudioSource::File(Path::new("../sounds/hello.wav").to_owned()));
    assert_eq!(hello.comment, "for all");
    for announcement in [data, hello] {
        assert_eq!(*announcement.audio, *wav(440));
        assert_eq!(announcement.sha256, sha256(&wav(440)));
        assert_eq!(announcement.duration, Duration::from_secs(1));
    }
}

#[tokio::test]
async fn a_changed_file_is_a_changed_announcement_and_a_broken_one_leaves_the_last_in_force() {
    let folder =
        Folder::new(&[("tenant.yaml", tenant("acme")), ("hello.yaml", announcement("{file: hello.wav}"))]);
    folder.write_bytes("hello.wav", &wav(440));
    let mut watched = watch(folder.0.path(), CancellationToken::new()).unwrap();
    becomes(&mut watched, "at the start", |t, p| hello(t) == sha256(&wav(440)) && p == 0).await;

    folder.write_bytes("hello.wav", &wav(660));
    becomes(&mut watched, "changed", |t, p| hello(t) == sha256(&wav(660)) && p == 0).await;

    folder.write_bytes("hello.wav", &wav(880)[..4_000]);
    becomes(&mut watched, "cut off", |t, p| hello(t) == sha256(&wav(660)) && p == 1).await;
    let problem = watched.problems()[0].to_string();
    assert_eq!(
        problem,
        "hello.yaml:5: Announcement hello: spec.file: is cut off: it ends before the audio does"
    );

    folder.remove("hello.wav");
    let gone = "hello.yaml:5: Announcement hello: spec.file: there is no such file";
    while watched.problems().first().is_none_or(|problem| problem.to_string() != gone) {
        tokio::time::timeout(Duration::from_secs(30), watched.changed()).await.expect("never: removed");
    }
    assert_eq!(hello(watched.current().tenants.values().next().unwrap()), sha256(&wav(660)));

    folder.write_bytes("hello.wav", &wav(880));
    becomes(&mut watched, "whole again", |t, p| hello(t) == sha256(&wav(880)) && p == 0).await;
}

#[tokio::test]
async fn an_announcement_that_is_deleted_while_a_rule_names_it_is_still_played() {
    let folder = Folder::new(&[
        ("tenant.yaml", tenant("acme")),
        ("rule.yaml", rule("desk", "announcements: {inbound: hello}")),
        ("hello.yaml", announcement("{file: hello.wav}")),
    ]);
    folder.write_bytes("hello.wav", &wav(440));
    let mut watched = watch(folder.0.path(), CancellationToken::new()).unwrap();
    becomes(&mut watched, "at the start", |t, p| t.announcements.len() == 1 && p == 0).await;
    let acme = watched.current();
    let uses = acme.tenants.values().next().unwrap().announcement_uses(&"hello".parse().unwrap());
    assert_eq!(uses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["desk: announcements.inbound"]);

    folder.remove("hello.yaml");
    let resources = becomes(&mut watched, "deleted", |_, p| p == 1).await;
    let acme = resources.tenants.values().next().unwrap();
    assert_eq!(hello(acme), sha256(&wav(440)));
    assert_eq!(acme.rules[0].announcements.inbound.as_ref().unwrap().as_str(), "hello");

    folder.write("rule.yaml", &rule("desk", ""));
    becomes(&mut watched, "no longer named", |t, p| t.announcements.is_empty() && p == 0).await;
}

#[tokio::test]
async fn audio_in_a_mounted_config_map_is_followed_when_its_generation_changes() {
    let folder = Folder::new(&[
        ("tenant.yaml", tenant("acme")),
        ("..1/hello.yaml", announcement("{file: hello.wav}")),
        ("..2/hello.yaml", announcement("{file: hello.wav}")),
    ]);
    folder.write_bytes("..1/hello.wav", &wav(440));
    folder.write_bytes("..2/hello.wav", &wav(660));
    let path = |name: &str| folder.0.path().join(name);
    symlink("..1", path("..data")).unwrap();
    symlink("..data/hello.yaml", path("hello.yaml")).unwrap();
    symlink("..data/hello.wav", path("hello.wav")).unwrap();
    let mut watched = watch(folder.0.path(), CancellationToken::new()).unwrap();
    becomes(&mut watched, "the first generation", |t, p| hello(t) == sha256(&wav(440)) && p == 0).await;
    symlink("..2", path("..data_tmp")).unwrap();
    std::fs::rename(path("..data_tmp"), path("..data")).unwrap();
    becomes(&mut watched, "the second generation", |t, p| hello(t) == sha256(&wav(660)) && p == 0).await;
}
