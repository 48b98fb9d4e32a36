//! A container of Azure Blob Storage.

use serde::Deserialize;

use super::{endpoint, prefix};
use crate::{
    Sensitive,
    resources::{FieldPath, SecretValueSpec, Secrets, field::Findings},
};

/// A container of Azure Blob Storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureBlobTarget {
    /// Name of the storage account.
    pub account: String,
    /// Name of the container.
    pub container: String,
    /// What stands before the names of all blobs, levels separated by `/`; empty: nothing.
    pub prefix: String,
    /// Address of the account's blob service; `None`: Azure's own.
    pub endpoint: Option<String>,
    /// How the account lets us in.
    pub access: AzureBlobAccess,
    /// Whether blobs are locked until their retention ends.
    pub lock: bool,
}

/// How a storage account lets us in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AzureBlobAccess {
    /// By a key of the account, which opens all of it.
    Key(Sensitive<String>),
    /// By a shared access signature: the part after `?`.
    Sas(Sensitive<String>),
    /// By the token of a Kubernetes service account, as `AZURE_CLIENT_ID`, `AZURE_TENANT_ID` and
    /// `AZURE_FEDERATED_TOKEN_FILE` say.
    WorkloadIdentity,
}

/// The raw form of an [`AzureBlobTarget`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AzureBlobSpec {
    /// Name of the storage account.
    pub account: String,
    /// Name of the container.
    pub container: String,
    /// What stands before the names of all blobs.
    pub prefix: String,
    /// Address of the account's blob service.
    pub endpoint: Option<String>,
    /// Where a key of the account lies.
    pub access_key: Option<SecretValueSpec>,
    /// Where a shared access signature lies.
    pub sas_token: Option<SecretValueSpec>,
    /// True: by the token of the service account.
    pub workload_identity: bool,
    /// True: blobs are locked until their retention ends.
    pub lock: bool,
}

impl AzureBlobSpec {
    pub(in super::super) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<AzureBlobTarget> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if !(3..=24).contains(&self.account.len()) || !self.account.bytes().all(plain) {
            findings
                .add(path.key("account"), "must be the name of a storage account: 3 to 24 of a-z and 0-9");
        }
        let good = (3..=63).contains(&self.container.len())
            && self.container.bytes().all(|b| plain(b) || b == b'-')
            && !self.container.starts_with('-');
        if !good {
            let reason = "must be the name of a container: 3 to 63 of a-z, 0-9 and -";
            findings.add(path.key("container"), reason);
        }
        let prefix = prefix(&self.prefix, &path.key("prefix"), findings);
        let endpoint = endpoint(self.endpoint.as_deref(), &path.key("endpoint"), findings);
        let access = match (&self.access_key, &self.sas_token, self.workload_identity) {
            (Some(key), None, false) => {
                AzureBlobAccess::Key(secrets.resolve(key, &path.key("accessKey"), findings)?)
            }
            (None, Some(sas), false) => {
                AzureBlobAccess::Sas(secrets.resolve(sas, &path.key("sasToken"), findings)?)
            }
            (None, None, true) => AzureBlobAccess::WorkloadIdentity,
            _ => {
                let reason = "must have exactly one of accessKey, sasToken, workloadIdentity";
                findings.add(path.clone(), reason);
                return None;
            }
        };
        Some(AzureBlobTarget {
            account: self.account.clone(),
            container: self.container.clone(),
            prefix,
            endpoint,
            access,
            lock: self.lock,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::StorageTargetSpec;

    #[test]
    fn what_is_wrong_is_named_where_it_stands() {
        let wrong = AzureBlobSpec {
            account: "Acme_Archive".into(),
            container: "-calls".into(),
            ..AzureBlobSpec::default()
        };
        let spec = StorageTargetSpec { azure_blob: Some(wrong), ..StorageTargetSpec::default() };
        let errors = spec.validate("archive".parse().unwrap(), &Secrets::default()).unwrap_err();
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "spec.azureBlob.account: must be the name of a storage account: 3 to 24 of a-z and 0-9",
                "spec.azureBlob.container: must be the name of a container: 3 to 63 of a-z, 0-9 and -",
                "spec.azureBlob: must have exactly one of accessKey, sasToken, workloadIdentity",
            ]
        );
    }
}
