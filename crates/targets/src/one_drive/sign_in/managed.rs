//! The identity of the machine in Azure: asked of the machine's own metadata service.

use std::{sync::Arc, time::Duration};

use azure_core::{
    credentials::TokenCredential as _,
    error::ErrorKind as AzureErrorKind,
    http::{ClientOptions, RetryOptions, Transport},
};
use azure_identity::{ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId};
use domain::resources::Cloud;
use jiff::Timestamp;

use super::{AccessToken, endpoint::DOING};
use crate::{ErrorKind, TargetError, one_drive::http};

pub(super) struct Managed {
    cloud: Cloud,
    client_id: Option<String>,
}

impl Managed {
    pub(super) const fn new(cloud: Cloud, client_id: Option<String>) -> Self {
        Self { cloud, client_id }
    }

    pub(super) async fn token(&self) -> Result<AccessToken, TargetError> {
        // The metadata service answers on the machine itself; no proxy reaches it.
        let http = http::builder().no_proxy().build().map_err(http::unusable)?;
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: self.client_id.clone().map(UserAssignedId::ClientId),
            client_options: ClientOptions {
                retry: RetryOptions::none(),
                transport: Some(Transport::new(Arc::new(http))),
                ..ClientOptions::default()
            },
        };
        // Made anew each time: it keeps tokens, and one is asked for when that is of no use any more.
        let credential = ManagedIdentityCredential::new(Some(options)).map_err(refused)?;
        let scope = format!("https://{}/.default", self.cloud.graph_host());
        let token = credential.get_token(&[&scope], None).await.map_err(refused)?;
        let ends = Timestamp::from_second(token.expires_on.unix_timestamp()).unwrap_or(Timestamp::MAX);
        let lasts = ends.duration_since(Timestamp::now()).try_into().unwrap_or(Duration::ZERO);
        Ok(AccessToken::new(token.token.secret().to_owned(), lasts))
    }
}

fn refused(error: azure_core::Error) -> TargetError {
    let below = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let away = below
        .filter_map(|error| error.downcast_ref::<azure_core::Error>())
        .any(|error| matches!(error.kind(), AzureErrorKind::Connection | AzureErrorKind::Io));
    let (kind, advice) = if away {
        (ErrorKind::Unreachable, "the metadata service does not answer; does this run on a machine in Azure?")
    } else {
        (ErrorKind::LoginRefused, "the machine gives no token; has it an identity, and this one?")
    };
    TargetError::new(kind, format!("{DOING}: {advice}")).caused_by(error)
}
