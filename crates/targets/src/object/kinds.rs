//! Opens the stores of the kinds.

use std::{sync::Arc, time::Duration};

use domain::resources::{AzureBlobAccess, AzureBlobTarget, GcsTarget, S3Target};
use object_store::{
    BackoffConfig, RetryConfig,
    aws::{AmazonS3Builder, Checksum, S3ConditionalPut},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    client::HttpConnector as _,
    gcp::GoogleCloudStorageBuilder,
};

use super::{
    Bucket, Kind, Store,
    line::{self, Line, Signer},
    session::Sessions,
};
use crate::{ErrorKind, TargetError};

/// A request that broke is tried again at once; all else is up to whoever ships.
fn retry() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries: 2, retry_timeout: Duration::from_secs(60) }
}

fn is_plain(endpoint: Option<&String>) -> bool {
    endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"))
}

/// The bucket of an S3 target.
pub(super) fn s3(target: &S3Target) -> Result<Bucket, TargetError> {
    let place = format!("the bucket {}", target.bucket);
    let line = Line::default();
    // Given keys count alone; else all that the environment has.
    let mut builder = match &target.keys {
        Some((id, secret)) => {
            AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret.expose())
        }
        None => AmazonS3Builder::from_env(),
    };
    if let Some(region) = &target.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &target.endpoint {
        let endpoint = match endpoint.split_once("://") {
            Some((scheme, host)) if !target.path_style => format!("{scheme}://{}.{host}", target.bucket),
            _ => endpoint.clone(),
        };
        builder = builder.with_endpoint(endpoint);
    }
    let region = builder.get_config_value(&object_store::aws::AmazonS3ConfigKey::Region);
    let store = builder
        .with_bucket_name(&target.bucket)
        .with_virtual_hosted_style_request(!target.path_style)
        .with_checksum_algorithm(Checksum::SHA256)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_disable_bulk_delete(true)
        .with_retry(retry())
        .with_client_options(line::options(is_plain(target.endpoint.as_ref())))
        .with_http_connector(line.clone())
        .build()
        .map_err(|error| unusable(&place, error))?;
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    line.signed_by(Signer::Aws { credentials: Arc::clone(store.credentials()), region });
    let kind = Kind::S3 { lock: target.lock };
    let store = Arc::new(store) as Arc<dyn Store>;
    Ok(Bucket {
        store,
        prefix: target.prefix.clone(),
        place,
        kind,
        looks_first: target.endpoint.is_some(),
        sessions: None,
    })
}

/// The container of an Azure Blob target.
pub(super) fn azure_blob(target: &AzureBlobTarget) -> Result<Bucket, TargetError> {
    let place = format!("the container {} of {}", target.container, target.account);
    let line = Line::default();
    let mut builder = match &target.access {
        AzureBlobAccess::Key(key) => MicrosoftAzureBuilder::new().with_access_key(key.expose()),
        AzureBlobAccess::Sas(sas) => MicrosoftAzureBuilder::new()
            .with_config(AzureConfigKey::SasKey, sas.expose().trim_start_matches('?')),
        AzureBlobAccess::WorkloadIdentity => MicrosoftAzureBuilder::from_env(),
    };
    if let Some(endpoint) = &target.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    let store = builder
        .with_account(&target.account)
        .with_container_name(&target.container)
        .with_retry(retry())
        .with_client_options(line::options(is_plain(target.endpoint.as_ref())))
        .with_http_connector(line.clone())
        .build()
        .map_err(|error| unusable(&place, error))?;
    let credentials = Arc::clone(store.credentials());
    line.signed_by(Signer::Azure { credentials, account: target.account.clone() });
    let kind = Kind::AzureBlob { lock: target.lock };
    let store = Arc::new(store) as Arc<dyn Store>;
    Ok(Bucket { store, prefix: target.prefix.clone(), place, kind, looks_first: false, sessions: None })
}

/// The bucket of a GCS target.
pub(super) fn gcs(target: &GcsTarget) -> Result<Bucket, TargetError> {
    let place = format!("the bucket {}", target.bucket);
    let endpoint = target.endpoint.as_deref().unwrap_or("https://storage.googleapis.com");
    let line = Line::to(endpoint);
    let options = line::options(is_plain(target.endpoint.as_ref()));
    // A given key counts alone; else what the environment, the pod or the machine has.
    let builder = match &target.service_account_key {
        Some(key) => GoogleCloudStorageBuilder::new().with_service_account_key(key.expose()),
        None => GoogleCloudStorageBuilder::from_env(),
    };
    let store = builder
        .with_bucket_name(&target.bucket)
        .with_base_url(endpoint)
        .with_retry(retry())
        .with_client_options(options.clone())
        .with_http_connector(line.clone())
        .build()
        .map_err(|error| unusable(&place, error))?;
    let client = line.connect(&options).map_err(|error| unusable(&place, error))?;
    let credentials = Arc::clone(store.credentials());
    let sessions = Sessions { client, credentials, bucket: format!("{endpoint}/{}", target.bucket) };
    let (store, kind) = (Arc::new(store) as Arc<dyn Store>, Kind::Gcs);
    Ok(Bucket {
        store,
        prefix: target.prefix.clone(),
        place,
        kind,
        looks_first: false,
        sessions: Some(sessions),
    })
}

/// No object's name is known yet, so the error may be shown.
fn unusable(place: &str, error: object_store::Error) -> TargetError {
    let text = format!("{place} cannot be used as it is described; check key, region and endpoint");
    TargetError::new(ErrorKind::Incomplete, text).caused_by(error)
}
