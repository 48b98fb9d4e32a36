//! What an authority answers (RFC 3161 § 2.4.2).

use super::{
    TimeStampError, TimeStampToken,
    der::{BIT_STRING, INTEGER, NotDer, SEQUENCE, Values, small_integer},
};

/// Why an answer holds no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Not a `TimeStampResp`.
    #[error("the answer is not a time-stamp response (RFC 3161)")]
    NotResponse,
    /// The authority declines.
    #[error("the time-stamp authority refuses: {reason}")]
    Refused {
        /// In our words; the authority's own text is not repeated.
        reason: &'static str,
    },
    /// It agrees, but the token cannot be read.
    #[error("the time-stamp response holds no token that can be read")]
    Token(#[source] TimeStampError),
}

/// The token in a `TimeStampResp`, not yet verified.
///
/// # Errors
/// It is no such response, or a refusal.
pub fn token_of_response(der: &[u8]) -> Result<TimeStampToken, ResponseError> {
    let (granted, reason, token) = read(der).map_err(|NotDer| ResponseError::NotResponse)?;
    if !granted {
        return Err(ResponseError::Refused { reason });
    }
    let token = token.ok_or(ResponseError::NotResponse)?;
    TimeStampToken::from_der(token).map_err(ResponseError::Token)
}

/// Whether a token was granted, why not, and the token.
fn read(der: &[u8]) -> Result<(bool, &'static str, Option<&[u8]>), NotDer> {
    let mut response = Values::inside(der, SEQUENCE)?;
    let mut status_info = response.enter(SEQUENCE)?;
    // 0 granted, 1 granted with modifications.
    let granted = small_integer(status_info.take(INTEGER)?)? <= 1;
    status_info.optional(SEQUENCE)?;
    let failure = status_info.optional(BIT_STRING)?.map(|value| value.content);
    status_info.end()?;
    let token = response.optional(SEQUENCE)?.map(|value| value.whole);
    response.end()?;
    Ok((granted, failure.map_or(UNSAID, reason), token))
}

const UNSAID: &str = "it gives no reason";

/// The reason in a PKIFailureInfo.
fn reason(bits: &[u8]) -> &'static str {
    let Some((_, bytes)) = bits.split_first() else { return UNSAID };
    let set = |bit: usize| bytes.get(bit / 8).is_some_and(|byte| byte & 0x80 >> (bit % 8) != 0);
    let known = [
        (0, "it does not accept SHA-256"),
        (2, "it does not permit this request"),
        (5, "it could not read the request"),
        (14, "its clock is out of order"),
        (15, "it does not support the policy"),
        (16, "it does not support an extension"),
        (17, "it lacks further information"),
        (25, "it has a failure"),
    ];
    known.iter().find(|(bit, _)| set(*bit)).map_or(UNSAID, |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::der::encode;

    #[test]
    fn a_refusal_is_told_in_words() {
        let refusal = |failure: &[u8]| {
            let info = [encode(INTEGER, &[2]), encode(BIT_STRING, failure)].concat();
            token_of_response(&encode(SEQUENCE, &encode(SEQUENCE, &info))).unwrap_err().to_string()
        };
        assert_eq!(refusal(&[7, 0x80]), "the time-stamp authority refuses: it does not accept SHA-256");
        assert_eq!(refusal(&[1, 0, 2]), "the time-stamp authority refuses: its clock is out of order");
        assert_eq!(refusal(&[6, 0, 0, 0, 0x40]), "the time-stamp authority refuses: it has a failure");
        assert_eq!(refusal(&[]), "the time-stamp authority refuses: it gives no reason");
    }

    #[test]
    fn what_is_no_response_is_refused() {
        let granted = encode(SEQUENCE, &encode(SEQUENCE, &encode(INTEGER, &[0])));
        for bad in [&b""[..], b"<html>", &granted, &[0x30, 0]] {
            assert_eq!(token_of_response(bad), Err(ResponseError::NotResponse), "{bad:?}");
        }
    }
}
