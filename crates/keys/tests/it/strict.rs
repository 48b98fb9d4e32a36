//! What real HSMs refuse and SoftHSM never does: more sessions than they have, and a PIN that is locked.
//! A small module of ours stands before SoftHSM and refuses that; the way to it, and everything else, is
//! the real one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use keys::{KeyError, KeyFault, KeyOptions, RsaBits, softhsm};

use crate::token_process::{again_with, new_key, options, prepared, step, text, with_token_folder, words};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/strict_module/module.c");
const HASH_LIST: &[u8] = b"0123  a.wav\n";

/// The module, built with the C compiler that Rust links with.
fn module(folder: &Path) -> PathBuf {
    let module = folder.join("strict.so");
    let mut build = Command::new("cc");
    build.args(["-shared", "-fPIC", "-o"]).arg(&module).args([SOURCE, "-ldl", "-lpthread"]);
    assert!(build.status().unwrap().success());
    module
}

/// Makes the keys, then runs the test's second step against a token that is as strict as `variables` say.
fn against_a_strict_token(folder: &Path, variables: &[(&str, &str)]) {
    let options = prepared(folder);
    keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap();
    module(folder);
    let real = softhsm::find_module().unwrap();
    let variables = [variables, &[("STRICT_MODULE", real.to_str().unwrap())]].concat();
    let output = again_with(folder, "strict", &variables);
    println!("{}", text(&output));
    assert!(output.status.success(), "{}", text(&output));
}

fn strict(folder: &Path) -> KeyOptions {
    KeyOptions { pkcs11_module: Some(folder.join("strict.so")), ..options(folder) }
}

#[test]
fn a_token_with_fewer_sessions_than_wanted_signs_with_those_it_has() {
    with_token_folder(|folder| {
        if step().is_empty() {
            return against_a_strict_token(folder, &[("STRICT_SESSIONS", "3")]);
        }
        let mut options = strict(folder);
        options.pkcs11_sessions = 8.try_into().unwrap();
        let set = keys::open(&options, &options.key).unwrap();
        let expected = set.signing.sign(HASH_LIST).unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        assert_eq!(set.signing.sign(HASH_LIST).unwrap(), expected);
                    }
                });
            }
        });
        // The log key has its own session, as before.
        set.log.check().unwrap();
        set.signing.certificate_now().unwrap();
    });
}

#[test]
fn a_token_without_a_single_session_to_give_says_so_in_its_own_words() {
    with_token_folder(|folder| {
        if step().is_empty() {
            return against_a_strict_token(folder, &[("STRICT_SESSIONS", "1")]);
        }
        let options = strict(folder);
        let module = cryptoki::context::Pkcs11::new(options.pkcs11_module.clone().unwrap()).unwrap();
        let arguments =
            cryptoki::context::CInitializeArgs::new(cryptoki::context::CInitializeFlags::OS_LOCKING_OK);
        module.initialize(arguments).unwrap();
        let slot = module.get_slots_with_initialized_token().unwrap()[0];
        // Somebody else has it.
        let held = module.open_ro_session(slot).unwrap();
        let error = keys::open(&options, &options.key).unwrap_err();
        assert_eq!(error.fault(), KeyFault::Token, "{error}");
        let said = words(&error);
        assert!(said.contains("the HSM refused to open a session"), "{said}");
        drop(held);
    });
}

#[test]
fn a_locked_pin_is_named_and_nothing_is_tried_in_vain() {
    with_token_folder(|folder| {
        if step().is_empty() {
            return against_a_strict_token(folder, &[("STRICT_PIN", "locked")]);
        }
        let options = strict(folder);
        let error = keys::open(&options, &options.key).unwrap_err();
        assert!(matches!(error, KeyError::PinLocked(_)), "{error}");
        assert_eq!(error.fault(), KeyFault::Pin);
        let said = words(&error);
        assert!(said.contains("the PIN of the token 'callseal' is locked"), "{said}");
        assert!(said.contains("its security officer has to set a new one"), "{said}");
    });
}

#[test]
fn a_wrong_pin_is_tried_once_so_that_a_token_that_locks_after_three_is_not_locked() {
    with_token_folder(|folder| {
        if step().is_empty() {
            return against_a_strict_token(folder, &[("STRICT_PIN", "locks")]);
        }
        let options = strict(folder);
        let right = fs::read_to_string(folder.join("pin")).unwrap();
        fs::write(folder.join("pin"), "not-the-pin").unwrap();
        for _ in 0..10 {
            let error = keys::open(&options, &options.key).unwrap_err();
            assert!(matches!(error, KeyError::PinWrong(_)), "{error}");
        }
        fs::write(folder.join("pin"), right).unwrap();
        keys::open(&options, &options.key).unwrap();
    });
}
