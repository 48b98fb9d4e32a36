//! A user's login: the refresh token that somebody's sign-in has left, and renewing it.
//!
//! Entra ID ends a refresh token that nobody has used for 90 days. Each renewal gives another one,
//! while the old one goes on being good, so several processes may renew the same login.

use std::sync::Arc;

use domain::{
    ResourceName,
    resources::{Cloud, UserLogin},
};
use jiff::{SignedDuration, Timestamp};
use reqwest::Client;

use super::{
    AccessToken, Login, LoginId, LoginStore,
    endpoint::{DOING, Endpoint, Refused, number_text},
};
use crate::{ErrorKind, Expiry, TargetError};

/// How long Entra ID keeps a login that nobody uses.
const IDLE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// A login that nothing was brought by for so long is renewed for its own sake.
const DUE: SignedDuration = SignedDuration::from_hours(24);

pub(super) struct User {
    endpoint: Endpoint,
    client_id: String,
    id: LoginId,
    name: ResourceName,
    logins: Arc<dyn LoginStore>,
}

impl User {
    pub(super) fn new(
        login: &UserLogin,
        cloud: Cloud,
        name: ResourceName,
        http: Client,
        logins: Arc<dyn LoginStore>,
    ) -> Self {
        let endpoint = Endpoint { http, cloud, tenant_id: login.tenant_id.clone() };
        Self { endpoint, client_id: login.client_id.clone(), id: LoginId::of(cloud, login), name, logins }
    }

    pub(super) async fn token(&self) -> Result<AccessToken, TargetError> {
        let mut login = self.login().await?;
        loop {
            let scope = format!("{} offline_access", self.endpoint.default_scope());
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", &self.client_id),
                ("scope", &scope),
                ("refresh_token", login.refresh_token.expose()),
            ];
            match self.endpoint.token(&form).await {
                Ok(granted) => {
                    let refresh_token = granted.refresh_token.clone().map(Into::into);
                    let renewed = Login {
                        refresh_token: refresh_token.unwrap_or_else(|| login.refresh_token.clone()),
                        made: login.made,
                        renewed: Timestamp::now(),
                    };
                    self.logins.renew(&self.id, login.made, &renewed).await?;
                    return Ok(granted.access_token());
                }
                Err(Refused::Fault(fault)) => return Err(fault),
                Err(Refused::Said { error, number }) => {
                    // Perhaps somebody has logged in again in between.
                    let now = self.login().await?;
                    if now.made == login.made {
                        return Err(self.refused(&error, number));
                    }
                    login = now;
                }
            }
        }
    }

    /// Whether the login should be renewed although nothing needs it.
    pub(super) async fn is_due(&self) -> Result<bool, TargetError> {
        Ok(Timestamp::now().duration_since(self.login().await?.renewed) > DUE)
    }

    pub(super) async fn expiry(&self) -> Result<Expiry, TargetError> {
        let at = self.login().await?.renewed.checked_add(IDLE).unwrap_or(Timestamp::MAX);
        Ok(Expiry { what: "the login of the user, unless it is used".to_owned(), at })
    }

    async fn login(&self) -> Result<Login, TargetError> {
        self.logins.load(&self.id).await?.ok_or_else(|| {
            let text = format!(
                "nobody has logged in for this target yet; run callseal login --config DIR {}",
                self.name
            );
            TargetError::new(ErrorKind::Incomplete, text)
        })
    }

    fn refused(&self, error: &str, number: u64) -> TargetError {
        let why = match number {
            700_082 | 70_008 => "it was not used for too long",
            50_173 | 70_000 => "it was revoked, as by a new password or by an administrator",
            700_084 | 70_043 | 70_044 => "a policy of the directory ends logins after a time",
            50_076 | 50_078 | 50_079 | 50_074 => "the directory asks for a second factor",
            50_057 => "the user is disabled",
            50_055 | 50_144 => "the user's password has expired",
            65_001 => "nobody has consented to what the application asks for",
            53_000..=53_003 => "a Conditional Access policy blocks it",
            700_016 => "there is no such application in the directory",
            _ => "Microsoft does not take it any more",
        };
        let text = format!(
            "{DOING}: the login of the user is over: {why}{}; log in again by callseal login --config DIR {}",
            number_text(number),
            self.name
        );
        TargetError::new(ErrorKind::LoginRefused, text).caused_by(format!("Microsoft answered {error}"))
    }
}
