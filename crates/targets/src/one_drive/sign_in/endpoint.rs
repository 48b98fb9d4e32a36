//! The token endpoint of Entra ID, and what its refusals mean.

use std::time::Duration;

use domain::resources::Cloud;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;

use super::AccessToken;
use crate::{
    ErrorKind, TargetError,
    one_drive::{fault, http},
};

pub(super) const DOING: &str = "signing in to Microsoft";

/// The endpoints of one directory.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) http: Client,
    pub(super) cloud: Cloud,
    pub(super) tenant_id: String,
}

/// A successful answer.
#[derive(Deserialize)]
pub(super) struct Granted {
    access_token: String,
    expires_in: u64,
    pub(super) refresh_token: Option<String>,
    pub(super) id_token: Option<String>,
}

impl Granted {
    pub(super) fn access_token(&self) -> AccessToken {
        AccessToken::new(self.access_token.clone(), Duration::from_secs(self.expires_in))
    }
}

/// Why there is no token.
pub(super) enum Refused {
    /// Entra ID said so: its error word and the number after `AADSTS`, 0 if there is none.
    Said { error: String, number: u64 },
    /// It could not be asked, or has troubles of its own.
    Fault(TargetError),
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_codes: Vec<u64>,
}

impl Endpoint {
    /// `https://login…/{tenant}/oauth2/v2.0/{last}`.
    pub(super) fn url(&self, last: &str) -> Url {
        let host = self.cloud.login_host();
        let mut url: Url = format!("https://{host}").parse().expect("the hosts of clouds are hosts");
        let levels = [self.tenant_id.as_str(), "oauth2", "v2.0", last];
        url.path_segments_mut().expect("https has a path").extend(levels);
        url
    }

    /// Everything that an administrator has let the app do.
    pub(super) fn default_scope(&self) -> String {
        format!("https://{}/.default", self.cloud.graph_host())
    }

    /// Asks for a token.
    pub(super) async fn token(&self, form: &[(&str, &str)]) -> Result<Granted, Refused> {
        self.post("token", form).await
    }

    /// Posts a form; the answer's JSON.
    pub(super) async fn post<T: serde::de::DeserializeOwned>(
        &self,
        last: &str,
        form: &[(&str, &str)],
    ) -> Result<T, Refused> {
        let request = self.http.post(self.url(last)).form(form);
        let answer = http::whole(DOING, request).await.map_err(Refused::Fault)?;
        if answer.status.is_success() {
            return answer.json(DOING).map_err(Refused::Fault);
        }
        match serde_json::from_slice::<Refusal>(&answer.body) {
            Ok(Refusal { error, error_codes })
                if answer.status.is_client_error() && answer.status != StatusCode::TOO_MANY_REQUESTS =>
            {
                if error == "temporarily_unavailable" {
                    return Err(Refused::Fault(fault::refused(DOING, &unavailable(answer))));
                }
                Err(Refused::Said { error, number: error_codes.first().copied().unwrap_or(0) })
            }
            _ => Err(Refused::Fault(fault::refused(DOING, &answer))),
        }
    }
}

fn unavailable(answer: fault::Answer) -> fault::Answer {
    fault::Answer { status: StatusCode::SERVICE_UNAVAILABLE, ..answer }
}

impl Refused {
    /// The fault of a target whose app cannot sign in.
    pub(super) fn of_app(self) -> TargetError {
        let (error, number) = match self {
            Self::Fault(fault) => return fault,
            Self::Said { error, number } => (error, number),
        };
        let advice = match number {
            7_000_215 => "the client secret is wrong; is it the secret's value, and not its id?",
            7_000_222 => "the client secret has expired; make a new one and put it into the Secret",
            700_016 => "there is no such application in the directory; check clientId and tenantId",
            90_002 | 900_023 => "there is no such directory; check tenantId and cloud",
            700_027 => "the certificate is not one of the application's; upload it in the app registration",
            700_024 => "the clock of this machine is wrong",
            70_021 | 700_211 | 700_212 | 700_213 => {
                "no federated credential of the application fits the service account; check issuer and subject"
            }
            53_003 => "a Conditional Access policy blocks it",
            7_000_112 | 500_014 => "the application is disabled",
            _ => "Microsoft does not take the login",
        };
        TargetError::new(ErrorKind::LoginRefused, format!("{DOING}: {advice}{}", number_text(number)))
            .caused_by(format!("Microsoft answered {error}"))
    }
}

/// How a refusal's number is shown: as people search for it.
pub(super) fn number_text(number: u64) -> String {
    if number == 0 { String::new() } else { format!(" (AADSTS{number})") }
}
