//! `docs/configuration.md` is true: its examples load, and it names every field there is.

use std::path::Path;

use config::load;

use crate::files::{Folder, document, tenant};

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md"))
        .unwrap()
}

#[test]
fn the_examples_of_the_page_load_together_without_a_problem() {
    let page = page();
    let blocks = page.split("```yaml\n").skip(1).map(|block| block.split("```").next().unwrap());
    // The first one shows the form of a document; the tenant comes again, complete.
    let text = blocks.skip(1).collect::<Vec<_>>().join("---\n");
    let folder = Folder::new(&[("page.yaml", text)]);
    let loaded = load(folder.0.path()).unwrap();
    assert_eq!(*loaded.problems, []);
    let acme = loaded.resources.tenants.values().next().unwrap();
    assert_eq!((acme.rules.len(), acme.storage_targets.len(), acme.journal_targets.len()), (2, 2, 2));
    assert_eq!((acme.announcements.len(), acme.tenant.api.tokens.len()), (1, 1));
}

#[test]
fn the_page_names_every_field_there_is() {
    let page = page();
    let sections: Vec<&str> = page.split("\n## ").collect();
    // A field that cannot be known, put at every place where there are fields.
    for (kind, path, spec) in [
        ("Tenant", "", "{x: 1}"),
        ("Tenant", "sip.", "{sip: {x: 1}}"),
        ("Tenant", "numbers.", "{numbers: {x: 1}}"),
        ("Tenant", "api.", "{api: {x: 1}}"),
        ("Tenant", "evidence.", "{evidence: {x: 1}}"),
        ("Tenant", "evidence.timeStamps.", "{evidence: {timeStamps: {x: 1}}}"),
        ("Tenant", "evidence.witnesses.", "{evidence: {witnesses: {x: 1}}}"),
        ("Tenant", "evidence.witnesses.members[].", "{evidence: {witnesses: {members: [{x: 1}]}}}"),
        ("Tenant", "notifications.", "{notifications: {x: 1}}"),
        ("Tenant", "notifications.email.", "{notifications: {email: {x: 1}}}"),
        ("Directory", "", "{x: 1}"),
        ("Directory", "users.*.", "{users: {a: {x: 1}}}"),
        ("Directory", "groups.*.", "{groups: {a: {x: 1}}}"),
        ("ExceptionList", "", "{x: 1}"),
        ("ExceptionList", "entries[].", "{entries: [{x: 1}]}"),
        ("Announcement", "", "{x: 1}"),
        ("RecordingRule", "", "{x: 1}"),
        ("RecordingRule", "scope.", "{scope: {x: 1}}"),
        ("RecordingRule", "announcements.", "{announcements: {x: 1}}"),
        ("RecordingRule", "consent.", "{consent: {x: 1}}"),
        ("RecordingRule", "consent.announcements.", "{consent: {announcements: {x: 1}}}"),
        ("RecordingRule", "manualRecording.", "{manualRecording: {x: 1}}"),
        ("RecordingRule", "retention.", "{retention: {x: 1}}"),
        ("StorageTarget", "", "{x: 1}"),
        ("StorageTarget", "transfer.", "{transfer: {x: 1}}"),
        ("StorageTarget", "folder.", "{folder: {x: 1}}"),
        ("StorageTarget", "sftp.", "{sftp: {x: 1}}"),
        ("StorageTarget", "sftp.tunnel.", "{sftp: {tunnel: {x: 1}}}"),
        ("StorageTarget", "smb.", "{smb: {x: 1}}"),
        ("StorageTarget", "s3.", "{s3: {x: 1}}"),
        ("StorageTarget", "s3.lock.", "{s3: {lock: {x: 1}}}"),
        ("StorageTarget", "azureBlob.", "{azureBlob: {x: 1}}"),
        ("StorageTarget", "gcs.", "{gcs: {x: 1}}"),
        ("StorageTarget", "oneDrive.", "{oneDrive: {x: 1}}"),
        ("StorageTarget", "oneDrive.login.", "{oneDrive: {login: {x: 1}}}"),
        ("StorageTarget", "oneDrive.login.app.", "{oneDrive: {login: {app: {x: 1}}}}"),
        (
            "StorageTarget",
            "oneDrive.login.app.managedIdentity.",
            "{oneDrive: {login: {app: {managedIdentity: {x: 1}}}}}",
        ),
        ("StorageTarget", "oneDrive.login.user.", "{oneDrive: {login: {user: {x: 1}}}}"),
        ("StorageTarget", "oneDrive.drive.", "{oneDrive: {login: {}, drive: {x: 1}}}"),
        ("StorageTarget", "email.", "{email: {x: 1}}"),
        ("StorageTarget", "email.smtp.", "{email: {to: [], from: a, smtp: {x: 1}}}"),
        ("StorageTarget", "script.", "{script: {x: 1}}"),
        ("JournalTarget", "", "{x: 1}"),
        ("JournalTarget", "sqlite.", "{sqlite: {x: 1}}"),
        ("JournalTarget", "postgres.", "{postgres: {x: 1}}"),
        ("JournalTarget", "mysql.", "{mysql: {x: 1}}"),
        ("JournalTarget", "sqlServer.", "{sqlServer: {x: 1}}"),
        ("JournalTarget", "derby.", "{derby: {x: 1}}"),
    ] {
        let folder = Folder::new(&[("a.yaml", tenant("acme")), ("b.yaml", document(kind, "name: b", spec))]);
        let problems = load(folder.0.path()).unwrap().problems;
        let known =
            problems.iter().find_map(|problem| problem.reason.split_once("known are ")).unwrap().1.to_owned();
        let section = sections.iter().find(|section| section.starts_with(&format!("{kind}\n"))).unwrap();
        for field in known.split(", ") {
            // Of fields that hold others the others are named.
            let named = [format!("`{path}{field}`"), format!("`{path}{field}.")];
            assert!(
                named.iter().any(|name| section.contains(name.as_str())),
                "{kind}: {path}{field} in {known}"
            );
        }
    }
}
