//! Configuration texts for tests.

use std::path::Path;

use crate::{postgres::Postgres, sshd::Sshd};

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

/// An SFTP target `vault`, pinned to `host_key`, in the folder `recordings` of the server, and a PostgreSQL
/// journal `register`, with their secrets.
///
/// # Errors
/// The user who runs the test has no name.
pub fn sftp_and_postgres(sshd: &Sshd, host_key: &str, postgres: &Postgres) -> anyhow::Result<String> {
    let (user, port) = (sshd.user()?, sshd.port());
    let key = sshd.client_key()?;
    let key = key.lines().map(|line| format!("    {line}\n")).collect::<String>();
    Ok(format!(
        r#"---
apiVersion: callseal.io/v1alpha1
kind: Secret
metadata: {{name: access, namespace: acme}}
stringData:
  database: {password}
  key: |
{key}
---
apiVersion: callseal.io/v1alpha1
kind: StorageTarget
metadata: {{name: vault, namespace: acme}}
spec:
  subFolder: "$Y/$M/$D"
  sftp:
    host: 127.0.0.1
    port: {port}
    user: {user}
    path: {path}
    hostKeys: ["{host_key}"]
    privateKey: {{secretRef: {{name: access, key: key}}}}
---
apiVersion: callseal.io/v1alpha1
kind: JournalTarget
metadata: {{name: register, namespace: acme}}
spec:
  createTable: true
  postgres:
    host: 127.0.0.1
    port: {database_port}
    database: {database}
    user: {database_user}
    password: {{secretRef: {{name: access, key: database}}}}
    tls: disable
"#,
        password = Postgres::PASSWORD,
        path = sshd.home().join("recordings").display(),
        database_port = postgres.port(),
        database = Postgres::DATABASE,
        database_user = Postgres::USER,
    ))
}
