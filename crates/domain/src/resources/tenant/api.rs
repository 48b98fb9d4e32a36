//! Who may use the API for a tenant.

use serde::Deserialize;

use crate::{
    Sensitive,
    resources::{FieldPath, SecretValueSpec, Secrets, field::Findings},
};

/// A shorter token could be guessed, characters.
const MIN_TOKEN: usize = 16;

/// Access to the API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Api {
    /// Bearer tokens; whoever shows one of them may do everything the API can do for this tenant.
    /// None: nobody may. Filled when all resources of the tenant are together.
    pub tokens: Vec<Sensitive<String>>,
    /// Where the tokens lie.
    pub secrets: Vec<SecretValueSpec>,
}

/// The raw form of [`Api`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ApiSpec {
    /// Each in a `Secret`.
    pub tokens: Vec<SecretValueSpec>,
}

impl ApiSpec {
    /// Access by tokens that are not known yet.
    pub(super) fn unresolved(&self) -> Api {
        Api { tokens: Vec::new(), secrets: self.tokens.clone() }
    }
}

impl Api {
    /// Fills in the tokens that there are; what is wrong is noted. Kept apart from the tenant's
    /// validation: a token that is not there must not take the tenant's recordings with it, and
    /// one whose `Secret` was deleted must not stay in force.
    pub(crate) fn resolve(&mut self, secrets: &Secrets, findings: &mut Findings) {
        let path = FieldPath::spec().key("api").key("tokens");
        self.tokens.clear();
        for (i, token) in self.secrets.iter().enumerate() {
            let path = path.index(i);
            let Some(token) = secrets.resolve(token, &path, findings) else { continue };
            // What an editor or `echo` leaves at the end of a file is no part of it.
            let token = token.expose().trim();
            // RFC 6750, 2.1: what can be sent as a bearer token.
            let sign = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
            if token.len() >= MIN_TOKEN && token.chars().all(sign) {
                self.tokens.push(token.into());
            } else {
                let reason =
                    format!("the Secret's value must be {MIN_TOKEN} or more of A-Z a-z 0-9 - . _ ~ + / =");
                findings.add(path, reason);
            }
        }
    }
}
