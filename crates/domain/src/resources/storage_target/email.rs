//! Mailboxes that recordings are sent to (F-85).

use serde::Deserialize;

use super::Schedule;
use crate::resources::{FieldPath, Secrets, SmtpServer, SmtpSpec, field::Findings, smtp::mail_address};

/// Mailboxes. They do not keep: a recording that went nowhere else stays in staging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailTarget {
    /// Who gets each recording, at least one.
    pub to: Vec<String>,
    /// Who the mails are from.
    pub from: String,
    /// What stands above them; `None`: that it is a recording, and of when.
    pub subject: Option<String>,
    /// A larger recording goes without its audio, in 1,000,000 bytes of files.
    pub max_megabytes: u32,
    /// The server that takes the mails.
    pub smtp: SmtpServer,
    /// When what has come until then is sent; `None`: at once.
    pub at: Option<Schedule>,
}

impl EmailTarget {
    /// The most megabytes that a mail may carry: most servers take less.
    pub const MOST_MEGABYTES: u32 = 100;
}

/// The raw form of an [`EmailTarget`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmailSpec {
    /// Who gets each recording.
    pub to: Vec<String>,
    /// Who the mails are from.
    pub from: String,
    /// What stands above them.
    #[serde(default)]
    pub subject: Option<String>,
    /// 20 by default.
    #[serde(default)]
    pub max_megabytes: Option<u32>,
    /// The server that takes the mails.
    pub smtp: SmtpSpec,
    /// When what has come until then is sent.
    #[serde(default)]
    pub at: Option<String>,
}

impl EmailSpec {
    pub(super) fn validate(
        &self,
        path: &FieldPath,
        secrets: &Secrets,
        findings: &mut Findings,
    ) -> Option<EmailTarget> {
        if self.to.is_empty() {
            findings.add(path.key("to"), "must name at least one mail address");
        }
        for (i, address) in self.to.iter().enumerate() {
            mail_address(address, &path.key("to").index(i), findings);
            if self.to[..i].iter().any(|other| other.eq_ignore_ascii_case(address)) {
                findings.add(path.key("to").index(i), "stands in the list already");
            }
        }
        mail_address(&self.from, &path.key("from"), findings);
        let subject = self.subject.as_ref();
        if subject.is_some_and(|text| text.trim().is_empty() || text.chars().any(char::is_control)) {
            findings.add(path.key("subject"), "must be one line, and not empty");
        }
        let most = EmailTarget::MOST_MEGABYTES;
        let max_megabytes = self.max_megabytes.unwrap_or(20);
        if !(1..=most).contains(&max_megabytes) {
            findings.add(path.key("maxMegabytes"), format!("must be 1 to {most}"));
        }
        let at = findings.parse(path.key("at"), self.at.as_deref());
        Some(EmailTarget {
            to: self.to.clone(),
            from: self.from.clone(),
            subject: self.subject.clone(),
            max_megabytes,
            smtp: self.smtp.validate(&path.key("smtp"), secrets, findings)?,
            at,
        })
    }
}
