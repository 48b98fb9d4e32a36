//! Configuration texts for tests.

use std::path::Path;

/// One tenant `acme`; one rule that records every call by legal duty; a folder target `archive` and a
/// SQLite journal `main` under `dir`.
pub fn record_everything(dir: &Path) -> String {
    with_targets(&dir.join("archive"), &dir.join("journal.sqlite"), "archive", "main", "")
}

/// The same, with other names in the rule and further resources behind it.
pub fn with_targets(archive: &Path, journal: &Path, targets: &str, journals: &str, further: &str) -> String {
    format!(
        r#"apiVersion: callseal.io/v1alpha1
kind: Tenant
metadata: {{name: acme}}
spec: {{country: DE, timeZone: Europe/Berlin, whenUndecided: record}}
---
apiVersion: callseal.io/v1alpha1
kind: RecordingRule
metadata: {{name: everything, namespace: acme}}
spec:
  order: 10
  profile: legalDuty
  scope: all
  directions: [in, out, internal]
  channels: stereo
  targets: [{targets}]
  journals: [{journals}]
---
apiVersion: callseal.io/v1alpha1
kind: StorageTarget
metadata: {{name: archive, namespace: acme}}
spec: {{subFolder: "$Y/$M", folder: {{path: "{}"}}}}
---
apiVersion: callseal.io/v1alpha1
kind: JournalTarget
metadata: {{name: main, namespace: acme}}
spec: {{createTable: true, sqlite: {{path: "{}"}}}}
{further}"#,
        archive.display(),
        journal.display()
    )
}
