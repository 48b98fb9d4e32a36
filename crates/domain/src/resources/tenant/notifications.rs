//! Who gets mails when something is wrong, in which language and how often (F-77, F-82, F-83).

use std::{str::FromStr, time::Duration};

use jiff::SignedDuration;
use serde::Deserialize;

use crate::resources::{
    FieldPath, Secrets, SmtpServer, SmtpSpec,
    field::Findings,
    smtp::{is_mail_address, mail_address},
};

/// How often what is still wrong is listed, where nobody says.
const DIGEST: Duration = Duration::from_secs(24 * 3600);

/// A digest that came oftener would be the one mail per attempt that it is there to prevent.
const LEAST_DIGEST: Duration = Duration::from_secs(3600);

/// One that came more seldom would be forgotten.
const MOST_DIGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Who is told of what is wrong.
#[derive(Debug, Clone)]
pub struct Notifications {
    /// Where the mails go; `None`: the operator of the installation alone is told. Filled when all
    /// resources of the tenant are together.
    pub email: Option<EmailNotices>,
    /// The language of the mails.
    pub language: Language,
    /// How often what is still wrong is listed.
    pub digest: Duration,
    /// As it is written.
    spec: NotificationsSpec,
}

/// Mails to people who mend things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailNotices {
    /// Who gets them, at least one.
    pub to: Vec<String>,
    /// Who they are from.
    pub from: String,
    /// The server that takes them.
    pub smtp: SmtpServer,
}

/// A language that mails are written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// German.
    De,
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::De, Self::En, Self::Fr];

    /// Its tag (BCP 47).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
            Self::Fr => "fr",
        }
    }
}

/// A text that is none of the languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a language of the mails; use de, en or fr")]
pub struct UnknownLanguage;

impl FromStr for Language {
    type Err = UnknownLanguage;
    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL.into_iter().find(|language| language.as_str() == text).ok_or(UnknownLanguage)
    }
}

/// How often a digest comes, as people write it: `every 24 h`, or `24h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every(pub Duration);

/// A text that says no such time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a time of 1 to 168 hours, for example \"every 24 h\"")]
pub struct InvalidEvery;

impl Default for Every {
    fn default() -> Self {
        Self(DIGEST)
    }
}

impl FromStr for Every {
    type Err = InvalidEvery;
    fn from_str(text: &str) -> Result<Self, InvalidEvery> {
        let text = text.trim();
        let span: SignedDuration =
            text.strip_prefix("every ").unwrap_or(text).trim().parse().map_err(|_| InvalidEvery)?;
        let every = Duration::try_from(span).map_err(|_| InvalidEvery)?;
        if (LEAST_DIGEST..=MOST_DIGEST).contains(&every) { Ok(Self(every)) } else { Err(InvalidEvery) }
    }
}

/// The raw form of [`Notifications`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NotificationsSpec {
    /// Where the mails go.
    pub email: Option<EmailNoticesSpec>,
    /// `de`, `en` (default) or `fr`.
    pub language: Option<String>,
    /// `every 24 h` by default.
    pub digest: Option<String>,
}

/// The raw form of [`EmailNotices`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmailNoticesSpec {
    /// Mail addresses.
    pub to: Vec<String>,
    /// A mail address.
    pub from: String,
    /// The server that takes the mails.
    pub smtp: SmtpSpec,
}

impl NotificationsSpec {
    /// Who is told, not known yet.
    pub(super) fn unresolved(&self) -> Notifications {
        let (language, digest) = (Language::default(), DIGEST);
        Notifications { email: None, language, digest, spec: self.clone() }
    }
}

impl Notifications {
    /// Fills in what can be used; what is wrong is noted. Kept apart from the tenant's validation:
    /// a mail address with a fault must not take the tenant's recordings with it.
    pub(crate) fn resolve(&mut self, secrets: &Secrets, findings: &mut Findings) {
        let path = FieldPath::spec().key("notifications");
        let spec = &self.spec;
        self.language = findings.parse(path.key("language"), spec.language.as_deref()).unwrap_or_default();
        let digest: Option<Every> = findings.parse(path.key("digest"), spec.digest.as_deref());
        self.digest = digest.unwrap_or_default().0;
        self.email =
            spec.email.as_ref().and_then(|email| email.usable(&path.key("email"), secrets, findings));
    }
}

impl EmailNoticesSpec {
    /// What of it can be used: one wrong address does not keep the others from being told.
    fn usable(&self, path: &FieldPath, secrets: &Secrets, findings: &mut Findings) -> Option<EmailNotices> {
        if self.to.is_empty() {
            findings.add(path.key("to"), "must name at least one mail address");
        }
        let mut to: Vec<String> = Vec::new();
        for (i, address) in self.to.iter().enumerate() {
            mail_address(address, &path.key("to").index(i), findings);
            if is_mail_address(address) && !to.iter().any(|known| known.eq_ignore_ascii_case(address)) {
                to.push(address.clone());
            }
        }
        mail_address(&self.from, &path.key("from"), findings);
        let mut of_server = Findings::default();
        let smtp = self.smtp.validate(&path.key("smtp"), secrets, &mut of_server);
        // A server with something wrong about it gets no password.
        let smtp = smtp.filter(|_| of_server.is_empty());
        for error in of_server.into_errors() {
            findings.add(error.path, error.reason);
        }
        let smtp = smtp?;
        let usable = !to.is_empty() && is_mail_address(&self.from);
        usable.then(|| EmailNotices { to, from: self.from.clone(), smtp })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::SmtpTls;

    fn spec() -> NotificationsSpec {
        let smtp = SmtpSpec {
            host: "mail.acme.example".into(),
            port: None,
            tls: SmtpTls::StartTls,
            user: None,
            password: None,
            ca_certificate: None,
        };
        NotificationsSpec {
            email: Some(EmailNoticesSpec {
                to: vec!["it@acme.example".into()],
                from: "callseal@acme.example".into(),
                smtp,
            }),
            language: Some("de".into()),
            digest: Some("every 12 h".into()),
        }
    }

    fn resolved(spec: &NotificationsSpec) -> (Notifications, Vec<String>) {
        let (mut notifications, mut findings) = (spec.unresolved(), Findings::default());
        notifications.resolve(&Secrets::default(), &mut findings);
        let errors = findings.into_errors();
        (notifications, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn f82_who_is_told_in_which_language_and_how_often() {
        let (told, errors) = resolved(&spec());
        assert_eq!(errors, [""; 0]);
        assert_eq!((told.language, told.digest), (Language::De, Duration::from_secs(12 * 3600)));
        let email = told.email.unwrap();
        assert_eq!((email.to.as_slice(), email.smtp.port), (["it@acme.example".to_owned()].as_slice(), 587));
        let (nobody, errors) = resolved(&NotificationsSpec::default());
        assert_eq!(errors, [""; 0]);
        assert_eq!((nobody.email, nobody.language, nobody.digest), (None, Language::En, DIGEST));
    }

    #[test]
    fn what_is_wrong_is_said_and_what_is_right_still_counts() {
        let mut spec = spec();
        spec.language = Some("nl".into());
        spec.digest = Some("every minute".into());
        let email = spec.email.as_mut().unwrap();
        email.to = vec!["Erika <erika@acme.example>".into(), "it@acme.example".into()];
        let (told, errors) = resolved(&spec);
        assert_eq!(
            errors,
            [
                "spec.notifications.language: is not a language of the mails; use de, en or fr",
                "spec.notifications.digest: is not a time of 1 to 168 hours, for example \"every 24 h\"",
                "spec.notifications.email.to[0]: is not a mail address such as \"archive@acme.example\"",
            ]
        );
        assert_eq!(told.email.unwrap().to, ["it@acme.example"]);
    }

    #[test]
    fn a_server_whose_password_would_go_in_the_clear_gets_no_mail() {
        let mut spec = spec();
        let email = spec.email.as_mut().unwrap();
        email.smtp.user = Some("callseal".into());
        let (told, errors) = resolved(&spec);
        assert!(told.email.is_none());
        assert_eq!(errors.len(), 1, "{errors:?}");
    }

    #[test]
    fn a_digest_comes_at_least_weekly_and_at_most_hourly() {
        let every = |text: &str| text.parse::<Every>().map(|every| every.0.as_secs() / 60);
        assert_eq!(every("every 24 h"), Ok(24 * 60));
        assert_eq!(every("90m"), Ok(90));
        for text in ["", "every", "every 10 m", "200h", "-24h", "daily"] {
            assert_eq!(every(text), Err(InvalidEvery), "{text}");
        }
    }
}
