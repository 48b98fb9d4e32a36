//! The log key: made with the RSA key or later, and signing as C2SP signed-note wants it.

use std::{fs, path::Path};

use evidence::log::LogPublicKey;
use keys::{KeyError, KeyName, RsaBits};

use crate::token_process::{again, new_key, options, prepared, run, step, text, with_token_folder};

const CHECKPOINT: &[u8] = b"callseal.io/acme-1/acme/0a0b0c0d\n3\nqqq=\n";

/// OpenSSL's verdict, with the public key in the form of RFC 8410 or RFC 5480.
fn judged_by_openssl(folder: &Path, public: &LogPublicKey, signature: &[u8]) {
    fs::write(folder.join("checkpoint"), CHECKPOINT).unwrap();
    fs::write(folder.join("signature"), signature).unwrap();
    let (der, arguments): (Vec<u8>, &[&str]) = match public {
        LogPublicKey::Ed25519(point) => {
            let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
            ([&head, point.as_slice()].concat(), &["-rawin"])
        }
        LogPublicKey::P256(spki) => (spki.clone(), &["-rawin", "-digest", "sha256"]),
    };
    fs::write(folder.join("log.der"), der).unwrap();
    let verify =
        ["pkeyutl", "-verify", "-pubin", "-inkey", "log.der", "-keyform", "DER", "-in", "checkpoint"];
    run("openssl", &[&verify[..], &["-sigfile", "signature"], arguments].concat(), folder);
}

#[test]
fn the_log_key_is_made_with_the_rsa_key_and_openssl_accepts_what_it_signs() {
    with_token_folder(|folder| {
        let options = prepared(folder);
        let made = keys::create(&options, &options.key, &new_key(RsaBits::Rsa3072)).unwrap();
        let LogPublicKey::Ed25519(_) = made.log.public() else { panic!("SoftHSM has Ed25519") };
        let opened = keys::open(&options, &options.key).unwrap();
        assert_eq!(opened.log.public(), made.log.public());
        assert_eq!(opened.signing.key_id(), made.signing.key_id());
        let signature = opened.log.sign(CHECKPOINT).unwrap();
        assert_eq!(signature, made.log.sign(CHECKPOINT).unwrap());
        judged_by_openssl(folder, &opened.log.public(), &signature);
    });
}

#[test]
fn a_log_key_on_p_256_is_taken_where_the_token_has_no_ed25519() {
    with_token_folder(|folder| {
        let options = prepared(folder);
        keys::create_key(&options.pkcs11(&options.key).unwrap(), &new_key(RsaBits::Rsa3072).subject).unwrap();
        let (module, pin) = module_and_pin(folder);
        let made = ["--keypairgen", "--key-type", "EC:prime256v1", "--label", "callseal-log", "--id", "77"];
        run(
            "pkcs11-tool",
            &[&["--module", &module, "--login", "--pin", &pin], &made[..], &["--usage-sign"]].concat(),
            folder,
        );
        let log = keys::open(&options, &options.key).unwrap().log;
        let LogPublicKey::P256(_) = log.public() else { panic!("{:?}", log.public()) };
        // Numbers with a leading zero or a high bit take another number of bytes: often enough to see both.
        for _ in 0..64 {
            judged_by_openssl(folder, &log.public(), &log.sign(CHECKPOINT).unwrap());
        }
    });
}

#[test]
fn a_token_of_an_older_version_gets_its_log_key_once() {
    with_token_folder(|folder| {
        let options = prepared(folder);
        let pkcs11 = options.pkcs11(&options.key).unwrap();
        let old = keys::create_key(&pkcs11, &new_key(RsaBits::Rsa2048).subject).unwrap();
        let error = keys::open(&options, &options.key).unwrap_err();
        assert!(matches!(error, KeyError::LogKeyMissing { .. }), "{error}");
        assert!(error.to_string().contains("callseal key init --log"), "{error}");
        let set = keys::create_log_key(&options, &options.key).unwrap();
        assert_eq!(set.signing.key_id(), keys::SigningKey::key_id(&old));
        let again = keys::create_log_key(&options, &options.key).unwrap_err();
        assert!(matches!(again, KeyError::KeyExists { .. }), "{again}");
        assert_eq!(keys::open(&options, &options.key).unwrap().log.public(), set.log.public());
    });
}

#[test]
fn keys_are_found_by_label_and_by_id() {
    with_token_folder(|folder| {
        let options = prepared(folder);
        let names = [KeyName::label("callseal"), KeyName::label("acme-2026")];
        let made =
            names.clone().map(|name| keys::create(&options, &name, &new_key(RsaBits::Rsa2048)).unwrap());
        assert_ne!(made[0].signing.key_id(), made[1].signing.key_id());
        assert_ne!(made[0].log.public(), made[1].log.public());
        let (module, pin) = module_and_pin(folder);
        let listed = run(
            "pkcs11-tool",
            &["--module", &module, "--login", "--pin", &pin, "-O", "--type", "privkey"],
            folder,
        );
        for (name, made) in names.iter().zip(&made) {
            let label = format!("label:      {name}\n");
            let after = listed.split(label.as_str()).nth(1).expect("the key is listed");
            let id = after.split("ID:         ").nth(1).unwrap().lines().next().unwrap();
            let found = keys::open(&options, &KeyName::from(format!("id:{id}").as_str())).unwrap();
            assert_eq!(found.signing.key_id(), made.signing.key_id());
            assert_eq!(found.log.public(), made.log.public());
        }
        let missing = keys::open(&options, &KeyName::from("id:00ff")).unwrap_err();
        assert!(missing.to_string().contains("id:00ff"), "{missing}");
        let by_id = keys::create(&options, &KeyName::from("id:00ff"), &new_key(RsaBits::Rsa2048));
        assert!(by_id.is_err(), "a key cannot be made by id");
    });
}

#[test]
fn a_creation_that_was_cut_short_after_the_log_key_is_finished() {
    with_token_folder(|folder| {
        let options = prepared(folder);
        let (module, pin) = module_and_pin(folder);
        let made = ["--keypairgen", "--key-type", "EC:edwards25519", "--label", "callseal-log", "--id", "77"];
        run(
            "pkcs11-tool",
            &[&["--module", &module, "--login", "--pin", &pin], &made[..], &["--usage-sign"]].concat(),
            folder,
        );
        let set = keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap();
        assert_eq!(keys::open(&options, &options.key).unwrap().log.public(), set.log.public());
        let again = keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap_err();
        assert!(matches!(again, KeyError::KeyExists { .. }), "{again}");
    });
}

#[test]
fn half_a_log_key_is_damage_and_is_not_replaced() {
    with_token_folder(|folder| {
        if step() == "open" {
            let options = options(folder);
            let error = keys::open(&options, &options.key).unwrap_err();
            assert!(matches!(error, KeyError::KeyDamaged { .. }), "{error}");
            let error = keys::create_log_key(&options, &options.key).unwrap_err();
            assert!(matches!(error, KeyError::KeyDamaged { .. }), "{error}");
            return;
        }
        let options = prepared(folder);
        keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap();
        let (module, pin) = module_and_pin(folder);
        let delete = ["--delete-object", "--type", "pubkey", "--label", "callseal-log"];
        run("pkcs11-tool", &[&["--module", &module, "--login", "--pin", &pin], &delete[..]].concat(), folder);
        let output = again(folder, "open");
        assert!(output.status.success(), "{}", text(&output));
    });
}

#[test]
fn four_threads_sign_checkpoints_through_one_session() {
    with_token_folder(|folder| {
        let options = prepared(folder);
        let log = keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap().log;
        let expected = log.sign(CHECKPOINT).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20).for_each(|_| assert_eq!(log.sign(CHECKPOINT).unwrap(), expected)));
            }
        });
    });
}

fn module_and_pin(folder: &Path) -> (String, String) {
    let token = keys::softhsm::existing(folder, "callseal").unwrap();
    (token.module.to_string_lossy().into_owned(), fs::read_to_string(token.pin_file).unwrap())
}
