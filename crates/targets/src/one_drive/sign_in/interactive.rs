//! Signing a user in: with a code on another device (RFC 8628), or in a browser on this machine
//! (authorisation code with PKCE, RFC 7636, and a loopback redirect, RFC 8252).

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    Sensitive,
    resources::{Cloud, Drive, OneDriveTarget, UserLogin},
};
use jiff::Timestamp;
use reqwest::{Client, Url};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{
    Login,
    endpoint::{DOING, Endpoint, Granted, Refused, number_text},
};
use crate::{ErrorKind, TargetError};

/// The longest that is waited between two questions, whatever the server says.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a sign-in has brought.
#[derive(Debug)]
pub struct Made {
    /// To be kept.
    pub login: Login,
    /// The account that the user has chosen.
    pub account: Option<Sensitive<String>>,
}

/// A sign-in on another device, begun.
pub struct DeviceLogin {
    endpoint: Endpoint,
    client_id: String,
    answer: DeviceCode,
}

#[derive(Deserialize)]
struct DeviceCode {
    device_code: String,
    user_code: String,
    verification_uri: String,
    #[serde(default = "five")]
    interval: u64,
}

/// RFC 8628 § 3.2.
const fn five() -> u64 {
    5
}

impl DeviceLogin {
    /// Asks for a code.
    ///
    /// # Errors
    /// Entra ID cannot be reached, or does not know the application or lets it not do that.
    pub async fn begin(http: Client, target: &OneDriveTarget, user: &UserLogin) -> Result<Self, TargetError> {
        let endpoint = Endpoint { http, cloud: target.cloud, tenant_id: user.tenant_id.clone() };
        let scope = scope(target.cloud, &target.drive);
        let form = [("client_id", user.client_id.as_str()), ("scope", &scope)];
        let answer = endpoint.post("devicecode", &form).await.map_err(Refused::of_user)?;
        Ok(Self { endpoint, client_id: user.client_id.clone(), answer })
    }

    /// Where the user goes, on any device.
    pub fn page(&self) -> &str {
        &self.answer.verification_uri
    }

    /// What the user types there.
    pub fn code(&self) -> &str {
        &self.answer.user_code
    }

    /// Waits until the user has signed in.
    ///
    /// # Errors
    /// The user did not, or said no.
    pub async fn finish(self) -> Result<Made, TargetError> {
        let mut pause = Duration::from_secs(self.answer.interval);
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", self.client_id.as_str()),
            ("device_code", &self.answer.device_code),
        ];
        loop {
            tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
            match self.endpoint.token(&form).await {
                Ok(granted) => return made(&granted),
                Err(Refused::Said { error, .. }) if error == "authorization_pending" => {}
                Err(Refused::Said { error, .. }) if error == "slow_down" => pause += Duration::from_secs(5),
                // A connection that breaks is no answer (RFC 8628 § 3.5); the code's end is one.
                Err(Refused::Fault(fault)) if fault.kind() == ErrorKind::Unreachable => {
                    pause = (pause * 2).max(Duration::from_secs(1));
                    if pause > LONGEST_PAUSE {
                        return Err(fault);
                    }
                }
                Err(refused) => return Err(refused.of_user()),
            }
        }
    }
}

/// A sign-in in a browser of this machine, begun.
pub struct BrowserLogin {
    endpoint: Endpoint,
    client_id: String,
    redirect: String,
    scope: String,
    state: String,
    verifier: String,
}

impl BrowserLogin {
    /// Prepares one whose browser is sent back to `http://localhost:{port}`.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn begin(
        http: Client,
        target: &OneDriveTarget,
        user: &UserLogin,
        port: u16,
    ) -> Result<Self, TargetError> {
        let endpoint = Endpoint { http, cloud: target.cloud, tenant_id: user.tenant_id.clone() };
        Ok(Self {
            endpoint,
            client_id: user.client_id.clone(),
            // Entra ID takes any port of a registered http://localhost.
            redirect: format!("http://localhost:{port}"),
            scope: scope(target.cloud, &target.drive),
            state: random()?,
            verifier: random()?,
        })
    }

    /// Where the browser goes.
    pub fn page(&self) -> Url {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier));
        let mut url = self.endpoint.url("authorize");
        url.query_pairs_mut().extend_pairs([
            ("client_id", self.client_id.as_str()),
            ("response_type", "code"),
            ("response_mode", "query"),
            ("redirect_uri", &self.redirect),
            ("scope", &self.scope),
            ("state", &self.state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("prompt", "select_account"),
        ]);
        url
    }

    /// Takes what the browser came back with: the query of its request. `None`: it was not sent by this
    /// sign-in, and nothing follows from it.
    ///
    /// # Errors
    /// The user said no, or Entra ID does not take the code.
    pub async fn finish(&self, query: &str) -> Result<Option<Made>, TargetError> {
        let mut url: Url = "http://localhost".parse().expect("it is a URL");
        url.set_query(Some(query));
        let value =
            |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned());
        if value("state").as_deref() != Some(&self.state) {
            return Ok(None);
        }
        if let Some(error) = value("error") {
            let number = value("error_description").and_then(|text| aadsts(&text)).unwrap_or(0);
            return Err(Refused::Said { error, number }.of_user());
        }
        let Some(code) = value("code") else { return Ok(None) };
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", &self.redirect),
            ("scope", &self.scope),
            ("code", &code),
            ("code_verifier", &self.verifier),
        ];
        made(&self.endpoint.token(&form).await.map_err(Refused::of_user)?).map(Some)
    }
}

/// What the application may do in the user's name: no more than this target needs.
fn scope(cloud: Cloud, drive: &Drive) -> String {
    let graph = cloud.graph_host();
    let sites = match drive {
        Drive::Site { .. } => format!(" https://{graph}/Sites.Read.All"),
        _ => String::new(),
    };
    format!("https://{graph}/Files.ReadWrite.All{sites} offline_access openid profile")
}

fn made(granted: &Granted) -> Result<Made, TargetError> {
    let Some(refresh_token) = granted.refresh_token.clone() else {
        let text = format!("{DOING}: it gave no refresh token; let the application have offline_access");
        return Err(TargetError::new(ErrorKind::LoginRefused, text));
    };
    let now = Timestamp::now();
    let login = Login { refresh_token: refresh_token.into(), made: now, renewed: now };
    Ok(Made { login, account: granted.id_token.as_deref().and_then(account).map(Into::into) })
}

/// The account that an id token speaks of. It came straight from Entra ID over TLS, so its signature
/// says nothing more (OpenID Connect Core § 3.1.3.7, 6).
fn account(id_token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        preferred_username: Option<String>,
    }
    let claims = BASE64_URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&claims).ok()?.preferred_username
}

fn aadsts(text: &str) -> Option<u64> {
    let digits = text.split_once("AADSTS")?.1;
    digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())].parse().ok()
}

/// 256 bits, as RFC 7636 § 4.1 asks for.
fn random() -> Result<String, TargetError> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| TargetError::new(ErrorKind::Io, "the system gives no random numbers"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

impl Refused {
    /// The fault of a person who signs in.
    fn of_user(self) -> TargetError {
        let (error, number) = match self {
            Self::Fault(fault) => return fault,
            Self::Said { error, number } => (error, number),
        };
        let why = match (error.as_str(), number) {
            ("expired_token" | "code_expired", _) => "the code has run out before anybody has signed in",
            ("authorization_declined" | "access_denied", _) => "it was declined",
            (_, 7_000_218) => {
                "the application wants a secret; allow public client flows in its Authentication settings"
            }
            (_, 50_011) => {
                "the application does not know this way back; add http://localhost under Mobile and desktop \
                 applications"
            }
            (_, 65_001 | 90_094 | 90_008) => {
                "an administrator has to consent to what the application asks for"
            }
            (_, 700_016) => "there is no such application in the directory; check clientId and tenantId",
            (_, 90_002 | 900_023) => "there is no such directory; check tenantId and cloud",
            (_, 53_000..=53_003) => "a Conditional Access policy blocks it; try without --device",
            _ => "Microsoft does not take it",
        };
        TargetError::new(ErrorKind::LoginRefused, format!("{DOING}: {why}{}", number_text(number)))
            .caused_by(format!("Microsoft answered {error}"))
    }
}
