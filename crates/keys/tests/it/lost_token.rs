//! A token that goes away and comes back, sessions that the token closed, and few sessions.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use keys::{KeyError, KeyFault, RsaBits};

use crate::token_process::{again, new_key, options, prepared, step, text, with_token_folder};

const HASH_LIST: &[u8] = b"a hash list\n";

/// Tries until it goes well; what is tried must not fail for ever.
fn in_the_end<T>(what: &str, mut attempt: impl FnMut() -> Result<T, KeyError>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < deadline, "{what}: {error}"),
        }
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_token_that_was_away_signs_again_when_it_is_back() {
    with_token_folder(|folder| {
        let options = prepared(folder);
        let set = keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap();
        let (rsa, log) = (set.signing.sign(HASH_LIST).unwrap(), set.log.sign(HASH_LIST).unwrap());
        let (tokens, away) = (folder.join("tokens"), folder.join("away"));
        for _ in 0..2 {
            fs::rename(&tokens, &away).unwrap();
            for _ in 0..3 {
                let errors = [
                    set.signing.sign(HASH_LIST).unwrap_err(),
                    set.log.sign(HASH_LIST).unwrap_err(),
                    keys::open(&options, &options.key).unwrap_err(),
                ];
                for error in errors {
                    assert_eq!(error.fault(), KeyFault::Token, "{error}");
                }
            }
            fs::rename(&away, &tokens).unwrap();
            // The keys that were open, and such as are opened now.
            assert_eq!(in_the_end("signing", || set.signing.sign(HASH_LIST)), rsa);
            assert_eq!(in_the_end("log", || set.log.sign(HASH_LIST)), log);
            let opened = in_the_end("opening", || keys::open(&options, &options.key));
            assert_eq!(opened.signing.key_id(), set.signing.key_id());
        }
    });
}

#[test]
fn a_token_that_was_away_at_the_start_is_found_when_it_comes() {
    with_token_folder(|folder| {
        let (tokens, away) = (folder.join("tokens"), folder.join("away"));
        if step() == "start" {
            let options = options(folder);
            let error = keys::open(&options, &options.key).unwrap_err();
            assert_eq!(error.fault(), KeyFault::Token, "{error}");
            // Not even the folder was there, now it is, and empty.
            fs::create_dir(&tokens).unwrap();
            let error = keys::open(&options, &options.key).unwrap_err();
            assert!(matches!(error, KeyError::TokenMissing(_)), "{error}");
            fs::remove_dir(&tokens).unwrap();
            fs::rename(&away, &tokens).unwrap();
            in_the_end("opening", || keys::open(&options, &options.key));
            return;
        }
        let options = prepared(folder);
        keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap();
        fs::rename(&tokens, &away).unwrap();
        let output = again(folder, "start");
        assert!(output.status.success(), "{}", text(&output));
    });
}

#[test]
fn threads_that_sign_while_the_token_goes_and_comes_make_right_signatures_or_none() {
    with_token_folder(|folder| {
        let options = prepared(folder);
        let set = keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap();
        let expected = set.signing.sign(HASH_LIST).unwrap();
        let (tokens, away) = (folder.join("tokens"), folder.join("away"));
        let over = std::sync::atomic::AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !over.load(std::sync::atomic::Ordering::Relaxed) {
                        if let Ok(signature) = set.signing.sign(HASH_LIST) {
                            assert_eq!(signature, expected);
                        }
                    }
                });
            }
            for _ in 0..3 {
                fs::rename(&tokens, &away).unwrap();
                let failed = || match set.log.sign(HASH_LIST) {
                    Err(_) => Ok(()),
                    Ok(_) => Err(KeyError::NotSaid("the token is still there")),
                };
                in_the_end("noticing", failed);
                fs::rename(&away, &tokens).unwrap();
                in_the_end("signing", || set.signing.sign(HASH_LIST));
            }
            over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    });
}

#[test]
fn sessions_that_ended_behind_our_back_are_opened_again() {
    with_token_folder(|folder| {
        let options = prepared(folder);
        let set = keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap();
        let (rsa, log) = (set.signing.sign(HASH_LIST).unwrap(), set.log.sign(HASH_LIST).unwrap());
        let library = cryptoki::context::Pkcs11::new(options.pkcs11_module.unwrap()).unwrap();
        // As another user of the library in this process may do it: all sessions end, the login as well.
        library.clone().finalize().unwrap();
        assert_eq!(in_the_end("signing", || set.signing.sign(HASH_LIST)), rsa);
        assert_eq!(in_the_end("log", || set.log.sign(HASH_LIST)), log);
        library.clone().finalize().unwrap();
        let start =
            cryptoki::context::CInitializeArgs::new(cryptoki::context::CInitializeFlags::OS_LOCKING_OK);
        library.initialize(start).unwrap();
        assert_eq!(in_the_end("log", || set.log.sign(HASH_LIST)), log);
        assert_eq!(in_the_end("signing", || set.signing.sign(HASH_LIST)), rsa);
    });
}

#[test]
fn more_threads_than_sessions_wait_for_each_other() {
    with_token_folder(|folder| {
        let mut options = prepared(folder);
        options.pkcs11_sessions = 2.try_into().unwrap();
        let set = keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap();
        let expected = set.signing.sign(HASH_LIST).unwrap();
        let module = options.pkcs11_module.clone().unwrap();
        let library = cryptoki::context::Pkcs11::new(module).unwrap();
        let slot = library.get_slots_with_initialized_token().unwrap()[0];
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        assert_eq!(set.signing.sign(HASH_LIST).unwrap(), expected);
                        // SoftHSM says how many are open: two that sign and the log key's.
                        if let Some(open) = library.get_token_info(slot).unwrap().session_count() {
                            assert!(open <= 3, "{open} sessions");
                        }
                    }
                });
            }
        });
    });
}
