//! Keys in Azure Key Vault, against its HTTP interface.

mod cloud_keys;

use std::{fs, num::NonZeroU64, path::Path};

use cloud_keys::{blocking, new_key, openssl_accepts, shell, told};
use harness::key_vault::{CLIENT, Instead, KeyVault, Protection, TENANT};
use keys::{
    CloudError, KeyError, KeyFault, KeyName, KeyOptions, KeyProvider, azure::AzureOptions,
    cloud::CloudOptions,
};
use tempfile::TempDir;

const KEY: &str = "callseal";
const LOG_KEY: &str = "callseal-log";

fn options(vault: &KeyVault, dir: &Path) -> KeyOptions {
    KeyOptions {
        key_provider: KeyProvider::Azure,
        cloud: CloudOptions {
            key_certificates: Some(dir.join("certificates")),
            key_service_ca: Some(vault.ca()),
            key_service_patience: NonZeroU64::new(20),
            ..CloudOptions::default()
        },
        azure: AzureOptions {
            azure_key_vault: Some(vault.url().to_owned()),
            azure_tenant_id: Some(TENANT.to_owned()),
            azure_client_id: Some(CLIENT.to_owned()),
            azure_client_secret_file: Some(vault.secret()),
            azure_authority_host: Some(vault.url().to_owned()),
            ..AzureOptions::default()
        },
        ..KeyOptions::default()
    }
}

/// A vault with both keys, and how to reach them.
async fn vault_with_keys() -> (TempDir, KeyVault, KeyOptions) {
    let dir = tempfile::tempdir().unwrap();
    let vault = KeyVault::start(&dir.path().join("vault")).await.unwrap();
    let options = options(&vault, dir.path());
    let given = options.clone();
    blocking(move || keys::create(&given, &given.key, &new_key()).map(drop)).await.unwrap();
    vault.seen();
    (dir, vault, options)
}

async fn open(options: &KeyOptions) -> Result<keys::KeySet, KeyError> {
    let options = options.clone();
    blocking(move || keys::open(&options, &options.key)).await
}

fn refuse(status: u16, code: &'static str) -> Instead {
    Instead::Refuse { status, code, retry_after: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_once_in_the_hsm_and_openssl_accepts_what_they_sign() {
    let (dir, vault, options) = vault_with_keys().await;
    for key in [KEY, LOG_KEY] {
        assert_eq!((vault.protection(key), vault.versions(key)), (Some(Protection::Hsm), 1), "{key}");
    }
    let keys = open(&options).await.unwrap();
    let (judged, folder) = (keys.clone(), dir.path().join("judge"));
    blocking(move || openssl_accepts(&judged, &folder)).await;
    let again = open(&options).await.unwrap();
    assert_eq!(again.signing.key_id(), keys.signing.key_id());
    assert_eq!(again.log.public(), keys.log.public());

    // Once: neither with the certificate there nor without it is another key made.
    let certificate = dir.path().join("certificates/callseal.pem");
    for _ in 0..2 {
        let given = options.clone();
        let refused = blocking(move || keys::create(&given, &given.key, &new_key())).await.unwrap_err();
        assert!(matches!(refused, KeyError::Cloud(CloudError::KeyExists { .. })), "{refused}");
        assert_eq!((vault.versions(KEY), vault.versions(LOG_KEY)), (1, 1));
        if certificate.exists() {
            fs::rename(&certificate, dir.path().join("elsewhere")).unwrap();
        }
    }
    let missing = open(&options).await.unwrap_err();
    assert!(told(&missing).contains("has no certificate"), "{missing}");
    assert_eq!(missing.fault(), KeyFault::Key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_of_the_standard_tier_keeps_keys_in_software_only_if_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let vault = KeyVault::start(&dir.path().join("vault")).await.unwrap();
    let mut options = options(&vault, dir.path());
    options.azure.azure_software_keys = true;
    let given = options.clone();
    blocking(move || keys::create(&given, &given.key, &new_key()).map(drop)).await.unwrap();
    assert_eq!(vault.protection(KEY), Some(Protection::Software));
    open(&options).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_asks_to_wait_is_asked_again_when_that_time_is_over() {
    let (_dir, vault, options) = vault_with_keys().await;
    let keys = open(&options).await.unwrap();
    vault.seen();
    for _ in 0..2 {
        vault.instead(Instead::Refuse { status: 429, code: "Throttled", retry_after: Some(1) });
    }
    blocking(move || keys.signing.sign(b"patience")).await.unwrap();
    let seen = vault.seen();
    assert_eq!(seen.iter().map(|seen| seen.status).collect::<Vec<_>>(), [429, 429, 200]);
    assert!(seen.iter().all(|seen| !seen.too_early), "{seen:?}");

    // A wait longer than anybody has is told at once.
    let keys = open(&options).await.unwrap();
    vault.seen();
    vault.instead(Instead::Refuse { status: 429, code: "Throttled", retry_after: Some(3600) });
    let error = blocking(move || keys.signing.sign(b"impatience")).await.unwrap_err();
    assert!(error.to_string().contains("asks to wait 3600 s"), "{error}");
    assert_eq!(vault.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_in_trouble_is_asked_again_until_it_answers() {
    let (_dir, vault, options) = vault_with_keys().await;
    let keys = open(&options).await.unwrap();
    vault.seen();
    vault.instead(refuse(500, "InternalError"));
    vault.instead(refuse(503, "ServiceUnavailable"));
    vault.instead(Instead::HangUp);
    blocking(move || keys.signing.sign(b"trouble")).await.unwrap();
    assert_eq!(vault.seen().iter().map(|seen| seen.status).collect::<Vec<_>>(), [500, 503, 0, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_name_what_is_missing_and_are_not_repeated() {
    let (_dir, vault, options) = vault_with_keys().await;
    let keys = open(&options).await.unwrap();
    vault.seen();
    for (status, code, fault, text) in [
        (403, "ForbiddenByRbac", KeyFault::Identity, "give it the right keys/sign/action"),
        (403, "AccessDenied", KeyFault::Identity, "Key Vault Crypto User"),
        (403, "ForbiddenByFirewall", KeyFault::Token, "firewall"),
        (404, "KeyNotFound", KeyFault::Key, "holds no key 'callseal'"),
        (400, "BadParameter", KeyFault::Token, "refused to sign with"),
    ] {
        vault.instead(refuse(status, code));
        let signing = keys.signing.clone();
        let error = blocking(move || signing.sign(b"no")).await.unwrap_err();
        assert!(error.to_string().contains(text), "{code}: {error}");
        assert_eq!((error.fault(), vault.seen().len()), (fault, 1), "{code}");
    }
    vault.enable(KEY, false);
    let error = blocking(move || keys.signing.sign(b"no")).await.unwrap_err();
    assert!(error.to_string().contains("is disabled"), "{error}");
    assert!(told(&open(&options).await.unwrap_err()).contains("is disabled"));
    vault.enable(KEY, true);
    open(&options).await.unwrap();

    let other = KeyOptions { key: KeyName::label("another"), ..options };
    let dir = other.cloud.key_certificates.clone().unwrap();
    fs::copy(dir.join("callseal.pem"), dir.join("another.pem")).unwrap();
    assert!(told(&open(&other).await.unwrap_err()).contains("holds no key 'another'"));
    assert_eq!(vault.versions("another"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_rotated_in_the_vault_never_signs_by_itself() {
    let (dir, vault, options) = vault_with_keys().await;
    let before = open(&options).await.unwrap();
    vault.rotate(KEY).unwrap();
    vault.rotate(LOG_KEY).unwrap();
    let after = open(&options).await.unwrap();
    assert_eq!(after.signing.key_id(), before.signing.key_id());
    assert_eq!(after.log.public(), before.log.public());
    for keys in [before, after] {
        let folder = dir.path().join("judge");
        blocking(move || openssl_accepts(&keys, &folder)).await;
    }

    // Another key under this name, and none of its versions is the one of the certificate.
    let stranger = KeyOptions { key: KeyName::label("stranger"), ..options.clone() };
    blocking(move || keys::create(&stranger, &stranger.key, &new_key()).map(drop)).await.unwrap();
    let folder = dir.path().join("certificates");
    fs::copy(folder.join("stranger.pem"), folder.join("callseal.pem")).unwrap();
    let changed = open(&options).await.unwrap_err();
    assert!(matches!(changed, KeyError::Cloud(CloudError::KeyChanged { .. })), "{changed}");
    assert_eq!(changed.fault(), KeyFault::Integrity);
    vault.seen();
    assert!(open(&options).await.is_err());
    assert!(vault.seen().iter().all(|seen| !seen.request.ends_with("/sign")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_signature_is_never_handed_out() {
    let (_dir, vault, options) = vault_with_keys().await;
    let keys = open(&options).await.unwrap();
    for _ in 0..2 {
        vault.instead(Instead::WrongSignature);
    }
    let (signing, log) = (keys.signing.clone(), keys.log.clone());
    let errors = blocking(move || [signing.sign(b"x").map(drop), log.sign(b"x").map(drop)]).await;
    for error in errors {
        assert!(matches!(error, Err(KeyError::WrongSignature(_))), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_sign_in_by_secret_or_as_workload_and_a_wrong_secret_is_told_apart() {
    let (dir, vault, options) = vault_with_keys().await;
    let mut workload = options.clone();
    workload.azure.azure_client_secret_file = None;
    workload.azure.azure_federated_token_file = Some(vault.federated_token());
    open(&workload).await.unwrap();
    assert_eq!(vault.signed_in(), ["secret", "federated token"]);

    let mut wrong = options.clone();
    let secret = dir.path().join("wrong-secret");
    fs::write(&secret, "not-the-secret\n").unwrap();
    wrong.azure.azure_client_secret_file = Some(secret);
    let error = open(&wrong).await.unwrap_err();
    assert!(error.to_string().contains("signing in to the key vault 127.0.0.1 failed"), "{error}");
    assert_eq!(error.fault(), KeyFault::Identity);
    let whole = format!("{} {error:?} {wrong:?}", told(&error));
    assert!(whole.contains("AADSTS7000215") && !whole.contains("not-the-secret"), "{whole}");

    vault.refuse_sign_in(true);
    assert!(matches!(open(&options).await, Err(KeyError::Cloud(CloudError::SignIn { .. }))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_out_of_reach_or_of_another_ca_is_unreachable_and_nothing_is_made() {
    let (_dir, vault, mut options) = vault_with_keys().await;
    // Enough for a machine under load to open the keys; and what is not reached is waited for as long.
    options.cloud.key_service_patience = NonZeroU64::new(5);
    let mut stranger = options.clone();
    stranger.cloud.key_service_ca = None;
    let error = open(&stranger).await.unwrap_err();
    assert!(matches!(error, KeyError::Cloud(CloudError::Unreachable { .. })), "{}", told(&error));
    let keys = open(&options).await.unwrap();
    drop(vault);
    let error = blocking(move || keys.signing.sign(b"away")).await.unwrap_err();
    assert!(matches!(error, KeyError::Cloud(CloudError::Unreachable { .. })), "{}", told(&error));
    assert_eq!(error.fault(), KeyFault::Token);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_somebody_else_made_is_adopted_and_a_log_key_is_made_beside_it() {
    let (dir, vault, options) = vault_with_keys().await;
    let before = open(&options).await.unwrap();
    fs::remove_dir_all(dir.path().join("certificates")).unwrap();
    let mut adopting = options.clone();
    adopting.cloud.key_adopt = true;
    let given = adopting.clone();
    let adopted = blocking(move || keys::create(&given, &given.key, &new_key())).await.unwrap();
    assert_eq!(adopted.signing.key_id(), before.signing.key_id());
    assert_eq!(adopted.log.public(), before.log.public());
    assert_eq!((vault.versions(KEY), vault.versions(LOG_KEY)), (1, 1));

    // A key of another kind is none to adopt, and nothing is made beside it.
    let wrong = KeyOptions { key: KeyName::label(LOG_KEY), ..adopting };
    let refused = blocking(move || keys::create(&wrong, &wrong.key, &new_key()).map(drop)).await;
    assert!(matches!(refused, Err(KeyError::Cloud(CloudError::KeyUnfit { .. }))), "{refused:?}");
    assert_eq!(vault.versions("callseal-log-log"), 0);

    // A log key under another name.
    let mut other = options.clone();
    other.cloud.key_log_key = Some("checkpoints".to_owned());
    assert!(told(&open(&other).await.unwrap_err()).contains("callseal key init --log"));
    let given = other.clone();
    blocking(move || keys::create_log_key(&given, &given.key).map(drop)).await.unwrap();
    assert_ne!(open(&other).await.unwrap().log.public(), before.log.public());
    let again = blocking(move || keys::create_log_key(&other, &other.key)).await;
    assert!(matches!(again, Err(KeyError::Cloud(CloudError::KeyExists { .. }))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_by_a_ca_takes_the_place_of_the_first_which_stays_beside_it() {
    let (dir, _vault, options) = vault_with_keys().await;
    let keys = open(&options).await.unwrap();
    let (signing, ca) = (keys.signing.clone(), dir.path().join("ca"));
    fs::create_dir(&ca).unwrap();
    let folder = ca.clone();
    let request = blocking(move || keys::certificate::request(&*signing, None)).await.unwrap();
    fs::write(ca.join("request.pem"), request).unwrap();
    shell(
        &folder,
        "openssl req -verify -noout -in request.pem
         openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 9 -subj '/CN=CA' \\
           -addext basicConstraints=critical,CA:TRUE
         openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 5 -out leaf.pem
         cat leaf.pem ca.pem > chain.pem",
    );
    let chain = fs::read_to_string(ca.join("chain.pem")).unwrap();
    let (given, text) = (options.clone(), chain.clone());
    blocking(move || keys::import_certificate(&given, &given.key, &text)).await.unwrap();
    let renewed = open(&options).await.unwrap();
    assert_eq!(renewed.signing.key_id(), keys.signing.key_id());
    assert_ne!(renewed.signing.certificate_pem(), keys.signing.certificate_pem());
    assert_eq!(renewed.signing.chain_pem(), fs::read_to_string(ca.join("ca.pem")).unwrap());
    let files = fs::read_dir(dir.path().join("certificates")).unwrap();
    let kept = files.filter_map(|file| fs::read_to_string(file.unwrap().path()).ok());
    assert_eq!(kept.filter(|text| text == keys.signing.certificate_pem()).count(), 1);

    // One of another key is refused, and nothing changes.
    let other = fs::read_to_string(ca.join("ca.pem")).unwrap();
    let given = options.clone();
    blocking(move || keys::import_certificate(&given, &given.key, &other)).await.unwrap_err();
    assert_eq!(open(&options).await.unwrap().signing.certificate_pem(), renewed.signing.certificate_pem());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_threads_sign_at_once() {
    let (_dir, _vault, options) = vault_with_keys().await;
    let keys = open(&options).await.unwrap();
    let threads = (0..8).map(|n: u8| {
        let signing = keys.signing.clone();
        blocking(move || (signing.sign(&[n; 100]), signing.sign(&[n; 100])))
    });
    for (one, other) in futures::future::join_all(threads).await {
        assert_eq!(one.unwrap(), other.unwrap(), "PKCS#1 v1.5 makes the same signature again");
    }
}
