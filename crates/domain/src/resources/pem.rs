//! Certificates as PEM text.

use base64::{Engine as _, prelude::BASE64_STANDARD};

/// Whether the text has the form of certificates; whether they are any shows when they are used.
pub(crate) fn check_certificates(pem: &str) -> Result<(), &'static str> {
    const MISSING: &str =
        "must be the authority's root certificate as PEM text: -----BEGIN CERTIFICATE----- and so on";
    const DAMAGED: &str =
        "holds a certificate that is not whole; copy it from -----BEGIN to the END----- line";
    let mut parts = pem.split("-----BEGIN CERTIFICATE-----");
    parts.next();
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return Err(MISSING);
    }
    for part in parts {
        let (body, _) = part.split_once("-----END CERTIFICATE-----").ok_or(DAMAGED)?;
        let packed: String = body.split_ascii_whitespace().collect();
        let der = BASE64_STANDARD.decode(packed).map_err(|_| DAMAGED)?;
        if !is_whole_der_sequence(&der) {
            return Err(DAMAGED);
        }
    }
    Ok(())
}

/// A SEQUENCE whose length (X.690 § 8.1.3, two or three bytes as certificates have) fits the text.
fn is_whole_der_sequence(der: &[u8]) -> bool {
    let length = match der {
        [0x30, 0x81, a, rest @ ..] => (usize::from(*a), rest.len()),
        [0x30, 0x82, a, b, rest @ ..] => (usize::from(u16::from_be_bytes([*a, *b])), rest.len()),
        _ => return false,
    };
    length.0 == length.1
}
