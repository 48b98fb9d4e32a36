//! `callseal key` with keys in Azure Key Vault.

use std::{path::Path, process::Command};

use harness::key_vault::{CLIENT, Instead, KeyVault, Protection, TENANT};

/// Runs `callseal key`: its exit code, standard output, and standard error.
async fn key(vault: &KeyVault, dir: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callseal"));
    command.arg("key").args(words).current_dir(dir).env("CALLSEAL_KEY_PROVIDER", "azure");
    command.env("CALLSEAL_AZURE_KEY_VAULT", vault.url()).env("AZURE_AUTHORITY_HOST", vault.url());
    command.env("AZURE_TENANT_ID", TENANT).env("AZURE_CLIENT_ID", CLIENT);
    command.env("CALLSEAL_AZURE_CLIENT_SECRET_FILE", vault.secret());
    command.env("CALLSEAL_KEY_SERVICE_CA", vault.ca()).env("CALLSEAL_KEY_CERTIFICATES", dir.join("keys"));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code().unwrap(), out, err)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_shown_and_checked_and_a_fault_tells_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let vault = KeyVault::start(&dir.path().join("vault")).await.unwrap();
    let init = ["init", "--holder", "Acme AG", "--installation", "headquarters"];
    let (code, _, err) = key(&vault, dir.path(), &init).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(vault.protection("callseal"), Some(Protection::Hsm));
    let (code, pem, _) = key(&vault, dir.path(), &["show", "--pem"]).await;
    assert_eq!((code, &pem), (0, &std::fs::read_to_string(dir.path().join("keys/callseal.pem")).unwrap()));
    let (code, out, err) = key(&vault, dir.path(), &["check"]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(format!("{out}{err}").contains("ECDSA P-256, signs"), "{out}{err}");

    let (code, _, err) = key(&vault, dir.path(), &init).await;
    assert!(code != 0 && err.contains("a key is never replaced"), "{err}");
    assert_eq!(vault.versions("callseal"), 1);

    for _ in 0..2 {
        vault.instead(Instead::Refuse { status: 403, code: "ForbiddenByRbac", retry_after: None });
    }
    let (code, out, err) = key(&vault, dir.path(), &["check"]).await;
    let said = format!("{out}{err}");
    assert!(code == 1 && said.contains("Key Vault Crypto User") && said.contains("identity"), "{said}");
}
