//! Who signs in to Microsoft.

use serde::Deserialize;

use crate::{
    Sensitive,
    resources::{FieldPath, SecretValueSpec, Secrets, field::Findings, journal_target::required},
};

/// Who signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MicrosoftLogin {
    /// An app, with its own rights.
    App(AppLogin),
    /// A user, whose login somebody has made by `callseal login`.
    User(UserLogin),
}

/// An app registration, by how it proves that it is the one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppLogin {
    /// By a client secret.
    Secret {
        /// Directory: id or domain.
        tenant_id: String,
        /// Application id.
        client_id: String,
        /// The secret's value.
        secret: Sensitive<String>,
    },
    /// By a certificate.
    Certificate {
        /// Directory: id or domain.
        tenant_id: String,
        /// Application id.
        client_id: String,
        /// Certificate and RSA private key as PEM.
        pem: Sensitive<String>,
    },
    /// By the token of a Kubernetes service account, whose file `AZURE_FEDERATED_TOKEN_FILE` names.
    WorkloadIdentity {
        /// Directory; `None`: `AZURE_TENANT_ID`.
        tenant_id: Option<String>,
        /// Application id; `None`: `AZURE_CLIENT_ID`.
        client_id: Option<String>,
    },
    /// By the identity of the machine in Azure that Callseal runs on.
    ManagedIdentity {
        /// Client id of a user-assigned identity; `None`: the machine's own.
        client_id: Option<String>,
    },
}

/// A user's login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserLogin {
    /// Directory: id or domain.
    pub tenant_id: String,
    /// Application id of a public client.
    pub client_id: String,
    /// User principal name.
    pub account: Sensitive<String>,
}

/// The raw form of a [`MicrosoftLogin`]: exactly one of the two.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MicrosoftLoginSpec {
    /// An app.
    pub app: Option<AppLoginSpec>,
    /// A user.
    pub user: Option<UserLoginSpec>,
}

/// The raw form of an [`AppLogin`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AppLoginSpec {
    /// Directory: id or domain.
    pub tenant_id: Option<String>,
    /// Application id.
    pub client_id: Option<String>,
    /// Where the client secret lies.
    pub client_secret: Option<SecretValueSpec>,
    /// Where certificate and private key lie.
    pub certificate: Option<SecretValueSpec>,
    /// True: by the token of the service account.
    pub workload_identity: bool,
    /// By the identity of the machine.
    pub managed_identity: Option<ManagedIdentitySpec>,
}

/// Which identity of the machine.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ManagedIdentitySpec {
    /// Client id of a user-assigned identity.
    pub client_id: Option<String>,
}

/// The raw form of a [`UserLogin`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserLoginSpec {
    /// Directory: id or domain.
    pub tenant_id: String,
    /// Application id.
    pub client_id: String,
    /// User principal name.
    pub account: String,
}

impl MicrosoftLoginSpec {
    pub(super) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<MicrosoftLogin> {
        match (&self.app, &self.user) {
            (Some(app), None) => app.validate(&path.key("app"), secrets, findings).map(MicrosoftLogin::App),
            (None, Some(user)) => user.validate(&path.key("user"), findings).map(MicrosoftLogin::User),
            _ => {
                findings.add(path.clone(), "must have exactly one of app and user");
                None
            }
        }
    }
}

impl UserLoginSpec {
    fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Option<UserLogin> {
        let tenant_id = directory(&self.tenant_id, &path.key("tenantId"), findings);
        let client_id = application(&self.client_id, &path.key("clientId"), findings);
        required(&self.account, &path.key("account"), findings);
        Some(UserLogin { tenant_id: tenant_id?, client_id: client_id?, account: self.account.clone().into() })
    }
}

impl AppLoginSpec {
    fn validate(&self, path: &FieldPath, secrets: &Secrets, findings: &mut Findings) -> Option<AppLogin> {
        let ways = [
            self.client_secret.is_some(),
            self.certificate.is_some(),
            self.workload_identity,
            self.managed_identity.is_some(),
        ];
        if ways.iter().filter(|given| **given).count() != 1 {
            let reason =
                "must have exactly one of clientSecret, certificate, workloadIdentity, managedIdentity";
            findings.add(path.clone(), reason);
            return None;
        }
        if let Some(identity) = &self.managed_identity {
            for (key, given) in [("tenantId", &self.tenant_id), ("clientId", &self.client_id)] {
                if given.is_some() {
                    findings.add(path.key(key), "does not go with managedIdentity: it is the machine's");
                }
            }
            let client_path = path.key("managedIdentity").key("clientId");
            let client_id = optional(identity.client_id.as_deref(), &client_path, findings, application)?;
            return Some(AppLogin::ManagedIdentity { client_id });
        }
        let (tenant_path, client_path) = (path.key("tenantId"), path.key("clientId"));
        if self.workload_identity {
            let tenant_id = optional(self.tenant_id.as_deref(), &tenant_path, findings, directory);
            let client_id = optional(self.client_id.as_deref(), &client_path, findings, application);
            return Some(AppLogin::WorkloadIdentity { tenant_id: tenant_id?, client_id: client_id? });
        }
        let tenant_id = directory(self.tenant_id.as_deref().unwrap_or(""), &tenant_path, findings);
        let client_id = application(self.client_id.as_deref().unwrap_or(""), &client_path, findings);
        if let Some(secret) = &self.client_secret {
            let secret = secrets.resolve(secret, &path.key("clientSecret"), findings);
            return Some(AppLogin::Secret { tenant_id: tenant_id?, client_id: client_id?, secret: secret? });
        }
        let path = path.key("certificate");
        let pem = secrets.resolve(self.certificate.as_ref()?, &path, findings)?;
        for part in ["-----BEGIN CERTIFICATE-----", "PRIVATE KEY-----"] {
            if !pem.expose().contains(part) {
                findings.add(path.clone(), "must be PEM that holds the certificate and its private key");
                return None;
            }
        }
        Some(AppLogin::Certificate { tenant_id: tenant_id?, client_id: client_id?, pem })
    }
}

/// Nothing, or what `check` takes; `None` if it does not.
fn optional(
    text: Option<&str>,
    path: &FieldPath,
    findings: &mut Findings,
    check: fn(&str, &FieldPath, &mut Findings) -> Option<String>,
) -> Option<Option<String>> {
    text.map_or(Some(None), |text| check(text, path, findings).map(Some))
}

/// Words such as `common` are none: whose login it is must be certain.
fn directory(text: &str, path: &FieldPath, findings: &mut Findings) -> Option<String> {
    let domain = text.contains('.') && text.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    let good = domain || is_guid(text);
    if !good {
        findings.add(path.clone(), "must be the id or a domain of the directory: contoso.onmicrosoft.com");
    }
    good.then(|| text.to_owned())
}

fn application(text: &str, path: &FieldPath, findings: &mut Findings) -> Option<String> {
    let good = is_guid(text);
    if !good {
        let reason = "must be the Application (client) ID: 00000000-0000-0000-0000-000000000000";
        findings.add(path.clone(), reason);
    }
    good.then(|| text.to_owned())
}

fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.concat().bytes().all(|b| b.is_ascii_hexdigit())
}
