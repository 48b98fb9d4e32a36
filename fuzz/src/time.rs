//! Time stamps of RFC 3161.

use std::sync::LazyLock;

use evidence::{
    Sha256Hash,
    timestamp::{Authorities, TimeStampToken, token_of_response},
};

/// Whom the seeds are signed by, so that the judgement is reached.
static AUTHORITIES: LazyLock<Authorities> = LazyLock::new(|| {
    Authorities::from_pem(include_str!("../seeds/certificate/authority.pem")).expect("a certificate")
});

/// A token, and the answer of an authority.
pub(crate) fn stamp(data: &[u8]) {
    for token in [TimeStampToken::from_der(data).ok(), token_of_response(data).ok()].into_iter().flatten() {
        let _claimed = token.claimed_time();
        assert!(TimeStampToken::from_der(token.as_der()).is_ok(), "what was kept is read again");
        let _judged = token.verify(&AUTHORITIES, &Sha256Hash::of(b"what was stamped"));
    }
}
