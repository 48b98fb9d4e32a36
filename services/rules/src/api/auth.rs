//! Who may use the API: whoever shows one of the tenant's tokens.

use domain::Sensitive;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Whether `shown` is one of `tokens`. Takes as long for a wrong token as for a right one, whatever
/// they share: hashes of equal length are compared, each with each.
pub(crate) fn is_one_of(tokens: &[Sensitive<String>], shown: &str) -> bool {
    let shown = Sha256::digest(shown.as_bytes());
    let fits = |token: &Sensitive<String>| Sha256::digest(token.expose().as_bytes()).ct_eq(&shown);
    tokens.iter().fold(Choice::from(0), |found, token| found | fits(token)).into()
}

/// The token of an `Authorization` header.
pub(crate) fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_token_opens() {
        let tokens = ["0123456789abcdef".into(), "fedcba9876543210".into()];
        assert!(is_one_of(&tokens, "fedcba9876543210"));
        for wrong in ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF"] {
            assert!(!is_one_of(&tokens, wrong), "{wrong:?}");
        }
        assert!(!is_one_of(&[], ""), "no tokens, no access");
    }

    #[test]
    fn a_bearer_token_is_taken_from_its_header_alone() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        for wrong in ["Basic abc", "abc", ""] {
            assert_eq!(bearer(wrong), None);
        }
    }
}
