//! Secrets with sealed values: opened by the key, and missing with a reason where they cannot be (F-81).

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use config::{Loaded, load, load_with_key, sealed::seal, watch_with_key};
use domain::resources::{SshAuth, StorageKind};
use tokio_util::sync::CancellationToken;
use vault::Vault;

use crate::{
    files::{Folder, document, rule, tenant},
    watching::becomes,
};

/// A folder with a target whose password is in the Secret `login`, under `password`; the key lies beside
/// the configuration.
struct Scene {
    folder: Folder,
    home: tempfile::TempDir,
    vault: Vault,
}

fn secret(name: &str, fields: &str) -> String {
    format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\n{fields}\n")
}

fn target() -> String {
    let password = "{secretRef: {name: login, key: password}}";
    document(
        "StorageTarget",
        "name: archive",
        &format!("{{sftp: {{host: h, user: u, password: {password}}}}}"),
    )
}

impl Scene {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::open(&home.path().join("vault.key")).unwrap();
        let text = tenant("acme") + &target() + &rule("desk", "targets: [archive]");
        Self { folder: Folder::new(&[("a.yaml", text)]), home, vault }
    }

    fn key(&self) -> PathBuf {
        self.home.path().join("vault.key")
    }

    fn sealed(&self, tenant: &str, name: &str, key: &str) -> String {
        seal(&self.vault, &tenant.parse().unwrap(), &name.parse().unwrap(), key, &"hunter2".into())
    }

    /// The Secret with this text as the sealed password.
    fn write(&self, sealed: &str) {
        self.folder.replace("b.yaml", &secret("login", &format!("sealedData: {{password: \"{sealed}\"}}")));
    }

    fn load(&self) -> Loaded {
        load_with_key(self.folder.0.path(), &self.key()).unwrap()
    }

    /// The only problem of the folder, which shows no secret; the target is not in force, the rule is.
    fn problem(&self) -> String {
        let loaded = self.load();
        assert_eq!((password(&loaded), loaded.problems.len()), (None, 1), "{:?}", loaded.problems);
        assert_eq!(loaded.resources.tenants.values().next().unwrap().rules.len(), 1);
        let text = loaded.problems[0].to_string();
        assert!(text.starts_with("b.yaml:5: Secret login: sealedData.password: "), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        text.replace(&self.home.path().display().to_string(), "HOME")
    }
}

fn password(loaded: &Loaded) -> Option<String> {
    let acme = loaded.resources.tenants.values().next()?;
    let StorageKind::Sftp(sftp) = &acme.storage_targets.values().next()?.kind else { panic!("SFTP") };
    let SshAuth::Password(password) = &sftp.server.auth else { panic!("a password") };
    Some(password.expose().clone())
}

#[test]
fn f81_a_sealed_value_is_what_was_sealed_and_lies_in_no_file() {
    let scene = Scene::new();
    scene.write(&scene.sealed("acme", "login", "password"));
    let loaded = scene.load();
    assert_eq!((password(&loaded).as_deref(), loaded.problems.len()), (Some("hunter2"), 0));
    assert!(!fs::read_to_string(scene.folder.0.path().join("b.yaml")).unwrap().contains("hunter2"));
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn a_value_that_is_damaged_moved_or_sealed_with_another_key_is_missing_and_said_where_it_stands() {
    let scene = Scene::new();
    let good = scene.sealed("acme", "login", "password");
    for (tenant, name, key) in
        [("acme", "login", "token"), ("acme", "other", "password"), ("globex", "login", "password")]
    {
        scene.write(&scene.sealed(tenant, name, key));
        let text = scene.problem();
        assert!(text.contains("sealed for another tenant, Secret or key"), "{tenant} {name} {key}: {text}");
    }
    for damaged in [&good[..40], "", "no-base64!", "AgAA", &good.replace(&good[40..44], "AAAA")] {
        scene.write(damaged);
        assert!(scene.problem().contains("is damaged, or was sealed for another"), "{damaged}");
    }
    let other = Vault::with_key(&[9; 32]);
    scene.write(&seal(
        &other,
        &"acme".parse().unwrap(),
        &"login".parse().unwrap(),
        "password",
        &"hunter2".into(),
    ));
    assert!(scene.problem().contains("was sealed with another key than the one in HOME/vault.key"));
}

#[test]
fn a_key_file_that_is_missing_or_that_everybody_reads_opens_nothing_and_is_never_made() {
    let scene = Scene::new();
    scene.write(&scene.sealed("acme", "login", "password"));
    fs::set_permissions(scene.key(), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(scene.problem().contains("everybody may read the key file HOME/vault.key"));
    fs::remove_file(scene.key()).unwrap();
    assert!(scene.problem().contains("there is no key file HOME/vault.key; restore it from its backup"));
    assert!(!scene.key().exists());
}

#[test]
fn who_has_no_use_for_secrets_is_not_told_of_what_is_sealed() {
    let scene = Scene::new();
    scene.write(&scene.sealed("acme", "login", "password"));
    let loaded = load(scene.folder.0.path()).unwrap();
    assert_eq!(*loaded.problems, []);
    assert_eq!(loaded.resources.tenants.values().next().unwrap().rules.len(), 1);
    assert_eq!(password(&loaded), None);
}

#[test]
fn a_value_that_stands_in_plain_text_as_well_counts_as_that_and_is_warned_of() {
    let scene = Scene::new();
    let sealed = scene.sealed("acme", "login", "password");
    let fields = format!("stringData: {{password: plain}}\nsealedData: {{password: \"{sealed}\"}}");
    scene.folder.replace("b.yaml", &secret("login", &fields));
    let loaded = scene.load();
    assert_eq!(password(&loaded).as_deref(), Some("plain"));
    assert!(loaded.problems[0].to_string().contains("b.yaml:6: "), "{}", loaded.problems[0]);
    assert!(loaded.problems[0].reason.contains("stands here in plain text, too"));
}

#[test]
fn plain_values_are_warned_of_as_long_as_others_can_read_their_file() {
    let scene = Scene::new();
    scene.folder.write("b.yaml", &secret("login", "data: {password: aHVudGVyMg==}"));
    let dir = scene.folder.0.path();
    let rights = |mode| fs::set_permissions(dir.join("b.yaml"), fs::Permissions::from_mode(mode)).unwrap();
    for (mode, warnings) in [(0o600, 0), (0o640, 1), (0o604, 1), (0o644, 1)] {
        rights(mode);
        let exposed = load(dir).unwrap().exposed(dir);
        assert_eq!(exposed.len(), warnings, "{mode:o}");
        assert!(
            exposed.iter().all(|warning| warning.to_string().starts_with("b.yaml:2: Secret login: holds"))
        );
    }
    scene.write(&scene.sealed("acme", "login", "password"));
    rights(0o644);
    assert_eq!(load(dir).unwrap().exposed(dir), [], "a sealed value is for everybody to read");
}

#[tokio::test]
async fn a_key_that_appears_or_changes_is_honoured_without_a_restart_and_a_lost_one_takes_nothing_away() {
    let scene = Scene::new();
    scene.write(&scene.sealed("acme", "login", "password"));
    let aside = scene.home.path().join("aside");
    fs::rename(scene.key(), &aside).unwrap();
    let mut watched = watch_with_key(scene.folder.0.path(), &scene.key(), CancellationToken::new()).unwrap();
    becomes(&mut watched, "closed", |t, problems| t.storage_targets.is_empty() && problems == 1).await;
    fs::rename(&aside, scene.key()).unwrap();
    becomes(&mut watched, "open", |t, problems| t.storage_targets.len() == 1 && problems == 0).await;
    fs::rename(scene.key(), &aside).unwrap();
    becomes(&mut watched, "the last good target", |t, p| t.storage_targets.len() == 1 && p == 1).await;
}
