//! Keys in AWS KMS, against moto's server.

mod cloud_keys;

use std::{fs, num::NonZeroU64, path::Path};

use cloud_keys::{blocking, new_key, openssl_accepts, told};
use harness::moto::Moto;
use keys::{
    CloudError, KeyError, KeyFault, KeyName, KeyOptions, KeyProvider, aws::AwsOptions, cloud::CloudOptions,
};
use tempfile::TempDir;

fn options(kms: &Moto, dir: &Path) -> KeyOptions {
    KeyOptions {
        key_provider: KeyProvider::Aws,
        cloud: CloudOptions {
            key_certificates: Some(dir.join("certificates")),
            key_service_patience: NonZeroU64::new(20),
            ..CloudOptions::default()
        },
        aws: AwsOptions {
            aws_region: Some("eu-central-1".to_owned()),
            aws_endpoint: Some(kms.url().to_owned()),
            aws_credentials_file: Some(kms.credentials().to_owned()),
            ..AwsOptions::default()
        },
        ..KeyOptions::default()
    }
}

async fn kms_with_keys() -> (TempDir, Moto, KeyOptions) {
    let dir = tempfile::tempdir().unwrap();
    let kms = Moto::start(dir.path()).await.unwrap();
    let options = options(&kms, dir.path());
    let given = options.clone();
    blocking(move || keys::create(&given, &given.key, &new_key()).map(drop)).await.unwrap();
    kms.operations();
    (dir, kms, options)
}

async fn open(options: &KeyOptions) -> Result<keys::KeySet, KeyError> {
    let options = options.clone();
    blocking(move || keys::open(&options, &options.key)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_once_and_openssl_accepts_what_they_sign() {
    let (dir, kms, options) = kms_with_keys().await;
    let keys = open(&options).await.unwrap();
    let (judged, folder) = (keys.clone(), dir.path().join("judge"));
    blocking(move || openssl_accepts(&judged, &folder)).await;
    kms.operations();
    for certificate in ["there", "gone"] {
        let given = options.clone();
        let again = blocking(move || keys::create(&given, &given.key, &new_key())).await;
        assert!(matches!(again, Err(KeyError::Cloud(CloudError::KeyExists { .. }))), "{certificate}");
        if certificate == "there" {
            fs::remove_dir_all(dir.path().join("certificates")).unwrap();
        }
    }
    assert!(kms.operations().iter().all(|(operation, _)| operation != "CreateKey"));
    let missing = open(&options).await.unwrap_err();
    assert!(told(&missing).contains("has no certificate"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_request_is_repeated_and_a_refused_one_is_not() {
    let (_dir, kms, options) = kms_with_keys().await;
    let keys = open(&options).await.unwrap();
    kms.operations();
    kms.turn_away(400, "ThrottlingException");
    kms.turn_away(400, "ThrottlingException");
    kms.turn_away(500, "KMSInternalException");
    let signing = keys.signing.clone();
    blocking(move || signing.sign(b"patience")).await.unwrap();
    let signs = |statuses: &[u16]| statuses.iter().map(|s| ("Sign".to_owned(), *s)).collect::<Vec<_>>();
    assert_eq!(kms.operations(), signs(&[400, 400, 500, 200]));
    for (code, fault, text) in [
        ("AccessDeniedException", KeyFault::Identity, "give it the right kms:Sign"),
        ("UnrecognizedClientException", KeyFault::Identity, "signing in to AWS KMS in eu-central-1 failed"),
        ("ExpiredTokenException", KeyFault::Identity, "signing in"),
        ("KMSInvalidStateException", KeyFault::Key, "in a state that does not sign"),
        ("NotFoundException", KeyFault::Key, "holds no key 'callseal'"),
        ("ValidationException", KeyFault::Token, "refused to sign with"),
    ] {
        kms.turn_away(400, code);
        let signing = keys.signing.clone();
        let error = blocking(move || signing.sign(b"no")).await.unwrap_err();
        assert!(error.to_string().contains(text), "{code}: {error}");
        assert_eq!((error.fault(), kms.operations()), (fault, signs(&[400])), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_key_waits_and_signs_again_when_it_is_enabled() {
    let (_dir, kms, options) = kms_with_keys().await;
    let keys = open(&options).await.unwrap();
    let answer = kms.administer("DescribeKey", r#"{"KeyId":"alias/callseal"}"#).await.unwrap();
    let field = |name: &str| {
        let after = answer.split(&format!("\"{name}\": \"")).nth(1).unwrap();
        after.split('"').next().unwrap().to_owned()
    };
    let (arn, key) = (field("Arn"), format!(r#"{{"KeyId":"{}"}}"#, field("KeyId")));
    kms.administer("DisableKey", &key).await.unwrap();
    let signing = keys.signing.clone();
    let error = blocking(move || signing.sign(b"no")).await.unwrap_err();
    assert!(error.to_string().contains("is disabled"), "{error}");
    kms.administer("EnableKey", &key).await.unwrap();
    blocking(move || keys.signing.sign(b"yes")).await.unwrap();
    // By its ARN, the certificate under that name.
    let mut by_arn = KeyOptions { key: KeyName::label(&arn), ..options.clone() };
    let folder = options.cloud.key_certificates.clone().unwrap();
    fs::copy(folder.join("callseal.pem"), folder.join(format!("{}.pem", arn.replace([':', '/'], "_"))))
        .unwrap();
    by_arn.cloud.key_log_key = Some("callseal-log".to_owned());
    open(&by_arn).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_an_alias_was_moved_to_never_signs() {
    let (dir, kms, options) = kms_with_keys().await;
    let before = open(&options).await.unwrap();
    let other = KeyOptions { key: KeyName::label("other"), ..options.clone() };
    blocking(move || keys::create(&other, &other.key, &new_key()).map(drop)).await.unwrap();
    let answer = kms.administer("DescribeKey", r#"{"KeyId":"alias/other"}"#).await.unwrap();
    let id = answer.split(r#""KeyId": ""#).nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let moved = format!(r#"{{"AliasName":"alias/callseal","TargetKeyId":"{id}"}}"#);
    kms.administer("UpdateAlias", &moved).await.unwrap();
    // An open key goes on by its ARN.
    let folder = dir.path().join("judge");
    blocking(move || openssl_accepts(&before, &folder)).await;
    kms.operations();
    let changed = open(&options).await.unwrap_err();
    assert!(matches!(changed, KeyError::Cloud(CloudError::KeyChanged { .. })), "{changed}");
    assert!(kms.operations().iter().all(|(operation, _)| operation != "Sign"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_identity_a_missing_key_and_a_missing_network_are_told_apart() {
    let (dir, kms, mut options) = kms_with_keys().await;
    // Enough for a machine under load to open the keys; and what is not reached is waited for as long.
    options.cloud.key_service_patience = NonZeroU64::new(5);
    let mut nobody = options.clone();
    let empty = dir.path().join("nobody");
    fs::write(&empty, "[another]\n").unwrap();
    nobody.aws.aws_credentials_file = Some(empty);
    let error = open(&nobody).await.unwrap_err();
    assert!(matches!(error, KeyError::Cloud(CloudError::SignIn { .. })), "{}", told(&error));

    let missing = KeyOptions { key: KeyName::label("nothing"), ..options.clone() };
    let folder = options.cloud.key_certificates.clone().unwrap();
    fs::copy(folder.join("callseal.pem"), folder.join("nothing.pem")).unwrap();
    let error = open(&missing).await.unwrap_err();
    assert!(matches!(error, KeyError::Cloud(CloudError::KeyMissing { .. })), "{}", told(&error));

    let keys = open(&options).await.unwrap();
    drop(kms);
    let error = blocking(move || keys.signing.sign(b"away")).await.unwrap_err();
    assert!(matches!(error, KeyError::Cloud(CloudError::Unreachable { .. })), "{}", told(&error));
}
