//! The name of a log.

use std::{fmt, str::FromStr};

use domain::{InvalidId, TenantId};

const FIRST: &str = "callseal.io";

/// `callseal.io/<installation>/<tenant>/<8 hexadecimal digits>`: the first line of each checkpoint and
/// the name of the key that signs them. The digits are drawn once, when the log is made: a log that was
/// begun anew has another name than the one before it, so neither passes for the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    text: String,
    tenant: TenantId,
}

impl Origin {
    /// The log of `tenant` in the installation of this name; characters that a name in a checkpoint
    /// must not hold (spaces, `+`, `/`, control characters) become `-`.
    pub fn new(installation: &str, tenant: &TenantId, random: u32) -> Self {
        let allowed = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let installation: String = installation.chars().map(allowed).collect();
        let installation = if installation.is_empty() { "-" } else { &installation };
        Self { text: format!("{FIRST}/{installation}/{tenant}/{random:08x}"), tenant: tenant.clone() }
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whose log it is.
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }
}

impl FromStr for Origin {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || {
            InvalidId::expected(
                "the name of a log",
                "callseal.io/<installation>/<tenant>/<8 hexadecimal digits>",
            )
        };
        let parts: Vec<&str> = text.split('/').collect();
        let [FIRST, installation, tenant, random] = parts.as_slice() else { return Err(invalid()) };
        let tenant: TenantId = tenant.parse().map_err(|_| invalid())?;
        let random = u32::from_str_radix(random, 16).map_err(|_| invalid())?;
        // What is written back must be what was read: no capitals, no missing digits, no odd characters.
        Some(Self::new(installation, &tenant, random))
            .filter(|origin| origin.text == text)
            .ok_or_else(invalid)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
