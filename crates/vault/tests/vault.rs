//! Sealing, and the file with the key.

use std::{fs, os::unix::fs::PermissionsExt as _, thread};

use proptest::prelude::*;
use vault::{Vault, VaultError};

#[test]
fn what_is_sealed_is_opened_by_the_next_process_and_differs_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state/vault.key");
    let (one, two) = {
        let vault = Vault::open(&path).unwrap();
        (vault.seal("https://upload.example/?token=1"), vault.seal("https://upload.example/?token=1"))
    };
    assert_ne!(one, two);
    let vault = Vault::open(&path).unwrap();
    for sealed in [one, two] {
        assert_eq!(vault.open_sealed(&sealed).unwrap(), "https://upload.example/?token=1");
        assert!(!sealed.windows(5).any(|window| window == b"token"));
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing unfinished is left");
}

#[test]
fn processes_that_start_together_end_up_with_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.key");
    let vaults: Vec<Vault> = thread::scope(|scope| {
        let starting: Vec<_> = (0..16).map(|_| scope.spawn(|| Vault::open(&path).unwrap())).collect();
        starting.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let sealed = vaults[0].seal("text");
    assert!(vaults.iter().all(|vault| vault.open_sealed(&sealed).unwrap() == "text"));
}

#[test]
fn the_key_of_another_installation_opens_nothing() {
    let sealed = Vault::with_key(&[1; 32]).seal("text");
    assert!(matches!(Vault::with_key(&[2; 32]).open_sealed(&sealed), Err(VaultError::Damaged)));
}

#[test]
fn a_key_file_that_everybody_may_read_or_that_is_damaged_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.key");
    Vault::open(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Vault::open(&path), Err(VaultError::ReadableByAll(_))));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for damaged in ["", "abc", "zz", &"0".repeat(63)] {
        fs::write(&path, damaged).unwrap();
        assert!(matches!(Vault::open(&path), Err(VaultError::FileDamaged(_))), "{damaged:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }
}

#[test]
fn a_key_can_be_handed_over_as_text() {
    let text = format!(" {}\n", "07".repeat(32));
    let vault = Vault::from_key_text(&text).unwrap();
    assert_eq!(Vault::with_key(&[7; 32]).open_sealed(&vault.seal("text")).unwrap(), "text");
    assert!(matches!(Vault::from_key_text("07"), Err(VaultError::NoKey)));
}

proptest! {
    #[test]
    fn any_change_to_a_sealed_text_is_noticed(text in ".{0,80}", at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let vault = Vault::with_key(&[3; 32]);
        let mut sealed = vault.seal(&text);
        prop_assert_eq!(vault.open_sealed(&sealed).unwrap(), text);
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(vault.open_sealed(&sealed).is_err());
        prop_assert!(vault.open_sealed(&sealed[..at]).is_err());
    }
}

#[test]
fn what_is_sealed_for_a_place_opens_there_alone_and_with_this_key_alone() {
    let vault = Vault::with_key(&[3; 32]);
    let sealed = vault.seal_for(&["acme", "login", "password"], "hunter2");
    assert_eq!(vault.open_for(&["acme", "login", "password"], &sealed).unwrap(), "hunter2");
    assert_ne!(vault.seal_for(&["acme", "login", "password"], "hunter2"), sealed);
    for elsewhere in [
        &["globex", "login", "password"][..],
        &["acme", "other", "password"],
        &["acme", "login", "token"],
        &["acme", "loginp", "assword"],
        &["acme", "login", "password", ""],
        &["acmelogin", "password"],
        &[],
    ] {
        assert!(matches!(vault.open_for(elsewhere, &sealed), Err(VaultError::OtherPlace)), "{elsewhere:?}");
    }
    let other = Vault::with_key(&[4; 32]).open_for(&["acme", "login", "password"], &sealed);
    assert!(matches!(other, Err(VaultError::OtherKey)));
    // Neither kind of text is taken for the other one.
    assert!(matches!(vault.open_sealed(&sealed), Err(VaultError::Version(2))));
    assert!(matches!(vault.open_for(&[], &vault.seal("text")), Err(VaultError::Version(1))));
}

#[test]
fn a_key_file_that_is_missing_is_said_to_be_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.key");
    assert!(matches!(Vault::open_existing(&path), Err(VaultError::Missing(_))));
    assert!(!path.exists());
    let sealed = Vault::open(&path).unwrap().seal("text");
    assert_eq!(Vault::open_existing(&path).unwrap().open_sealed(&sealed).unwrap(), "text");
}

proptest! {
    #[test]
    fn any_change_to_a_text_sealed_for_a_place_or_to_the_place_is_noticed(
        text in ".{0,80}",
        place in prop::collection::vec(".{0,8}", 0..4),
        other in prop::collection::vec(".{0,8}", 0..4),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let vault = Vault::with_key(&[3; 32]);
        let (place, other): (Vec<&str>, Vec<&str>) =
            (place.iter().map(String::as_str).collect(), other.iter().map(String::as_str).collect());
        let mut sealed = vault.seal_for(&place, &text);
        prop_assert_eq!(vault.open_for(&place, &sealed).unwrap(), text);
        prop_assert_eq!(vault.open_for(&other, &sealed).is_ok(), place == other);
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(vault.open_for(&place, &sealed).is_err());
        prop_assert!(vault.open_for(&place, &sealed[..at]).is_err());
    }
}
