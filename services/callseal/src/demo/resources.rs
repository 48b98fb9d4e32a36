//! The demo's configuration: one tenant, one rule, a folder and a SQLite journal.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// Whose call it is.
pub const TENANT: &str = "demo";

/// The rule's name, shown in the progress lines.
pub const RULE: &str = "advisory-calls";

/// The number of the adviser whose calls are recorded.
pub const ADVISER: &str = "+4989999000022";

/// Writes `<data>/config/demo.yaml` and returns the folder to read.
pub fn write(data: &Path) -> anyhow::Result<PathBuf> {
    let config = data.join("config");
    fs::create_dir_all(&config).with_context(|| format!("{} cannot be made", config.display()))?;
    let text = format!(
        r#"apiVersion: callseal.io/v1alpha1
kind: Tenant
metadata: {{name: {TENANT}}}
spec: {{country: DE, timeZone: Europe/Berlin, whenUndecided: record}}
---
apiVersion: callseal.io/v1alpha1
kind: Directory
metadata: {{name: people, namespace: {TENANT}}}
spec:
  users:
    adviser: {{identities: ["{ADVISER}", "22"]}}
---
apiVersion: callseal.io/v1alpha1
kind: RecordingRule
metadata: {{name: {RULE}, namespace: {TENANT}}}
spec:
  order: 10
  profile: legalDuty
  scope: {{users: [adviser]}}
  directions: [in, out]
  channels: stereo
  targets: [archive]
  journals: [journal]
---
apiVersion: callseal.io/v1alpha1
kind: StorageTarget
metadata: {{name: archive, namespace: {TENANT}}}
spec: {{subFolder: "$Y/$M/$D", folder: {{path: archive}}}}
---
apiVersion: callseal.io/v1alpha1
kind: JournalTarget
metadata: {{name: journal, namespace: {TENANT}}}
spec: {{createTable: true, sqlite: {{path: journal.sqlite}}}}
"#
    );
    fs::write(config.join("demo.yaml"), text).context("the demo's configuration cannot be written")?;
    Ok(config)
}
