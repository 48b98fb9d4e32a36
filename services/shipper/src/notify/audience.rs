//! Who is told: the operator of the installation of everything, each tenant of what is its own.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use domain::{
    TenantId,
    resources::{
        EmailNotices, Resources, SmtpLogin, SmtpServer, SmtpTls, is_mail_address,
        tenant::notifications::{Every, Language},
    },
};
use jiff::tz::TimeZone;

/// Mails to the operator of the installation. Flags, not resources: a tenant's administrator may write
/// those.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct OperatorArgs {
    /// Mail addresses of the operator, who is told of the faults of all tenants and of the installation;
    /// several with commas.
    #[arg(long, env = "CALLSEAL_OPERATOR_MAIL_TO", value_delimiter = ',', value_name = "ADDRESS")]
    pub operator_mail_to: Vec<String>,
    /// Who the mails to the operator are from; the first of those who get them by default.
    #[arg(long, env = "CALLSEAL_OPERATOR_MAIL_FROM", value_name = "ADDRESS")]
    pub operator_mail_from: Option<String>,
    /// Mail server for the mails to the operator.
    #[arg(long, env = "CALLSEAL_OPERATOR_SMTP", value_name = "HOST[:PORT]")]
    pub operator_smtp: Option<String>,
    /// How the connection to it is encrypted: required (from the first byte on), start-tls, off.
    #[arg(long, env = "CALLSEAL_OPERATOR_SMTP_TLS", default_value = "required", value_name = "HOW")]
    pub operator_smtp_tls: OperatorTls,
    /// Login name at the mail server.
    #[arg(long, env = "CALLSEAL_OPERATOR_SMTP_USER", value_name = "NAME")]
    pub operator_smtp_user: Option<String>,
    /// File with the password for it.
    #[arg(long, env = "CALLSEAL_OPERATOR_SMTP_PASSWORD_FILE", value_name = "FILE")]
    pub operator_smtp_password_file: Option<PathBuf>,
    /// File with the certificates (PEM) of the authority that made the mail server's.
    #[arg(long, env = "CALLSEAL_OPERATOR_SMTP_CA", value_name = "FILE")]
    pub operator_smtp_ca: Option<PathBuf>,
    /// Language of the mails to the operator: de, en or fr.
    #[arg(long, env = "CALLSEAL_OPERATOR_LANGUAGE", default_value = "en", value_name = "LANGUAGE")]
    pub operator_language: OperatorLanguage,
    /// How often the operator gets a list of what is still wrong.
    #[arg(long, env = "CALLSEAL_OPERATOR_DIGEST", default_value = "every 24 h", value_name = "EVERY")]
    pub operator_digest: OperatorDigest,
}

/// [`SmtpTls`] as a flag says it.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub enum OperatorTls {
    /// From the first byte on.
    #[default]
    Required,
    /// By STARTTLS.
    StartTls,
    /// Not at all.
    Off,
}

impl From<OperatorTls> for SmtpTls {
    fn from(how: OperatorTls) -> Self {
        match how {
            OperatorTls::Required => Self::Required,
            OperatorTls::StartTls => Self::StartTls,
            OperatorTls::Off => Self::Off,
        }
    }
}

/// A [`Language`] as a flag.
pub type OperatorLanguage = Language;

/// A time between digests as a flag.
pub type OperatorDigest = Every;

/// Who is told, how.
#[derive(Debug, Clone)]
pub struct Audience {
    /// What it is called in the tables: `operator`, or `tenant:acme`.
    pub id: String,
    /// Whose faults it is told of; `None`: all.
    pub tenant: Option<TenantId>,
    /// Where the mails go.
    pub email: EmailNotices,
    /// In which language.
    pub language: Language,
    /// With the times of which clock.
    pub zone: TimeZone,
    /// How often a digest comes.
    pub digest: Duration,
}

impl Audience {
    /// Whether what is `tenant`'s (`None`: the installation's) concerns it.
    pub fn hears_of(&self, tenant: Option<&TenantId>) -> bool {
        self.tenant.is_none() || self.tenant.as_ref() == tenant
    }
}

impl OperatorArgs {
    /// The operator, if anybody is named.
    ///
    /// # Errors
    /// What is said cannot be used; the text says why.
    pub fn audience(&self) -> anyhow::Result<Option<Audience>> {
        if self.operator_mail_to.is_empty() {
            ensure!(self.operator_smtp.is_none(), "--operator-smtp needs --operator-mail-to");
            return Ok(None);
        }
        let from = self.operator_mail_from.as_ref().unwrap_or(&self.operator_mail_to[0]);
        ensure!(
            self.operator_mail_to.iter().chain([from]).all(|address| is_mail_address(address)),
            "--operator-mail-to and --operator-mail-from must be mail addresses such as it@acme.example"
        );
        let email =
            EmailNotices { to: self.operator_mail_to.clone(), from: from.clone(), smtp: self.server()? };
        Ok(Some(Audience {
            id: "operator".to_owned(),
            tenant: None,
            email,
            language: self.operator_language,
            zone: TimeZone::system(),
            digest: self.operator_digest.0,
        }))
    }

    fn server(&self) -> anyhow::Result<SmtpServer> {
        let tls = SmtpTls::from(self.operator_smtp_tls);
        let server = self.operator_smtp.as_deref().context("--operator-mail-to needs --operator-smtp")?;
        let (host, port) = match server.rsplit_once(':').filter(|(host, _)| !host.contains(':')) {
            Some((host, port)) => (host, port.parse().context("--operator-smtp: the port is no number")?),
            None => (server.trim_start_matches('[').trim_end_matches(']'), tls.usual_port()),
        };
        let login = match (&self.operator_smtp_user, &self.operator_smtp_password_file) {
            (None, None) => None,
            (Some(user), Some(file)) => {
                ensure!(tls != SmtpTls::Off, "--operator-smtp-tls off would send the password in the clear");
                let password =
                    std::fs::read_to_string(file).context("--operator-smtp-password-file cannot be read")?;
                // What an editor or `echo` leaves at the end of a file is no part of it.
                let password = password.trim_end_matches(['\n', '\r']).to_owned();
                Some(SmtpLogin { user: user.clone().into(), password: password.into() })
            }
            _ => anyhow::bail!("--operator-smtp-user and --operator-smtp-password-file go together"),
        };
        let ca = self.operator_smtp_ca.as_ref().map(std::fs::read_to_string);
        let ca_certificate = ca.transpose().context("--operator-smtp-ca cannot be read")?;
        Ok(SmtpServer { host: host.to_owned(), port, tls, login, ca_certificate })
    }
}

/// Everybody who is told: the operator, and the tenants that named somebody.
pub fn everybody(operator: Option<&Audience>, resources: &Resources) -> Vec<Audience> {
    let tenants = resources.tenants.iter().filter_map(|(id, resources)| {
        let told = &resources.tenant.notifications;
        Some(Audience {
            id: format!("tenant:{id}"),
            tenant: Some(id.clone()),
            email: told.email.clone()?,
            language: told.language,
            zone: resources.tenant.time_zone.clone(),
            digest: told.digest,
        })
    });
    operator.cloned().into_iter().chain(tenants).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> OperatorArgs {
        OperatorArgs {
            operator_mail_to: vec!["ops@pbx.example".into()],
            operator_smtp: Some("mail.pbx.example".into()),
            ..OperatorArgs::default()
        }
    }

    #[test]
    fn the_operator_is_told_of_everything_and_a_tenant_of_its_own() {
        let (acme, beta): (TenantId, TenantId) = ("acme".parse().unwrap(), "beta".parse().unwrap());
        let operator = args().audience().unwrap().unwrap();
        assert_eq!((operator.email.from.as_str(), operator.email.smtp.port), ("ops@pbx.example", 465));
        let tenant = Audience { tenant: Some(acme.clone()), ..operator.clone() };
        for (whose, operators, acmes) in
            [(Some(&acme), true, true), (Some(&beta), true, false), (None, true, false)]
        {
            assert_eq!((operator.hears_of(whose), tenant.hears_of(whose)), (operators, acmes));
        }
    }

    #[test]
    fn what_cannot_be_used_is_said_before_the_first_fault() {
        assert!(OperatorArgs::default().audience().unwrap().is_none());
        let port = OperatorArgs { operator_smtp: Some("mail:2525".into()), ..args() };
        assert_eq!(port.audience().unwrap().unwrap().email.smtp.port, 2525);
        for (bad, said) in [
            (OperatorArgs { operator_smtp: None, ..args() }, "--operator-smtp"),
            (OperatorArgs { operator_mail_to: vec![], ..args() }, "--operator-mail-to"),
            (OperatorArgs { operator_mail_to: vec!["ops".into()], ..args() }, "mail addresses"),
            (OperatorArgs { operator_smtp: Some("mail:x".into()), ..args() }, "port"),
            (OperatorArgs { operator_smtp_user: Some("me".into()), ..args() }, "go together"),
        ] {
            let error = bad.audience().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
