//! From the settings to a client.

use std::{fs, path::Path, sync::Arc};

use aws_config::{
    BehaviorVersion, Region, profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig,
    retry::RetryConfig,
};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_kms::{Client, config::SharedHttpClient};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

use super::{kms::Kms, options::AwsOptions};
use crate::cloud::{CloudError, KeyService, wait_for};

/// The KMS of these options. Asks nothing of it yet.
pub(crate) fn connect(options: &AwsOptions, ca: Option<&Path>) -> Result<Arc<dyn KeyService>, CloudError> {
    let http = http_client(ca)?;
    let options = options.clone();
    let failed = |error: std::io::Error| CloudError::Setting(error.to_string());
    let config = wait_for(async move { load(&options, http).await }).map_err(failed)?;
    let Some(region) = config.region().map(ToString::to_string) else {
        return Err(CloudError::Setting("give --aws-region, the region of the keys".to_owned()));
    };
    Ok(Arc::new(Kms::new(Client::new(&config), format!("AWS KMS in {region}"))))
}

async fn load(options: &AwsOptions, http: SharedHttpClient) -> aws_config::SdkConfig {
    // Nothing is repeated below Patience: it knows which wait is still worth it.
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .retry_config(RetryConfig::disabled());
    if let Some(region) = &options.aws_region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &options.aws_endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(profile) = &options.aws_profile {
        loader = loader.profile_name(profile);
    }
    if let Some(file) = &options.aws_credentials_file {
        let files = EnvConfigFiles::builder()
            .with_file(EnvConfigFileKind::Credentials, file)
            .include_default_config_file(true)
            .build();
        // Roles that the file names are asked for over the same TLS.
        let region = options.aws_region.clone().map(Region::new);
        let with = ProviderConfig::without_region().with_http_client(http).with_region(region);
        let mut credentials = ProfileFileCredentialsProvider::builder().configure(&with).profile_files(files);
        if let Some(profile) = &options.aws_profile {
            credentials = credentials.profile_name(profile);
        }
        loader = loader.credentials_provider(credentials.build());
    }
    loader.load().await
}

/// TLS by ring, and the CAs of the system.
fn http_client(ca: Option<&Path>) -> Result<SharedHttpClient, CloudError> {
    let mut trusted = TrustStore::default();
    if let Some(file) = ca {
        trusted
            .add_pem_certificate(fs::read(file).map_err(|error| CloudError::File(file.to_owned(), error))?);
    }
    let context = TlsContext::builder().with_trust_store(trusted).build();
    let context = context.map_err(|error| CloudError::Setting(error.to_string()))?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https())
}
