//! Mail servers: what an e-mail target and notifications hand their mails to.

use serde::Deserialize;

use super::{
    FieldPath, SecretValueSpec, Secrets, field::Findings, journal_target::required, pem::check_certificates,
};
use crate::Sensitive;

/// A mail server that takes mails for others (SMTP, RFC 5321), and the login to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpServer {
    /// Host name or address; its certificate is held against it.
    pub host: String,
    /// TCP port: 465, 587 or 25 by default, as `tls` says.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// User and password; `None`: the server takes mails without.
    pub login: Option<SmtpLogin>,
    /// Certificates (PEM) of the authority that made the server's; `None`: those this machine trusts.
    pub ca_certificate: Option<String>,
}

/// The login to a mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpLogin {
    /// User name.
    pub user: Sensitive<String>,
    /// Password.
    pub password: Sensitive<String>,
}

/// How the connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SmtpTls {
    /// From its first byte on (RFC 8314).
    #[default]
    Required,
    /// By STARTTLS (RFC 3207); nothing is sent to a server that does not offer it.
    StartTls,
    /// Not at all: for a server on this machine.
    Off,
}

impl SmtpTls {
    /// The port on which servers wait for connections of this kind.
    pub const fn usual_port(self) -> u16 {
        match self {
            Self::Required => 465,
            Self::StartTls => 587,
            Self::Off => 25,
        }
    }
}

/// The raw form of an [`SmtpServer`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SmtpSpec {
    /// Host name or address.
    pub host: String,
    /// 465, 587 or 25 by default, as `tls` says.
    #[serde(default)]
    pub port: Option<u16>,
    /// `required` by default.
    #[serde(default)]
    pub tls: SmtpTls,
    /// Login name.
    #[serde(default)]
    pub user: Option<String>,
    /// Where the password lies.
    #[serde(default)]
    pub password: Option<SecretValueSpec>,
    /// Certificates (PEM) of the authority that made the server's.
    #[serde(default)]
    pub ca_certificate: Option<String>,
}

impl SmtpSpec {
    /// The validated server that stands at `path`.
    pub(crate) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<SmtpServer> {
        required(&self.host, &path.key("host"), findings);
        if let Some(pem) = &self.ca_certificate {
            if self.tls == SmtpTls::Off {
                findings.add(path.key("caCertificate"), "is of no use with tls: off");
            }
            findings.take(path.key("caCertificate"), check_certificates(pem));
        }
        Some(SmtpServer {
            host: self.host.clone(),
            port: self.port.unwrap_or(self.tls.usual_port()),
            tls: self.tls,
            login: self.login(path, secrets, findings)?,
            ca_certificate: self.ca_certificate.clone(),
        })
    }

    /// The login if one is given; nothing at all if it cannot be used.
    fn login(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<Option<SmtpLogin>> {
        let (user, password) = match (&self.user, &self.password) {
            (None, None) => return Some(None),
            (Some(user), Some(password)) => (user, password),
            _ => {
                findings.add(path.clone(), "must have both of user and password, or neither");
                return None;
            }
        };
        required(user, &path.key("user"), findings);
        if self.tls == SmtpTls::Off {
            findings.add(path.key("password"), "would be sent in the clear: set tls to required or startTls");
        }
        let password = secrets.resolve(password, &path.key("password"), findings)?;
        Some(Some(SmtpLogin { user: user.as_str().into(), password }))
    }
}

/// Whether `text` is a mail address as servers take it: `archive@acme.example`, without a name around
/// it. A quoted local part and an address in brackets for a domain are not taken.
pub fn is_mail_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let atom = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c))
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 254 && local.len() <= 64 && local.split('.').all(atom) && domain.split('.').all(label)
}

/// Notes where `text`, standing at `path`, is no mail address. It is a person's: it is not repeated.
pub(crate) fn mail_address(text: &str, path: &FieldPath, findings: &mut Findings) {
    if !is_mail_address(text) {
        findings.add(path.clone(), "is not a mail address such as \"archive@acme.example\"");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::{Secret, secret::SecretRefSpec};

    fn spec() -> SmtpSpec {
        SmtpSpec {
            host: "mail.acme.example".into(),
            port: None,
            tls: SmtpTls::Required,
            user: Some("callseal".into()),
            password: Some(SecretValueSpec {
                secret_ref: SecretRefSpec { name: "mail".into(), key: "password".into() },
            }),
            ca_certificate: None,
        }
    }

    fn validate(spec: &SmtpSpec) -> Result<SmtpServer, Vec<String>> {
        let mut secrets = Secrets::default();
        let values = [("password".to_owned(), "hunter2".into())].into();
        secrets.insert("mail".parse().unwrap(), Secret { values, ..Secret::default() });
        let mut findings = Findings::default();
        let server = spec.validate(&FieldPath::spec().key("smtp"), &secrets, &mut findings);
        findings.finish(server).map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_port_follows_from_how_the_connection_is_encrypted() {
        for (tls, port) in [(SmtpTls::Required, 465), (SmtpTls::StartTls, 587)] {
            assert_eq!(validate(&SmtpSpec { tls, ..spec() }).unwrap().port, port);
        }
        let open = SmtpSpec { tls: SmtpTls::Off, user: None, password: None, ..spec() };
        assert_eq!(validate(&open).unwrap().port, 25);
        assert_eq!(validate(&SmtpSpec { port: Some(2525), ..open }).unwrap().port, 2525);
    }

    #[test]
    fn a_password_is_not_sent_in_the_clear() {
        let errors = validate(&SmtpSpec { tls: SmtpTls::Off, ..spec() }).unwrap_err();
        assert_eq!(
            errors,
            ["spec.smtp.password: would be sent in the clear: set tls to required or startTls"]
        );
    }

    #[test]
    fn half_a_login_and_a_certificate_that_is_none_are_refused() {
        let errors = validate(&SmtpSpec { password: None, ..spec() }).unwrap_err();
        assert_eq!(errors, ["spec.smtp: must have both of user and password, or neither"]);
        let errors = validate(&SmtpSpec { ca_certificate: Some("ca".into()), ..spec() }).unwrap_err();
        assert!(errors[0].starts_with("spec.smtp.caCertificate: must be"), "{errors:?}");
    }

    #[test]
    fn a_mail_address_is_one_that_every_server_takes() {
        for good in ["a@b", "first.last+calls@mail.acme.example", "o'neil@acme.example"] {
            assert!(is_mail_address(good), "{good}");
        }
        for bad in [
            "",
            "acme.example",
            "@acme.example",
            "a@",
            "a b@acme.example",
            "A <a@acme.example>",
            "a@acme..example",
            ".a@acme.example",
            "a@-acme.example",
            "a\r\n@acme.example",
            "ä@acme.example",
        ] {
            assert!(!is_mail_address(bad), "{bad}");
        }
    }
}
