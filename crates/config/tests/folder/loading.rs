//! A folder read once.

use std::path::Path;

use config::{ConfigError, load};
use domain::resources::{SshAuth, StorageKind};

use crate::files::{Folder, consent_rule, document, folder_target, rule, tenant};

fn problems(folder: &Folder) -> Vec<String> {
    load(folder.0.path()).unwrap().problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_wrong_field_is_reported_with_file_line_resource_and_reason_and_the_rest_is_in_force() {
    let wrong = "\n  profile: legalDuty\n  scope: all\n  directions:\n    - in\n    - inn";
    let folder = Folder::new(&[
        ("tenant.yaml", tenant("acme")),
        (
            "rules/desk.yaml",
            format!("# rules\n{}{}", rule("good", ""), document("RecordingRule", "name: desk", wrong)),
        ),
    ]);
    assert_eq!(
        problems(&folder),
        [
            "rules/desk.yaml:16: RecordingRule desk: spec.directions[1]: \"inn\" is not a direction; use in, out or internal"
        ]
    );
    let loaded = load(folder.0.path()).unwrap();
    let acme = loaded.resources.tenants.values().next().unwrap();
    assert_eq!(acme.rules.len(), 1);
    assert_eq!((loaded.problems[0].line, loaded.problems[0].column), (16, 7));
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_an_empty_one_is_not() {
    assert!(matches!(load(Path::new("/nowhere")), Err(ConfigError::NoFolder(_))));
    let empty = Folder::new(&[("notes.txt", "a: [".into()), (".hidden.yaml", "a: [".into())]);
    let loaded = load(empty.0.path()).unwrap();
    assert!(loaded.resources.tenants.is_empty() && loaded.problems.is_empty());
}

#[test]
fn a_resource_finds_its_tenant_by_namespace_then_folder_then_because_there_is_only_one() {
    let named = document("StorageTarget", "name: named, namespace: globex", "{folder: {path: a}}");
    let folder = Folder::new(&[
        ("tenants.yaml", tenant("acme") + &tenant("globex")),
        ("acme/deep/rules.yml", folder_target("by-folder") + &named),
        ("lost.yaml", folder_target("lost")),
        ("stranger.yaml", document("StorageTarget", "name: x, namespace: initech", "{folder: {path: a}}")),
    ]);
    let loaded = load(folder.0.path()).unwrap();
    let targets = |tenant: &str| {
        let tenant = &loaded.resources.tenants[&tenant.parse().unwrap()];
        tenant.storage_targets.keys().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(targets("acme"), ["by-folder"]);
    assert_eq!(targets("globex"), ["named"]);
    let texts = problems(&folder).join("\n");
    assert!(texts.contains("lost.yaml:4: StorageTarget lost: metadata.namespace: is missing"), "{texts}");
    assert!(
        texts
            .contains("stranger.yaml:4: StorageTarget x: metadata.namespace: there is no Tenant \"initech\""),
        "{texts}"
    );
    assert!(texts.contains("tenants.yaml:5: Tenant acme: spec.sip: there are several tenants"), "{texts}");

    let single = Folder::new(&[("a.yaml", tenant("acme")), ("rules/b.yaml", folder_target("archive"))]);
    assert_eq!(
        load(single.0.path()).unwrap().resources.tenants.values().next().unwrap().storage_targets.len(),
        1
    );
}

#[test]
fn the_second_resource_of_a_name_is_reported_and_does_not_count() {
    let folder = Folder::new(&[
        ("a.yaml", tenant("acme") + &rule("desk", "order: 1")),
        ("b.yaml", rule("desk", "order: 2")),
    ]);
    assert_eq!(
        problems(&folder),
        ["b.yaml:4: RecordingRule desk: metadata.name: is defined already in a.yaml:7; that one counts"]
    );
    let loaded = load(folder.0.path()).unwrap();
    assert_eq!(loaded.resources.tenants.values().next().unwrap().rules[0].order, 1);
}

#[test]
fn a_target_takes_its_password_from_a_kubernetes_secret_and_no_text_shows_it() {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: login}\ntype: Opaque\nstringData: {password: hunter2}\n";
    let sftp = |key: &str| {
        let spec = format!(
            "{{sftp: {{host: h, user: u, hostKeys: [\"ssh-ed25519 AAAAC3Nz\"], password: {{secretRef: {{name: login, key: {key}}}}}}}}}"
        );
        document("StorageTarget", "name: archive", &spec)
    };
    let good = Folder::new(&[("a.yaml", tenant("acme") + secret + &sftp("password"))]);
    let loaded = load(good.0.path()).unwrap();
    assert_eq!(*loaded.problems, []);
    let StorageKind::Sftp(target) =
        &loaded.resources.tenants.values().next().unwrap().storage_targets.values().next().unwrap().kind
    else {
        panic!("is SFTP")
    };
    assert_eq!(target.server.auth, SshAuth::Password("hunter2".into()));

    for broken in [
        "stringData: {password: [hunter2]}",
        "stringData: hunter2",
        "data: {password: hunter2!}",
        "data: {hunter2",
    ] {
        let secret = secret.replace("stringData: {password: hunter2}", broken);
        let folder = Folder::new(&[("a.yaml", tenant("acme") + &secret + &sftp("password"))]);
        let shown = format!("{:?} {:?}", problems(&folder), load(folder.0.path()).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!problems(&folder).is_empty());
    }
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn neither_numbers_nor_names_of_people_stand_in_a_problem() {
    let spec = "\n  users:\n    mustermann: {identities: [\"+4970311234\", \"\"]}\n    meier: {identity: [\"+4970311234\"]}";
    let entries = "\n  entries:\n    - {pattern: \"+4970311234(\"}\n    - +4970311234";
    let folder = Folder::new(&[
        ("a.yaml", tenant("acme")),
        ("b.yaml", document("Directory", "name: staff", spec)),
        (
            "c.yaml",
            document(
                "Directory",
                "name: more",
                "{users: {mustermann: {identities: [\"\"]}}, groups: {desk: {members: [meier]}}}",
            ),
        ),
        ("d.yaml", document("ExceptionList", "name: never", entries)),
        ("e.yaml", rule("desk", "").replace("scope: all", "scope: {users: [meier]}")),
    ]);
    let shown = problems(&folder).join("\n");
    for line in [
        "b.yaml:8: Directory staff: spec.users.‹user›.identity: there is no such field; known are identities",
        "c.yaml:5: Directory more: spec.users.‹user›.identities[0]: must not be empty",
        "d.yaml:8: ExceptionList never: spec.entries[1]: must be a number in quotes, {number: …} or {pattern: …}",
        "e.yaml:5: RecordingRule desk: spec.scope.users[0]: there is no such user in the Directory",
    ] {
        assert!(shown.contains(line), "{line} in\n{shown}");
    }
    for secret in ["7031", "mustermann", "meier"] {
        assert!(!shown.contains(secret), "{secret} in\n{shown}");
    }
}

#[test]
fn a_rule_that_names_what_is_not_there_is_reported_and_records_all_the_same() {
    let folder = Folder::new(&[(
        "a.yaml",
        tenant("acme") + &rule("desk", "targets: [archive], journals: [main], exceptionLists: [never]"),
    )]);
    assert_eq!(
        problems(&folder),
        [
            "a.yaml:10: RecordingRule desk: spec.targets[0]: there is no StorageTarget \"archive\"",
            "a.yaml:10: RecordingRule desk: spec.journals[0]: there is no JournalTarget \"main\"",
            "a.yaml:10: RecordingRule desk: spec.exceptionLists[0]: there is no ExceptionList \"never\"",
        ]
    );
    let loaded = load(folder.0.path()).unwrap();
    assert_eq!(loaded.resources.tenants.values().next().unwrap().rules.len(), 1);
}

#[test]
fn a_target_with_a_lock_is_refused_to_rules_by_which_nothing_would_be_locked() {
    let target =
        document("StorageTarget", "name: vault", "{s3: {bucket: acme-archive, lock: {mode: compliance}}}");
    for (rule, problem) in [
        ("{profile: legalDuty, scope: all, targets: [vault], retention: {years: 10}}", None),
        (
            "{profile: legalDuty, scope: all, targets: [vault]}",
            Some("spec.targets[0]: \"vault\" locks what is brought"),
        ),
        (
            "{profile: legalDuty, scope: all, manualRecording: {targets: [vault]}}",
            Some("spec.manualRecording.targets[0]: \"vault\" locks what is brought"),
        ),
        ("{profile: legalDuty, scope: all, manualRecording: {targets: [vault], retention: {days: 9}}}", None),
        (
            "{profile: consent, consent: {mode: optIn, askedBy: pbx}, scope: all, targets: [vault], retention: {days: 9}}",
            Some("recordings by consent must stay erasable"),
        ),
    ] {
        let rule = document("RecordingRule", "name: desk", rule);
        let folder = Folder::new(&[("a.yaml", tenant("acme")), ("b.yaml", target.clone()), ("c.yaml", rule)]);
        let problems = problems(&folder);
        match problem {
            None => assert_eq!(problems, [""; 0]),
            Some(problem) => assert!(problems.iter().any(|found| found.contains(problem)), "{problems:?}"),
        }
        // Whatever is wrong with it, it records.
        assert_eq!(load(folder.0.path()).unwrap().resources.tenants.values().next().unwrap().rules.len(), 1);
    }
}

#[test]
fn a_consent_rule_whose_exception_list_was_never_known_records_nobody() {
    let consent = consent_rule("desk", "exceptionLists: [never]");
    let folder = Folder::new(&[("a.yaml", tenant("acme") + &consent)]);
    let loaded = load(folder.0.path()).unwrap();
    assert_eq!(
        problems(&folder),
        ["a.yaml:10: RecordingRule desk: spec.exceptionLists[0]: there is no ExceptionList \"never\""]
    );
    assert!(loaded.resources.tenants.values().next().unwrap().rules.is_empty());
}

#[test]
fn one_broken_document_leaves_the_others_of_its_file_alone() {
    let text = tenant("acme") + "---\nkind: [\n" + &folder_target("archive");
    let folder = Folder::new(&[("a.yaml", text)]);
    let loaded = load(folder.0.path()).unwrap();
    assert_eq!(loaded.problems.len(), 1);
    assert!(loaded.problems[0].to_string().starts_with("a.yaml:"), "{:?}", loaded.problems);
    assert_eq!(loaded.resources.tenants.values().next().unwrap().storage_targets.len(), 1);
}

#[test]
fn a_file_that_is_no_text_is_reported_as_a_whole() {
    let folder = Folder::new(&[("a.yaml", tenant("acme"))]);
    std::fs::write(folder.0.path().join("b.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    assert_eq!(problems(&folder), ["b.yaml: is not UTF-8 text"]);
}

#[test]
fn the_example_folder_has_no_problem() {
    let loaded = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/config")).unwrap();
    assert_eq!(*loaded.problems, []);
    let acme = &loaded.resources.tenants[&"acme".parse().unwrap()];
    assert_eq!((acme.rules.len(), acme.storage_targets.len(), acme.journal_targets.len()), (2, 2, 1));
}
