//! What is configured in these tests.

use std::{fmt::Write as _, fs, path::Path};

/// The token of the tenant's API.
pub const TOKEN: &str = "0123456789abcdef-acme";

/// A tenant `acme` with these users (name, number), a folder target `archive` and another one `private`
/// below `dir`, and a journal; `spec` stands in the Tenant.
pub fn acme(dir: &Path, spec: &str, users: &[(&str, &str)]) -> String {
    let mut text = format!(
        r#"apiVersion: callseal.io/v1alpha1
kind: Tenant
metadata: {{name: acme}}
spec:
  country: DE
  timeZone: Europe/Berlin
  api: {{tokens: [{{secretRef: {{name: api, key: token}}}}]}}
{spec}
---
apiVersion: callseal.io/v1alpha1
kind: Secret
metadata: {{name: api, namespace: acme}}
stringData: {{token: {TOKEN}}}
---
apiVersion: callseal.io/v1alpha1
kind: StorageTarget
metadata: {{name: archive, namespace: acme}}
spec: {{folder: {{path: "{archive}"}}}}
---
apiVersion: callseal.io/v1alpha1
kind: StorageTarget
metadata: {{name: private, namespace: acme}}
spec: {{folder: {{path: "{private}"}}}}
---
apiVersion: callseal.io/v1alpha1
kind: JournalTarget
metadata: {{name: main, namespace: acme}}
spec: {{createTable: true, sqlite: {{path: "{journal}"}}}}
---
apiVersion: callseal.io/v1alpha1
kind: Directory
metadata: {{name: staff, namespace: acme}}
spec:
  groups: {{desk: {{numbers: ["500"], members: [dora]}}}}
  users:
    dora: {{identities: ["20"]}}
"#,
        archive = dir.join("archive").display(),
        private = dir.join("private").display(),
        journal = dir.join("journal.sqlite").display(),
    );
    for (name, number) in users {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    {name}: {{identities: [\"{number}\"]}}");
    }
    text
}

/// A rule of `acme` of this name; `spec` is the rest of it, in YAML's short form.
pub fn rule(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: callseal.io/v1alpha1\nkind: RecordingRule\n\
         metadata: {{name: {name}, namespace: acme}}\nspec: {{{spec}, journals: [main]}}\n"
    )
}

/// A rule that asks those who call `user`.
pub fn asking(name: &str, user: &str, announcement: &str, consent: &str) -> String {
    let spec = format!(
        "profile: consent, scope: {{users: [{user}]}}, directions: [in], targets: [archive], \
         announcements: {{inbound: {announcement}}}, consent: {{{consent}}}"
    );
    rule(name, &spec)
}

/// An announcement of `acme`, whose file is put beside the resources.
pub fn announcement(dir: &Path, name: &str, wav: &[u8]) -> String {
    let config = dir.join("config");
    fs::create_dir_all(&config).expect("a folder of the test's own");
    fs::write(config.join(format!("{name}.wav")), wav).expect("a file of the test's own");
    format!(
        "---\napiVersion: callseal.io/v1alpha1\nkind: Announcement\n\
         metadata: {{name: {name}, namespace: acme}}\nspec: {{file: {name}.wav}}\n"
    )
}
