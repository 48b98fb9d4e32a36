//! Certificates.

use crate::logged::write;
use crate::scene::whole;
use evidence::verify::Keyring;

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "the wrong certificate",
        |copy| {
            let mut keys = Keyring::new();
            keys.add(whole().other_key.certificate.clone());
            copy.trusted = Some(keys);
        },
        "there is no certificate of the key",
    ),
    (
        "the certificate replaced by one of another key",
        |copy| write(&copy.path("callseal.pem"), whole().other_key.pem.as_bytes()),
        "there is no certificate of the key",
    ),
];
