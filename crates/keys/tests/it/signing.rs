//! Keys in a real SoftHSM: made, opened, used, and refused in words.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, thread};

use keys::{
    CertificateSubject, KeyError, Pin, Pkcs11Key, Pkcs11Options, SigningKey, create_key,
    softhsm::{self, SoftHsmToken},
};

use crate::token_process::{again, files, run, step, text, with_token_folder, words};

const HASH_LIST: &[u8] = b"a hash list\n";

fn subject() -> CertificateSubject {
    CertificateSubject {
        holder: "Bank, Söhne + \"Co\" <AG>".to_owned(),
        installation: "acme-1".to_owned(),
        valid_from: "2026-11-22T00:00:00Z".parse().unwrap(),
        years: 30,
    }
}

fn token(folder: &Path) -> SoftHsmToken {
    softhsm::prepare(folder, "callseal").unwrap()
}

#[test]
fn a_new_key_signs_and_openssl_accepts_certificate_and_signature() {
    with_token_folder(|folder| {
        let options = token(folder).key("seal");
        let key = create_key(&options, &subject()).unwrap();
        let signature = key.sign(HASH_LIST).unwrap();
        fs::write(folder.join("callseal.pem"), key.certificate_pem()).unwrap();
        fs::write(folder.join("hash.txt"), HASH_LIST).unwrap();
        fs::write(folder.join("hash.sig"), signature.to_file()).unwrap();

        let shown =
            run("openssl", &["x509", "-in", "callseal.pem", "-noout", "-text", "-nameopt", "utf8"], folder);
        for expected in [
            "Version: 3",
            "Public-Key: (3072 bit)",
            "sha256WithRSAEncryption",
            "Not Before: Nov 22 00:00:00 2026 GMT",
            "Not After : Nov 22 00:00:00 2056 GMT",
            "CA:FALSE",
            "Digital Signature, Non Repudiation",
        ] {
            assert!(shown.contains(expected), "{expected} is not in {shown}");
        }
        let subject = run(
            "openssl",
            &["x509", "-in", "callseal.pem", "-noout", "-subject", "-nameopt", "utf8,sname,sep_multiline"],
            folder,
        );
        assert!(
            subject.contains("CN=acme-1") && subject.contains("O=Bank, Söhne + \"Co\" <AG>"),
            "{subject}"
        );
        run(
            "openssl",
            &["verify", "-check_ss_sig", "-CAfile", "callseal.pem", "-partial_chain", "callseal.pem"],
            folder,
        );

        run("openssl", &["x509", "-in", "callseal.pem", "-noout", "-pubkey", "-out", "pub.pem"], folder);
        run("openssl", &["base64", "-d", "-in", "hash.sig", "-out", "sig.bin"], folder);
        run(
            "openssl",
            &["dgst", "-sha256", "-verify", "pub.pem", "-signature", "sig.bin", "hash.txt"],
            folder,
        );
        // The key id is what anybody can work out from the certificate.
        run("openssl", &["pkey", "-pubin", "-in", "pub.pem", "-outform", "DER", "-out", "pub.der"], folder);
        assert!(run("sha256sum", &["pub.der"], folder).starts_with(&key.key_id().to_string()));
    });
}

#[test]
fn an_opened_key_makes_the_same_signature_again_also_from_many_threads() {
    with_token_folder(|folder| {
        let options = token(folder).key("seal");
        let made = create_key(&options, &subject()).unwrap();
        let opened = Pkcs11Key::open(&options).unwrap();
        assert_eq!(opened.key_id(), made.key_id());
        assert_eq!(opened.certificate_pem(), made.certificate_pem());
        let expected = made.sign(HASH_LIST).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10).for_each(|_| assert_eq!(opened.sign(HASH_LIST).unwrap(), expected)));
            }
        });
    });
}

#[test]
fn a_key_that_was_logged_out_logs_in_again_and_signs() {
    with_token_folder(|folder| {
        let token = token(folder);
        let key = create_key(&token.key("seal"), &subject()).unwrap();
        let expected = key.sign(HASH_LIST).unwrap();
        // A logout holds for the whole process, as when an HSM restarts.
        let library = cryptoki::context::Pkcs11::new(&token.module).unwrap();
        for _ in 0..2 {
            let slot = library.get_slots_with_initialized_token().unwrap()[0];
            let session = library.open_ro_session(slot).unwrap();
            session.logout().unwrap();
            assert_eq!(key.sign(HASH_LIST).unwrap(), expected);
        }
    });
}

#[test]
fn the_private_key_cannot_be_read_out_of_the_token() {
    with_token_folder(|folder| {
        let token = token(folder);
        create_key(&token.key("seal"), &subject()).unwrap();
        let pin = fs::read_to_string(&token.pin_file).unwrap();
        let module = token.module.to_string_lossy().into_owned();
        let shown = run(
            "pkcs11-tool",
            &["--module", &module, "--login", "--pin", &pin, "-O", "--type", "privkey"],
            folder,
        );
        assert!(shown.contains("sensitive, always sensitive, never extractable, local"), "{shown}");
        assert!(shown.contains("sign") && !shown.contains("decrypt"), "{shown}");
    });
}

#[test]
fn a_second_key_of_the_same_label_is_refused_and_the_first_stays() {
    with_token_folder(|folder| {
        let options = token(folder).key("seal");
        let first = create_key(&options, &subject()).unwrap();
        let error = create_key(&options, &subject()).unwrap_err();
        assert!(matches!(error, KeyError::KeyExists { .. }), "{error}");
        assert_eq!(Pkcs11Key::open(&options).unwrap().key_id(), first.key_id());
        // Another label is another key.
        assert_ne!(
            create_key(&Pkcs11Options { key: "seal-2".into(), ..options }, &subject()).unwrap().key_id(),
            first.key_id()
        );
    });
}

#[test]
fn a_wrong_pin_is_said_once_and_never_tried_again() {
    with_token_folder(|folder| {
        if step() == "wrong" {
            let right = token(folder).key("seal");
            let wrong = Pkcs11Options { pin: Pin::Given("not-the-pin".into()), ..right.clone() };
            for _ in 0..2 {
                let error = Pkcs11Key::open(&wrong).unwrap_err();
                assert!(matches!(error, KeyError::PinWrong(_)), "{error}");
                assert!(error.to_string().contains("'callseal' refused the PIN"), "{error}");
                assert!(!words(&error).contains("not-the-pin"), "{error}");
            }
            // The right one is still welcome in the same process.
            Pkcs11Key::open(&right).unwrap();
            return;
        }
        create_key(&token(folder).key("seal"), &subject()).unwrap();
        // A login holds for a whole process: the wrong PIN needs one that has not logged in.
        let output = again(folder, "wrong");
        assert!(output.status.success(), "{}", text(&output));
    });
}

#[test]
fn what_is_missing_is_named() {
    with_token_folder(|folder| {
        let options = token(folder).key("seal");
        let error = Pkcs11Key::open(&options).unwrap_err();
        assert!(matches!(error, KeyError::KeyMissing { .. }), "{error}");

        let other = Pkcs11Options { token_label: "nobody".into(), ..options.clone() };
        let error = Pkcs11Key::open(&other).unwrap_err();
        assert!(
            matches!(error, KeyError::TokenMissing(_)) && error.to_string().contains("'nobody'"),
            "{error}"
        );

        for module in ["/no/such/library.so", "/etc/hostname"] {
            let other = Pkcs11Options { module: module.into(), ..options.clone() };
            let error = Pkcs11Key::open(&other).unwrap_err();
            assert!(matches!(error, KeyError::Module(..)) && error.to_string().contains(module), "{error}");
        }
        let other = Pkcs11Options { pin: Pin::File(folder.join("no-pin")), ..options };
        let error = Pkcs11Key::open(&other).unwrap_err();
        assert!(matches!(error, KeyError::PinFile(..)) && words(&error).contains("No such file"), "{error}");
    });
}

#[test]
fn a_key_whose_creation_was_cut_short_is_finished_not_replaced() {
    with_token_folder(|folder| {
        let token = token(folder);
        let options = token.key("seal");
        let pin = fs::read_to_string(&token.pin_file).unwrap();
        let module = token.module.to_string_lossy().into_owned();
        // As a crash between key pair and certificate leaves it.
        let made =
            ["--keypairgen", "--key-type", "rsa:3072", "--label", "seal", "--id", "07", "--usage-sign"];
        run(
            "pkcs11-tool",
            &[&["--module", module.as_str(), "--login", "--pin", &pin], &made[..]].concat(),
            folder,
        );
        let error = Pkcs11Key::open(&options).unwrap_err();
        assert!(matches!(error, KeyError::CertificateMissing { .. }), "{error}");
        let key = create_key(&options, &subject()).unwrap();
        assert_eq!(Pkcs11Key::open(&options).unwrap().key_id(), key.key_id());
        assert!(matches!(create_key(&options, &subject()), Err(KeyError::KeyExists { .. })));
    });
}

#[test]
fn a_key_that_vanished_is_not_replaced_while_anything_of_it_is_left() {
    with_token_folder(|folder| {
        let options = token(folder).key("seal");
        if step() == "create again" {
            assert!(matches!(Pkcs11Key::open(&options), Err(KeyError::KeyDamaged { .. })));
            assert!(matches!(create_key(&options, &subject()), Err(KeyError::KeyExists { .. })));
            return;
        }
        create_key(&options, &subject()).unwrap();
        let objects = files(&folder.join("tokens"), ".object");
        let private = objects.iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
        fs::remove_file(private).unwrap();
        let output = again(folder, "create again");
        assert!(output.status.success(), "{}", text(&output));
    });
}

#[test]
fn preparing_the_token_again_keeps_it_and_its_secrets_are_for_this_user_alone() {
    with_token_folder(|folder| {
        let first = token(folder);
        let key = create_key(&first.key("seal"), &subject()).unwrap();
        assert_eq!(token(folder), first);
        assert_eq!(Pkcs11Key::open(&first.key("seal")).unwrap().key_id(), key.key_id());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&first.pin_file), mode(&folder.join("so-pin")), mode(&folder.join("tokens"))),
            (0o600, 0o600, 0o700)
        );
    });
}

#[test]
fn without_the_variable_in_the_environment_the_token_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    softhsm::write_conf(folder.path()).unwrap();
    let error = softhsm::prepare(folder.path(), "callseal").unwrap_err();
    assert!(words(&error).contains("SOFTHSM2_CONF"), "{}", words(&error));
}

#[test]
fn a_damaged_key_file_gives_an_error_and_never_a_wrong_signature() {
    with_token_folder(|folder| {
        let options = token(folder).key("seal");
        if step() == "sign" {
            let signed = Pkcs11Key::open(&options).and_then(|key| key.sign(HASH_LIST));
            fs::write(folder.join("outcome"), signed.map_or_else(|e| words(&e), |s| s.to_base64())).unwrap();
            return;
        }
        let expected = create_key(&options, &subject()).unwrap().sign(HASH_LIST).unwrap().to_base64();
        // The private key is the largest object: RSA-3072 with its primes.
        let objects = files(&folder.join("tokens"), ".object");
        let file = objects.iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
        let whole = fs::read(file).unwrap();
        let mut errors = Vec::new();
        for number in 0..40 {
            let mut damaged = whole.clone();
            // One byte, then two: OpenSSL notices a wrong prime and falls back to the private exponent.
            let at = number * 97 % whole.len();
            damaged[at] ^= 0x55;
            if number >= 20 {
                damaged[(at + whole.len() / 3) % whole.len()] ^= 0x55;
            }
            fs::write(file, &damaged).unwrap();
            let _ = fs::remove_file(folder.join("outcome"));
            again(folder, "sign");
            // No outcome: SoftHSM itself broke down over the file. That is no signature either.
            let outcome = fs::read_to_string(folder.join("outcome")).unwrap_or_else(|_| "crashed".into());
            if outcome != expected {
                errors.push(outcome);
            }
        }
        assert!(!errors.is_empty(), "no damage had an effect: the test does not reach the key");
        for error in &errors {
            assert!(error.contains(' ') || error == "crashed", "a wrong signature came out: {error}");
        }
        println!("{} of 40 damages were noticed: {errors:#?}", errors.len());
        fs::write(file, &whole).unwrap();
        again(folder, "sign");
        assert_eq!(fs::read_to_string(folder.join("outcome")).unwrap(), expected);
    });
}
