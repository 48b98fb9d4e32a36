//! Entra ID: who gets a token.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::ensure;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    CLIENT, SECRET, TENANT, USER,
    answers::Asked,
    words::{Answer, field},
};

pub(super) const FEDERATED: &str = "the token of a service account";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Everybody's tokens.
#[derive(Debug, Default)]
pub(super) struct Entra {
    /// Access tokens, each with its user; `None`: the application itself.
    pub(super) access: BTreeMap<String, Option<String>>,
    refresh: BTreeMap<String, String>,
    devices: BTreeMap<String, Device>,
    codes: BTreeMap<String, Code>,
    pub(super) signed_in: Vec<&'static str>,
    pub(super) refused: Option<u64>,
    count: u64,
}

#[derive(Debug)]
struct Device {
    user_code: String,
    /// `None`: nobody has said anything yet.
    answer: Option<Option<String>>,
}

#[derive(Debug)]
struct Code {
    challenge: String,
    redirect: String,
    user: String,
}

/// Status, word and number of a refusal.
type Refusal = (u16, &'static str, u64);

impl Entra {
    fn unique(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what}-{:08}", self.count)
    }

    /// A new access token.
    pub(super) fn grant(&mut self, user: Option<&str>) -> String {
        let token = self.unique("access");
        self.access.insert(token.clone(), user.map(str::to_owned));
        token
    }

    /// A new refresh token.
    pub(super) fn login(&mut self, user: &str) -> String {
        let token = self.unique("refresh");
        self.refresh.insert(token.clone(), user.to_owned());
        token
    }

    pub(super) fn on_device(&mut self, code: &str, user: Option<&str>) {
        for device in self.devices.values_mut().filter(|device| device.user_code == code) {
            device.answer = Some(user.map(str::to_owned));
        }
    }

    pub(super) fn in_browser(&mut self, query: &str, user: &str) -> Result<String, String> {
        let value = |name: &str| field(query, name).ok_or_else(|| format!("{name} is missing"));
        let redirect = value("redirect_uri")?;
        let port = redirect.strip_prefix("http://localhost:").and_then(|port| port.parse::<u16>().ok());
        let scope = value("scope")?;
        for (right, wrong) in [
            (value("client_id")? == CLIENT, "AADSTS700016: client_id"),
            (value("response_type")? == "code", "response_type"),
            (port.is_some(), "AADSTS50011: redirect_uri"),
            (value("code_challenge_method")? == "S256", "code_challenge_method"),
            (scope.contains("/Files.ReadWrite.All") && scope.contains("offline_access"), "scope"),
        ] {
            if !right {
                return Err(wrong.to_owned());
            }
        }
        let (code, state) = (self.unique("code"), value("state")?);
        let challenge = value("code_challenge")?;
        let kept = Code { challenge, redirect: redirect.clone(), user: user.to_owned() };
        self.codes.insert(code.clone(), kept);
        Ok(format!("{redirect}/?code={code}&state={state}&session_state=s"))
    }

    fn granted(&mut self, how: &'static str, user: Option<&str>) -> Value {
        self.signed_in.push(how);
        let mut json =
            json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": self.grant(user) });
        if let Some(user) = user {
            json["refresh_token"] = json!(self.login(user));
            let claims = json!({ "preferred_username": user, "aud": CLIENT }).to_string();
            json["id_token"] = json!(format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims)));
        }
        json
    }

    fn token(&mut self, form: &str, endpoint: &str, dir: &Path) -> Result<Value, Refusal> {
        let value = |name: &str| field(form, name).unwrap_or_default();
        let for_app = value("grant_type") == "client_credentials";
        if let Some(number) = self.refused {
            let word = if for_app { (401, "invalid_client") } else { (400, "invalid_grant") };
            return Err((word.0, word.1, number));
        }
        match value("grant_type").as_str() {
            "client_credentials" => {
                let how = match (value("client_secret").as_str(), value("client_assertion").as_str()) {
                    (SECRET, "") => "secret",
                    ("", FEDERATED) if value("client_assertion_type") == JWT_BEARER => "federated token",
                    ("", assertion) if value("client_assertion_type") == JWT_BEARER => {
                        check_assertion(assertion, endpoint, dir)
                            .map_err(|_| (401, "invalid_client", 700_027))?;
                        "certificate"
                    }
                    _ => return Err((401, "invalid_client", 7_000_215)),
                };
                Ok(self.granted(how, None))
            }
            "refresh_token" => {
                let user = self.refresh.get(&value("refresh_token")).cloned();
                let user = user.ok_or((400, "invalid_grant", 70_000))?;
                Ok(self.granted("refresh token", Some(&user)))
            }
            DEVICE => {
                let device = self.devices.get(&value("device_code")).ok_or((400, "expired_token", 70_020))?;
                let user = match &device.answer {
                    None => return Err((400, "authorization_pending", 70_016)),
                    Some(None) => return Err((400, "authorization_declined", 70_017)),
                    Some(Some(user)) => user.clone(),
                };
                self.devices.remove(&value("device_code"));
                Ok(self.granted("device code", Some(&user)))
            }
            "authorization_code" => {
                let code = self.codes.remove(&value("code")).ok_or((400, "invalid_grant", 54_005))?;
                let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(value("code_verifier")));
                if challenge != code.challenge || value("redirect_uri") != code.redirect {
                    return Err((400, "invalid_grant", 50_148));
                }
                Ok(self.granted("authorization code", Some(&code.user)))
            }
            _ => Err((400, "unsupported_grant_type", 70_003)),
        }
    }

    fn device_code(&mut self) -> Value {
        let (device_code, user_code) = (self.unique("device"), self.unique("CODE"));
        self.devices.insert(device_code.clone(), Device { user_code: user_code.clone(), answer: None });
        json!({
            "device_code": device_code, "user_code": user_code, "expires_in": 900, "interval": 1,
            "verification_uri": "https://microsoft.com/devicelogin", "message": "To sign in, …",
        })
    }
}

pub(super) fn answer(entra: &mut Entra, dir: &Path, asked: &Asked) -> Answer {
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    let [tenant, "oauth2", "v2.0", last] = path[..] else { return Answer::nothing(404) };
    let form = String::from_utf8_lossy(&asked.body).into_owned();
    let value = |name: &str| field(&form, name).unwrap_or_default();
    let graph = match asked.host.as_str() {
        "login.microsoftonline.us" => &["https://graph.microsoft.us/", "https://dod-graph.microsoft.us/"][..],
        "login.chinacloudapi.cn" => &["https://microsoftgraph.chinacloudapi.cn/"],
        _ => &["https://graph.microsoft.com/"],
    };
    let scope = value("scope");
    let outcome = if tenant != TENANT && tenant != "contoso.onmicrosoft.com" {
        Err((400, "invalid_request", 90_002))
    } else if asked.method != "POST" {
        Err((405, "invalid_request", 900_561))
    } else if value("client_id") != CLIENT {
        Err((400, "unauthorized_client", 700_016))
    } else if !scope.is_empty() && !graph.iter().any(|graph| scope.contains(graph)) {
        Err((400, "invalid_scope", 70_011))
    } else if last == "devicecode" {
        Ok(entra.device_code())
    } else {
        entra.token(&form, &format!("https://{}/{}", asked.host, path.join("/")), dir)
    };
    match outcome {
        Ok(json) => Answer::json(200, json),
        Err((status, error, number)) => {
            let description = format!("AADSTS{number}: about {USER}.");
            Answer::json(
                status,
                json!({ "error": error, "error_description": description, "error_codes": [number] }),
            )
        }
    }
}

/// A key and its certificate for the application.
pub(super) fn make_certificate(dir: &Path) -> anyhow::Result<String> {
    let script = "
openssl req -x509 -newkey rsa:2048 -nodes -keyout app.key -out app.pem -days 40 -subj /CN=Callseal
openssl x509 -in app.pem -pubkey -noout > app.pub
openssl x509 -in app.pem -outform DER -out app.der
cat app.key app.pem";
    let made = Command::new("sh").args(["-ec", script]).current_dir(dir).output()?;
    ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    Ok(String::from_utf8(made.stdout)?)
}

/// A JWT by PS256 whose key is that of the certificate that it names by SHA-256; OpenSSL judges it.
fn check_assertion(assertion: &str, endpoint: &str, dir: &Path) -> anyhow::Result<()> {
    let parts: Vec<&str> = assertion.split('.').collect();
    ensure!(parts.len() == 3, "three parts");
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part);
    let header: Value = serde_json::from_slice(&decode(parts[0])?)?;
    let claims: Value = serde_json::from_slice(&decode(parts[1])?)?;
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(fs::read(dir.join("app.der"))?));
    ensure!(header["alg"] == "PS256" && header["typ"] == "JWT" && header["x5t#S256"] == thumbprint, "header");
    ensure!(claims["iss"] == CLIENT && claims["sub"] == CLIENT && claims["aud"] == endpoint, "claims");
    ensure!(claims["jti"].as_str().is_some_and(|id| id.len() >= 16), "jti");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let (begins, ends) = (claims["nbf"].as_u64().unwrap_or(u64::MAX), claims["exp"].as_u64().unwrap_or(0));
    ensure!(begins <= now + 60 && ends > now && ends <= now + 600, "times");
    fs::write(dir.join("assertion"), format!("{}.{}", parts[0], parts[1]))?;
    fs::write(dir.join("assertion.sig"), decode(parts[2])?)?;
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]);
    openssl.args(["-verify", "app.pub", "-signature", "assertion.sig", "assertion"]).current_dir(dir);
    ensure!(openssl.output()?.status.success(), "signature");
    Ok(())
}
