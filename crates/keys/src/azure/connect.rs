//! From the settings to a client that is signed in when it has to be.

use std::{env, fs, path::Path, sync::Arc};

use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::{Secret, TokenCredential},
    http::{ClientOptions, HttpClient, RetryOptions, Transport, Url},
};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};

use super::{
    options::{AzureOptions, SECRET_VARIABLE},
    vault::KeyVault,
};
use crate::cloud::{CloudError, KeyService};

/// The vault of these options. Asks nothing of it yet.
pub(crate) fn connect(options: &AzureOptions, ca: Option<&Path>) -> Result<Arc<dyn KeyService>, CloudError> {
    let setting = |why: String| CloudError::Setting(why);
    let url = options.azure_key_vault.as_deref();
    let url = url.ok_or_else(|| setting("give --azure-key-vault, the URL of the vault".to_owned()))?;
    let address: Url = url.parse().map_err(|_| setting(format!("'{url}' is no URL of a key vault")))?;
    let host = match (address.scheme(), address.host_str()) {
        ("https", Some(host)) => host.to_owned(),
        _ => return Err(setting(format!("'{url}' is no https:// URL of a key vault"))),
    };
    let transport: Arc<dyn HttpClient> = Arc::new(http_client(ca)?);
    // A challenge names the domain that the token is for; the vault has to lie in it, so that no other
    // server gets a token for it. An IP address lies in no domain; Azure itself is never reached by one.
    let client_options = KeyClientOptions {
        client_options: once(&transport, None),
        verify_challenge_resource: Some(address.domain().is_some()),
        ..KeyClientOptions::default()
    };
    let client = KeyClient::new(url, credential(options, &transport)?, Some(client_options));
    let client = client.map_err(|error| setting(error.to_string()))?;
    Ok(Arc::new(KeyVault::new(client, format!("the key vault {host}"), options.azure_software_keys)))
}

/// Nothing is repeated below [`Patience`](crate::cloud): it knows which wait is still worth it.
fn once(transport: &Arc<dyn HttpClient>, authority: Option<&str>) -> ClientOptions {
    let custom = |host: &str| {
        let mut custom = CustomConfiguration::default();
        custom.authority_host = host.to_owned();
        Arc::new(CloudConfiguration::Custom(custom))
    };
    ClientOptions {
        retry: RetryOptions::none(),
        transport: Some(Transport::new(transport.clone())),
        cloud: authority.map(custom),
        ..ClientOptions::default()
    }
}

fn credential(
    options: &AzureOptions,
    transport: &Arc<dyn HttpClient>,
) -> Result<Arc<dyn TokenCredential>, CloudError> {
    let setting = |error: azure_core::Error| CloudError::Setting(error.to_string());
    let need = |value: &Option<String>, name: &str| {
        value
            .clone()
            .ok_or_else(|| CloudError::Setting(format!("give {name}, or run where there is an identity")))
    };
    let tenant = || need(&options.azure_tenant_id, "--azure-tenant-id");
    let client = || need(&options.azure_client_id, "--azure-client-id");
    let client_options = once(transport, options.azure_authority_host.as_deref());
    if let Some(secret) = secret(options)? {
        let options = ClientSecretCredentialOptions { client_options };
        let credential = ClientSecretCredential::new(&tenant()?, client()?, secret, Some(options));
        return Ok(credential.map_err(setting)?);
    }
    if let Some(file) = &options.azure_federated_token_file {
        let options = WorkloadIdentityCredentialOptions {
            credential_options: ClientAssertionCredentialOptions { client_options },
            client_id: Some(client()?),
            tenant_id: Some(tenant()?),
            token_file_path: Some(file.clone()),
        };
        return Ok(WorkloadIdentityCredential::new(Some(options)).map_err(setting)?);
    }
    let user_assigned_id = options.azure_client_id.clone().map(UserAssignedId::ClientId);
    let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
    Ok(ManagedIdentityCredential::new(Some(options)).map_err(setting)?)
}

fn secret(options: &AzureOptions) -> Result<Option<Secret>, CloudError> {
    let Some(file) = &options.azure_client_secret_file else {
        return Ok(env::var(SECRET_VARIABLE).ok().filter(|secret| !secret.is_empty()).map(Secret::new));
    };
    let text = fs::read_to_string(file).map_err(|error| CloudError::File(file.clone(), error))?;
    match text.trim_end() {
        "" => Err(CloudError::FileUnusable { file: file.clone(), why: "it holds no secret".to_owned() }),
        secret => Ok(Some(Secret::new(secret.to_owned()))),
    }
}

/// TLS by ring. Redirects are not followed: a key vault sends none, and a token is not for others.
fn http_client(ca: Option<&Path>) -> Result<reqwest::Client, CloudError> {
    // Whoever was first has installed one already; then it is that.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    if let Some(file) = ca {
        let text = fs::read(file).map_err(|error| CloudError::File(file.to_owned(), error))?;
        let unusable = |error: reqwest::Error| CloudError::FileUnusable {
            file: file.to_owned(),
            why: error.to_string(),
        };
        builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&text).map_err(unusable)?);
    }
    builder.build().map_err(|error| {
        CloudError::Setting(format!("TLS cannot be set up, are the system's CA certificates there? {error}"))
    })
}
