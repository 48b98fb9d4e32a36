//! What is signed, and how the signature lies in a note, judged by openssl.

use evidence::log::{Checkpoint, CheckpointError, LogKey, LogKeyError, LogPublicKey, SignedCheckpoint};

use super::{
    built::{TestLog, calls},
    keys::{Kind, TestLogKey},
};

const KINDS: [Kind; 2] = [Kind::Ed25519, Kind::P256];

#[test]
fn openssl_accepts_the_signature_of_a_checkpoint_as_it_stands_in_the_note() {
    for kind in KINDS {
        let log = TestLog::of(kind, &[calls(3)]);
        let text = String::from_utf8(log.files["checkpoint"].clone()).unwrap();
        let (body, line) = text.split_once("\n\n").unwrap();
        let line = line.strip_prefix(&format!("— {} ", log.key.public.name)).unwrap();
        let base64 = line.strip_suffix('\n').unwrap();
        use base64::{Engine, prelude::BASE64_STANDARD};
        let bytes = BASE64_STANDARD.decode(base64).unwrap();
        let (hash, signature) = bytes.split_first_chunk::<4>().unwrap();
        assert_eq!(u32::from_be_bytes(*hash), log.key.public.key_hash(), "{kind:?}");
        assert!(log.key.openssl_accepts(format!("{body}\n").as_bytes(), signature), "{kind:?}");
        assert!(!log.key.openssl_accepts(body.as_bytes(), signature), "{kind:?}: without the last line feed");
    }
}

#[test]
fn a_signature_by_openssl_is_accepted_and_one_over_another_text_is_not() {
    for kind in KINDS {
        let key = TestLogKey::new(kind, "callseal.io/a/b/01234567");
        let signature = key.sign(b"message");
        assert!(key.public.verify(b"message", &signature), "{kind:?}");
        assert!(!key.public.verify(b"massage", &signature), "{kind:?}");
        for at in 0..signature.len() {
            let mut wrong = signature.clone();
            wrong[at] ^= 1;
            assert!(!key.public.verify(b"message", &wrong), "{kind:?}, byte {at}");
        }
        assert!(!key.public.verify(b"message", &signature[1..]), "{kind:?}");
        assert!(!TestLogKey::new(kind, "other").public.verify(b"message", &signature), "{kind:?}");
    }
}

#[test]
fn a_verifier_key_comes_back_and_one_with_another_hash_or_type_is_refused() {
    for kind in KINDS {
        let key = TestLogKey::new(kind, "callseal.io/a/b/01234567").public;
        let vkey = key.vkey();
        assert_eq!(LogKey::parse(&vkey), Ok(key.clone()));
        let hash = format!("+{:08x}+", key.key_hash());
        assert_eq!(LogKey::parse(&vkey.replace(&hash, "+00000000+")), Err(LogKeyError::Hash));
        assert_eq!(
            LogKey::parse(&vkey.replace(&hash, &hash.to_uppercase())).is_ok(),
            hash == hash.to_uppercase()
        );
        assert_eq!(LogKey::parse(&format!(" {vkey}")), Err(LogKeyError::Format));
        // What is left may hold a "+" of Base64, and then looks like something else that is wrong.
        assert!(LogKey::parse(&vkey.replace(&hash, "")).is_err());
        assert_eq!(LogKey::parse(&key.name), Err(LogKeyError::Format));
        assert_eq!(
            LogPublicKey::from_typed_bytes(&[&[9], &key.public.to_typed_bytes()[1..]].concat()),
            Err(LogKeyError::Kind)
        );
    }
}

#[test]
fn a_checkpoint_is_not_made_with_a_signature_of_another_key() {
    for kind in KINDS {
        let (own, other) = (TestLogKey::new(kind, "own"), TestLogKey::new(kind, "own"));
        let checkpoint = Checkpoint { origin: "own".into(), size: 7, root: evidence::Sha256Hash::of(b"") };
        let body = checkpoint.body();
        let wrong = SignedCheckpoint::new(checkpoint.clone(), &own.public, other.sign(body.as_bytes()));
        assert_eq!(wrong, Err(CheckpointError::Signature));
        let good = SignedCheckpoint::new(checkpoint, &own.public, own.sign(body.as_bytes())).unwrap();
        assert!(good.is_signed_by(&own.public));
        assert!(!good.is_signed_by(&other.public));
        let renamed = LogKey { name: "else".into(), ..own.public.clone() };
        assert!(!good.is_signed_by(&renamed));
    }
}
