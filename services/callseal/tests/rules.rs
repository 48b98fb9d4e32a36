//! `callseal rules` as a command: what it prints, to which stream, and by which exit code.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

fn rules(config: &Path, further: &[&str]) -> Output {
    let mut callseal = Command::new(env!("CARGO_BIN_EXE_callseal"));
    callseal.args(["rules", "--config"]).arg(config).args(further).output().unwrap()
}

fn said(stream: &[u8], dir: &Path) -> String {
    String::from_utf8(stream.to_vec()).unwrap().replace(&dir.display().to_string(), "DIR")
}

fn resource(kind: &str, tenant: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: callseal.io/v1alpha1\nkind: {kind}\n\
         metadata: {{name: {name}, namespace: {tenant}}}\nspec: {{{spec}}}\n"
    )
}

fn configure(dir: &Path, resources: &[String]) {
    let file = dir.join("resources.yaml");
    fs::write(&file, resources.concat()).unwrap();
    // There may be a Secret in it.
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn two_tenants() -> Vec<String> {
    let rule = |name: &str, spec: &str| resource("RecordingRule", "acme", name, spec);
    vec![
        resource("Tenant", "acme", "acme", "sip: {domains: [acme.example]}"),
        resource("Tenant", "globex", "globex", "sip: {domains: [globex.example]}"),
        resource(
            "Directory",
            "acme",
            "staff",
            "users: {erika: {identities: [\"22\"]}, max: {identities: [\"23\"]}, karl: {identities: [\"25\"]}}, \
             groups: {desk: {numbers: [\"500\"], members: [erika, max]}}",
        ),
        resource("StorageTarget", "acme", "archive", "folder: {path: archive}"),
        resource("JournalTarget", "acme", "main", "sqlite: {path: journal.sqlite}, table: recordings"),
        rule(
            "the-rest",
            "order: 20, enabled: false, profile: legalDuty, scope: allUsers, directions: [out], targets: [archive]",
        ),
        rule(
            "desk-calls",
            "order: 10, profile: consent, scope: {groups: [desk], users: [karl]}, directions: [in], \
             consent: {mode: optIn, askedBy: pbx}, targets: [archive], journals: [main]",
        ),
    ]
}

#[test]
fn f04_rules_are_listed_in_their_order_with_a_sentence_and_whom_they_cover() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), &two_tenants());

    let output = rules(dir.path(), &["--members"]);
    assert_eq!(said(&output.stderr, dir.path()), "");
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(said(&output.stdout, dir.path()), @"
    acme
      1. desk-calls
         This rule records inbound calls to the group “desk” or to the user “karl”. It needs consent (opt-in): the telephone system itself asks the caller and reports the answer. Without consent nothing is recorded; with it recording begins, and nothing from before is kept. Both sides are kept in one stereo file, each on a channel of its own; recordings go to the storage target “archive” and are entered in the journal “main”.
         The rule covers 3 users: erika (through “desk”), karl and max (through “desk”).
      2. the-rest
         This rule is disabled and records nothing. If it were enabled, this would hold: This rule records outbound calls by any user. It serves a legal duty: recording begins at call set-up, and nobody is asked for consent; the organisation’s own users can end it early by dialling *1, which is put on record, but it is neither paused nor resumed nor begun later. Both sides are kept in one stereo file, each on a channel of its own; recordings go to the storage target “archive” and are entered in no journal.
         The rule covers 3 users: erika, karl and max.

    globex
         There is no rule: no call is recorded.
    ");

    let german = said(&rules(dir.path(), &["--lang", "de", "--tenant", "acme"]).stdout, dir.path());
    assert!(
        german.starts_with("acme\n  1. desk-calls\n     Aufgezeichnet werden eingehende Anrufe"),
        "{german}"
    );
    assert!(german.contains("Diese Regel ist abgeschaltet"), "{german}");
    assert!(!german.contains("Die Regel erfasst") && !german.contains("globex"), "{german}");

    let french = said(&rules(dir.path(), &["--lang", "fr", "--tenant", "globex"]).stdout, dir.path());
    assert_eq!(french, "globex\n     Il n’y a aucune règle\u{a0}: aucun appel n’est enregistré.\n");
}

#[test]
fn what_is_wrong_with_the_configuration_is_said_beside_the_rules_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let mut resources = two_tenants();
    resources.push(resource("RecordingRule", "acme", "wrong", "profile: legalDuty, scope: everybody"));
    configure(dir.path(), &resources);

    let output = rules(dir.path(), &["--tenant", "acme"]);
    assert_eq!(output.status.code(), Some(0));
    let listed = said(&output.stdout, dir.path());
    assert!(listed.contains("1. desk-calls") && !listed.contains("wrong"), "{listed}");
    let warned = said(&output.stderr, dir.path());
    assert!(warned.starts_with("warning: ") && warned.contains("resources.yaml"), "{warned}");
    assert!(warned.contains("spec.scope: \"everybody\" is not a scope"), "{warned}");
}

#[test]
fn f75_a_rule_that_names_an_incomplete_target_is_warned_of_with_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let mut resources = two_tenants();
    resources.push(
        "---\napiVersion: callseal.io/v1alpha1\nkind: Secret\nmetadata: {name: login, namespace: acme}\n\
         stringData: {password: correct-horse}\n"
            .to_owned(),
    );
    let access =
        "host: files.acme.example, user: archive, password: {secretRef: {name: login, key: password}}";
    resources.push(resource("StorageTarget", "acme", "new", &format!("sftp: {{{access}}}")));
    let rule = |enabled: bool| {
        let spec = "profile: legalDuty, scope: allUsers, targets: [archive, new]";
        resource("RecordingRule", "acme", "early", &format!("enabled: {enabled}, order: 5, {spec}"))
    };
    configure(dir.path(), &[resources.concat(), rule(true)]);

    let output = rules(dir.path(), &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output.stdout, dir.path()).contains("1. early"), "the rule is in force");
    let warned = said(&output.stderr, dir.path());
    assert_eq!(warned.lines().count(), 1, "{warned}");
    for part in
        ["warning: resources.yaml:", "early", "spec.targets[1]", "\"new\"", "no host key is pinned yet"]
    {
        assert!(warned.contains(part), "{part}: {warned}");
    }
    assert!(!warned.contains("correct-horse") && !warned.contains("archive"), "{warned}");

    configure(dir.path(), &[resources.concat(), rule(false)]);
    assert_eq!(said(&rules(dir.path(), &[]).stderr, dir.path()), "", "a disabled rule chooses nothing");

    // A sealed login says nothing without its key.
    configure(dir.path(), &[resources.concat(), rule(true)]);
    let data = tempfile::tempdir().unwrap();
    let mut seal = Command::new(env!("CARGO_BIN_EXE_callseal"));
    seal.arg("seal-secret").arg("--config").arg(dir.path()).arg("--data").arg(data.path());
    assert!(seal.arg(dir.path().join("resources.yaml")).output().unwrap().status.success());
    assert_eq!(said(&rules(dir.path(), &[]).stderr, dir.path()), "");
    let key = data.path().join("vault.key").display().to_string();
    assert_eq!(said(&rules(dir.path(), &["--vault-key", &key]).stderr, dir.path()), warned);
}

#[test]
fn what_cannot_be_listed_is_an_error_of_usage() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = rules(dir.path(), &[]);
    assert_eq!(nothing.status.code(), Some(2));
    assert_eq!(said(&nothing.stderr, dir.path()), "error: there is no tenant in force\n");

    configure(dir.path(), &two_tenants());
    let unknown = rules(dir.path(), &["--tenant", "initech"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert_eq!(
        said(&unknown.stderr, dir.path()),
        "error: there is no tenant \"initech\" in force; there are: acme, globex\n"
    );

    let italian = rules(dir.path(), &["--lang", "it"]);
    assert_eq!(italian.status.code(), Some(2));
    assert!(said(&italian.stderr, dir.path()).contains("use de, en or fr"));
    assert_eq!(rules(&dir.path().join("missing"), &[]).status.code(), Some(2));
}

/// What docs/rules.md refers to without showing it.
fn beside_the_page() -> Vec<String> {
    let built_in =
        |name: &str, text: &str| resource("Announcement", "acme", name, &format!("builtIn: {text}"));
    vec![
        resource(
            "Directory",
            "acme",
            "staff",
            "users: {erika: {identities: [\"22\"]}, karl: {identities: [\"25\"]}}, \
             groups: {desk: {numbers: [\"500\"], members: [erika]}}",
        ),
        resource("StorageTarget", "acme", "archive", "folder: {path: archive}"),
        resource("StorageTarget", "acme", "private", "folder: {path: private}"),
        resource("JournalTarget", "acme", "main", "sqlite: {path: journal.sqlite}, table: recordings"),
        built_in("notice", "en/outbound"),
        built_in("thanks", "en/granted"),
        built_in("as-you-like", "en/denied"),
        "---\napiVersion: callseal.io/v1alpha1\nkind: Secret\nmetadata: {name: pbx, namespace: acme}\n\
         stringData: {token: 0123456789abcdef0123456789abcdef}\n"
            .to_owned(),
    ]
}

#[test]
fn the_examples_of_the_page_about_rules_are_a_configuration_without_a_fault() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> =
        page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 4, "a rule, a list, a tenant, an announcement");

    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("acme");
    fs::create_dir(&folder).unwrap();
    let shown = blocks.iter().map(|block| format!("---\n{block}"));
    configure(&folder, &shown.chain(beside_the_page()).collect::<Vec<_>>());
    let output = rules(dir.path(), &["--members"]);
    assert_eq!(said(&output.stderr, dir.path()), "");
    assert!(said(&output.stdout, dir.path()).contains("1. service"));
}
