//! Time stamps from an authority (RFC 3161 § 3.4: over HTTP).

use domain::resources::tenant::evidence::TimeStamps;
use evidence::{
    Sha256Hash,
    timestamp::{Authorities, Nonce, TimeStampRequest, TimeStampToken, token_of_response},
};
use jiff::{SignedDuration, Timestamp};
use reqwest::{
    Client,
    header::{ACCEPT, CONTENT_TYPE},
};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{AttestError, http};

/// A token with a chain of certificates has some kilobytes.
const LONGEST: usize = 256 * 1024;

/// How far the authority's clock may be from ours, beside what it says of its accuracy: our clock
/// counts for what is sealed, so a difference is to be noticed while it is small.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);

/// A time-stamp authority.
#[derive(Debug, Clone)]
pub struct TimeStampAuthority {
    url: String,
    authorities: Authorities,
    client: Client,
}

impl TimeStampAuthority {
    /// The one that a tenant configured. Nothing is sent yet.
    ///
    /// # Errors
    /// [`AttestError::Authorities`], [`AttestError::Client`].
    pub fn new(configured: &TimeStamps) -> Result<Self, AttestError> {
        let authorities = Authorities::from_pem(&configured.authorities).map_err(AttestError::Authorities)?;
        Ok(Self { url: configured.url.clone(), authorities, client: http::client()? })
    }

    /// Has `hash` stamped. The token is verified: it is the answer to this very request, signed by a
    /// certificate for time stamps that leads to a configured one, and its time is that of now.
    ///
    /// # Errors
    /// The authority is away, refuses, or its answer is not good.
    pub async fn stamp(&self, hash: &Sha256Hash) -> Result<TimeStampToken, AttestError> {
        let mut random = [0; 16];
        SystemRandom::new().fill(&mut random).map_err(|_| AttestError::Random)?;
        let request = TimeStampRequest::new(*hash, Nonce::new(random));
        let asked_at = Timestamp::now();
        let sent = self
            .client
            .post(&self.url)
            .header(CONTENT_TYPE, TimeStampRequest::CONTENT_TYPE)
            .header(ACCEPT, "application/timestamp-reply")
            .body(request.to_der());
        let response = http::send(sent).await?;
        if !response.status().is_success() {
            return Err(AttestError::Status(response.status().as_u16()));
        }
        let token =
            token_of_response(&http::body(response, LONGEST).await?).map_err(AttestError::Response)?;
        token.answers(&request).map_err(AttestError::TimeStamp)?;
        let stamp = token.verify(&self.authorities, hash).map_err(AttestError::TimeStamp)?;
        plausible(stamp.time, asked_at, Timestamp::now())?;
        Ok(token)
    }
}

/// The time lies between question and answer, give or take [`TOLERANCE`].
fn plausible(time: Timestamp, asked: Timestamp, answered: Timestamp) -> Result<(), AttestError> {
    let early = asked.duration_since(time);
    let late = time.duration_since(answered);
    let off = early.max(late);
    if off > TOLERANCE { Err(AttestError::Clock(off)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_minutes_off_is_noticed() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        for (time, good) in [(0, true), (5, true), (-299, true), (304, true), (-301, false), (306, false)] {
            assert_eq!(plausible(at(time), at(0), at(5)).is_ok(), good, "{time}");
        }
        let told = plausible(at(-3600), at(0), at(5)).unwrap_err().to_string();
        assert_eq!(told, "its clock differs from this machine's by 3600 seconds: one of the two is wrong");
    }
}
