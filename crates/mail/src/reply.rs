//! What a mail server answered, without its words.

use std::{error::Error as _, fmt};

use lettre::transport::smtp::Error;

/// The codes of a server's refusal: `550 5.1.1` (RFC 5321 § 4.2, RFC 3463).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits; 4xx passes, 5xx does not.
    pub code: u16,
    /// The enhanced status code, where the server gives one.
    pub status: Option<String>,
}

impl Reply {
    /// Out of an error; `None`: it is no answer of the server.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        let code = error.status()?.into();
        let status = error.source().and_then(|words| enhanced_status(&words.to_string()));
        Some(Self { code, status })
    }

    /// True if it may be another one later.
    pub const fn is_temporary(&self) -> bool {
        self.code < 500
    }

    /// True if the mail is too big for the server or for a mailbox (552; X.2.3, X.3.4).
    pub(crate) fn is_too_big(&self) -> bool {
        match self.status.as_deref().and_then(|status| status.split_once('.')) {
            Some((_, detail)) => matches!(detail, "2.3" | "3.4"),
            None => self.code == 552,
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        match &self.status {
            Some(status) => write!(f, " {status}"),
            None => Ok(()),
        }
    }
}

/// `5.1.1` at the beginning of the words.
fn enhanced_status(words: &str) -> Option<String> {
    let first = words.split_whitespace().next()?;
    let parts: Vec<&str> = first.split('.').collect();
    let number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    (parts.len() == 3 && parts.iter().all(number)).then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_servers_words_only_the_code_at_their_beginning_is_kept() {
        assert_eq!(enhanced_status("5.1.1 <a@b>: unknown").as_deref(), Some("5.1.1"));
        for none in ["", "no such user a@b", "10.0.0.1 is blocked", "5.1 x", "5.1.x y"] {
            assert_eq!(enhanced_status(none), None, "{none}");
        }
    }

    #[test]
    fn a_mail_that_is_too_big_is_known_by_its_status_or_else_by_its_code() {
        let reply =
            |code, status: Option<&str>| Reply { code, status: status.map(str::to_owned) }.is_too_big();
        assert!(reply(552, None) && reply(552, Some("5.3.4")) && reply(552, Some("5.2.3")));
        // A mailbox that is full takes no small mail either.
        assert!(!reply(552, Some("5.2.2")) && !reply(550, None));
    }
}
