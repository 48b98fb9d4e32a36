//! An app registration: by secret, by certificate, or by the token of a service account.

use std::{env, path::PathBuf};

use domain::{
    Sensitive,
    resources::{AppLogin, Cloud},
};
use reqwest::Client;

use super::{
    AccessToken, Certificate,
    endpoint::{DOING, Endpoint},
};
use crate::{ErrorKind, TargetError};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(super) struct App {
    endpoint: Endpoint,
    client_id: String,
    proof: Proof,
}

/// How an app proves that it is the one.
enum Proof {
    Secret(Sensitive<String>),
    Certificate(Box<Certificate>),
    /// A file that Kubernetes renews.
    ServiceAccount(PathBuf),
}

impl App {
    pub(super) fn new(login: &AppLogin, cloud: Cloud, http: Client) -> Result<Self, TargetError> {
        let (tenant_id, client_id, proof) = match login.clone() {
            AppLogin::Secret { tenant_id, client_id, secret } => {
                (tenant_id, client_id, Proof::Secret(secret))
            }
            AppLogin::Certificate { tenant_id, client_id, pem } => {
                let certificate = Certificate::from_pem(pem.expose())?;
                (tenant_id, client_id, Proof::Certificate(Box::new(certificate)))
            }
            AppLogin::WorkloadIdentity { tenant_id, client_id } => (
                given(tenant_id, "AZURE_TENANT_ID")?,
                given(client_id, "AZURE_CLIENT_ID")?,
                Proof::ServiceAccount(given(None, "AZURE_FEDERATED_TOKEN_FILE")?.into()),
            ),
            AppLogin::ManagedIdentity { .. } => unreachable!("the machine signs in for itself"),
        };
        Ok(Self { endpoint: Endpoint { http, cloud, tenant_id }, client_id, proof })
    }

    pub(super) async fn token(&self) -> Result<AccessToken, TargetError> {
        let scope = self.endpoint.default_scope();
        let assertion = match &self.proof {
            Proof::Secret(_) => None,
            Proof::Certificate(certificate) => {
                Some(certificate.assertion(&self.client_id, self.endpoint.url("token").as_str())?)
            }
            Proof::ServiceAccount(file) => Some(tokio::fs::read_to_string(file).await.map_err(|error| {
                let text = format!("{DOING}: the token of the service account cannot be read");
                TargetError::new(ErrorKind::Incomplete, text).caused_by(error)
            })?),
        };
        let mut form =
            vec![("grant_type", "client_credentials"), ("client_id", &self.client_id), ("scope", &scope)];
        match (&self.proof, &assertion) {
            (Proof::Secret(secret), _) => form.push(("client_secret", secret.expose())),
            (_, assertion) => {
                let assertion = assertion.as_deref().unwrap_or_default().trim();
                form.extend([("client_assertion_type", ASSERTION), ("client_assertion", assertion)]);
            }
        }
        Ok(self.endpoint.token(&form).await.map_err(super::endpoint::Refused::of_app)?.access_token())
    }

    pub(super) fn certificate(&self) -> Option<&Certificate> {
        match &self.proof {
            Proof::Certificate(certificate) => Some(certificate),
            _ => None,
        }
    }

    /// Application id, and as much of the secret as the portal shows of it.
    pub(super) fn secret(&self) -> Option<(&str, &str)> {
        match &self.proof {
            Proof::Secret(secret) => Some((&self.client_id, secret.expose().get(..3)?)),
            _ => None,
        }
    }
}

fn given(value: Option<String>, variable: &str) -> Result<String, TargetError> {
    let found = value.or_else(|| env::var(variable).ok()).filter(|value| !value.is_empty());
    found.ok_or_else(|| {
        let text = format!(
            "{DOING}: {variable} is not set; does the pod run under a service account with workload identity?"
        );
        TargetError::new(ErrorKind::Incomplete, text)
    })
}
