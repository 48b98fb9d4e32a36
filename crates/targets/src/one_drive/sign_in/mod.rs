//! Signing in to Microsoft: access tokens for apps and for users.

mod app;
mod certificate;
mod endpoint;
mod interactive;
mod logins;
mod managed;
mod user;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    ResourceName, Sensitive,
    resources::{AppLogin, Cloud, MicrosoftLogin},
};
use reqwest::Client;
use tokio::sync::Mutex;

pub use interactive::{BrowserLogin, DeviceLogin, Made};
pub use logins::{Login, LoginId, LoginStore, SealedLogins};

use self::{app::App, certificate::Certificate, managed::Managed, user::User};
use crate::{Expiry, TargetError};

/// A token is renewed this long before it ends: long enough for whatever request it goes along with.
const BEFORE_END: Duration = Duration::from_secs(5 * 60);

/// No token lives longer (a managed identity's lives a day): whoever says so is asked again then.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A token for Graph.
#[derive(Debug)]
pub(super) struct AccessToken {
    pub(super) text: Sensitive<String>,
    renew_at: Instant,
}

impl AccessToken {
    /// A token that ends after `lasts`; a very short one is used for half of its life.
    fn new(text: String, lasts: Duration) -> Self {
        let lasts = lasts.min(LONGEST_LIFE);
        let usable = lasts.saturating_sub(BEFORE_END).max(lasts / 2);
        Self { text: text.into(), renew_at: Instant::now() + usable }
    }
}

/// The tokens of one login. Of several who need a new one at the same time, one gets it for all.
pub(super) struct Tokens {
    way: Way,
    current: Mutex<Option<Arc<AccessToken>>>,
}

enum Way {
    App(App),
    Managed(Managed),
    User(User),
}

impl Tokens {
    /// The tokens of `login`, for the target called `name`.
    pub(super) fn new(
        login: &MicrosoftLogin,
        cloud: Cloud,
        name: &ResourceName,
        http: &Client,
        logins: &Arc<dyn LoginStore>,
    ) -> Result<Self, TargetError> {
        let way = match login {
            MicrosoftLogin::App(AppLogin::ManagedIdentity { client_id }) => {
                Way::Managed(Managed::new(cloud, client_id.clone()))
            }
            MicrosoftLogin::App(app) => Way::App(App::new(app, cloud, http.clone())?),
            MicrosoftLogin::User(user) => {
                Way::User(User::new(user, cloud, name.clone(), http.clone(), Arc::clone(logins)))
            }
        };
        Ok(Self { way, current: Mutex::new(None) })
    }

    /// A token that is good for some minutes yet.
    pub(super) async fn get(&self) -> Result<Arc<AccessToken>, TargetError> {
        let mut current = self.current.lock().await;
        match current.as_ref().filter(|token| Instant::now() < token.renew_at) {
            Some(token) => Ok(Arc::clone(token)),
            None => self.replace(&mut current).await,
        }
    }

    /// A token in the place of one that was not taken.
    pub(super) async fn renew(&self, refused: &Arc<AccessToken>) -> Result<Arc<AccessToken>, TargetError> {
        let mut current = self.current.lock().await;
        match current.as_ref().filter(|token| !Arc::ptr_eq(token, refused)) {
            // Somebody else had the same trouble and has renewed it.
            Some(token) => Ok(Arc::clone(token)),
            None => self.replace(&mut current).await,
        }
    }

    async fn replace(&self, current: &mut Option<Arc<AccessToken>>) -> Result<Arc<AccessToken>, TargetError> {
        *current = None;
        let token = match &self.way {
            Way::App(app) => app.token().await,
            Way::Managed(managed) => managed.token().await,
            Way::User(user) => user.token().await,
        };
        Ok(Arc::clone(current.insert(Arc::new(token?))))
    }

    /// What of the login ends at a known time. A user's login is renewed when that is due, so that a
    /// target that nothing is brought to for months keeps its access.
    pub(super) async fn expiries(&self) -> Result<Vec<Expiry>, TargetError> {
        match &self.way {
            Way::App(app) => Ok(app.certificate().map(Certificate::expiry).into_iter().collect()),
            Way::Managed(_) => Ok(Vec::new()),
            Way::User(user) => {
                if user.is_due().await? {
                    self.replace(&mut *self.current.lock().await).await?;
                }
                Ok(vec![user.expiry().await?])
            }
        }
    }

    /// Application id and first characters of its secret, by which Graph tells secrets apart.
    pub(super) fn secret(&self) -> Option<(&str, &str)> {
        match &self.way {
            Way::App(app) => app.secret(),
            _ => None,
        }
    }
}
