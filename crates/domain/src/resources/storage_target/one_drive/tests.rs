//! What a description of a drive may say.

use super::*;
use crate::{
    Sensitive,
    resources::{Secret, StorageKind, StorageTargetSpec},
};

const ID: &str = "66666666-7777-8888-9999-000000000000";

fn secrets() -> Secrets {
    let pem = "-----BEGIN CERTIFICATE-----\n…\n-----BEGIN PRIVATE KEY-----\n…";
    let mut secrets = Secrets::default();
    let values = [("secret", "hunter2"), ("pem", pem), ("half", "-----BEGIN CERTIFICATE-----")];
    let values = values.map(|(key, value)| (key.to_owned(), Sensitive::from(value)));
    secrets.insert("ms".parse().unwrap(), Secret { values: values.into(), ..Secret::default() });
    secrets
}

fn validate(json: serde_json::Value) -> Result<OneDriveTarget, Vec<String>> {
    let one_drive = Some(serde_json::from_value(json).unwrap());
    let spec = StorageTargetSpec { one_drive, ..StorageTargetSpec::default() };
    match spec.validate("archive".parse().unwrap(), &secrets()) {
        Ok(target) => match target.kind {
            StorageKind::OneDrive(target) => Ok(target),
            other => panic!("{other:?}"),
        },
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect()),
    }
}

fn by_secret() -> serde_json::Value {
    serde_json::json!({"app": {
        "tenantId": "contoso.onmicrosoft.com", "clientId": ID,
        "clientSecret": {"secretRef": {"name": "ms", "key": "secret"}},
    }})
}

#[test]
fn an_app_with_a_secret_reaches_a_library_of_a_site_named_in_either_way() {
    for site in ["contoso.sharepoint.com:/sites/archive", "https://Contoso.sharepoint.com/sites/archive/"] {
        let target = validate(serde_json::json!({
            "cloud": "usGov", "login": by_secret(),
            "drive": {"site": site, "library": "Calls"}, "path": "/Recordings/2026/",
        }));
        let target = target.unwrap();
        let library = Some("Calls".to_owned());
        let (host, path) = ("contoso.sharepoint.com".to_owned(), "sites/archive".to_owned());
        assert_eq!(target.drive, Drive::Site { host, path, library });
        assert_eq!((target.path.as_str(), target.cloud), ("Recordings/2026", Cloud::UsGov));
        let MicrosoftLogin::App(AppLogin::Secret { secret, .. }) = target.login else { panic!("a secret") };
        assert_eq!(secret.expose(), "hunter2");
    }
}

#[test]
fn a_user_who_is_logged_in_has_a_drive_of_their_own() {
    let user = serde_json::json!({"tenantId": ID, "clientId": ID, "account": "ann@contoso.example"});
    let target = validate(serde_json::json!({"login": {"user": user}})).unwrap();
    assert_eq!((target.drive, target.cloud), (Drive::Own, Cloud::Global));
}

#[test]
fn identities_of_machine_and_pod_need_no_ids() {
    let drive = serde_json::json!({"user": "ann@contoso.example"});
    for (app, expected) in [
        (
            serde_json::json!({"workloadIdentity": true}),
            AppLogin::WorkloadIdentity { tenant_id: None, client_id: None },
        ),
        (serde_json::json!({"managedIdentity": {}}), AppLogin::ManagedIdentity { client_id: None }),
        (
            serde_json::json!({"managedIdentity": {"clientId": ID}}),
            AppLogin::ManagedIdentity { client_id: Some(ID.into()) },
        ),
    ] {
        let target = validate(serde_json::json!({"login": {"app": app}, "drive": drive})).unwrap();
        assert_eq!(target.login, MicrosoftLogin::App(expected));
    }
}

#[test]
fn every_bad_combination_is_named_with_its_field() {
    let secret = |key: &str| serde_json::json!({"secretRef": {"name": "ms", "key": key}});
    let drive = serde_json::json!({"id": "b!x"});
    let app = |app: serde_json::Value| serde_json::json!({"login": {"app": app}, "drive": drive});
    let on = |drive: serde_json::Value| serde_json::json!({"login": by_secret(), "drive": drive});
    let at = |path: &str| serde_json::json!({"login": by_secret(), "drive": drive, "path": path});
    let user = |account: &str| serde_json::json!({"user": {"tenantId": "common", "clientId": "app", "account": account}});
    for (json, expected) in [
        (serde_json::json!({"login": by_secret()}), &["drive: is needed"][..]),
        (serde_json::json!({"login": {}, "drive": drive}), &["login: must have exactly one of app and user"]),
        (
            serde_json::json!({"login": user("")}),
            &["user.tenantId: must be", "user.clientId: must be", "user.account: must"],
        ),
        (app(serde_json::json!({})), &["login.app: must have exactly one of clientSecret"]),
        (
            app(serde_json::json!({"clientSecret": secret("secret"), "workloadIdentity": true})),
            &["login.app: must have exactly one of clientSecret"],
        ),
        (
            app(serde_json::json!({"clientSecret": secret("secret")})),
            &["app.tenantId: must", "app.clientId: must"],
        ),
        (
            app(serde_json::json!({"tenantId": ID, "clientId": ID, "clientSecret": secret("none")})),
            &["app.clientSecret.secretRef.key: the Secret"],
        ),
        (
            app(serde_json::json!({"tenantId": ID, "clientId": ID, "certificate": secret("half")})),
            &["app.certificate: must be PEM"],
        ),
        (
            app(serde_json::json!({"clientId": ID, "managedIdentity": {"clientId": "x"}})),
            &["app.clientId: does not go with", "managedIdentity.clientId: must"],
        ),
        (on(serde_json::json!({})), &["drive: must have exactly one of user, site, id"]),
        (on(serde_json::json!({"user": "a", "id": "b"})), &["drive: must have exactly one"]),
        (on(serde_json::json!({"user": "a/b"})), &["drive.user: must be one word"]),
        (on(serde_json::json!({"id": "b!x", "library": "L"})), &["drive.library: is of no use"]),
        (on(serde_json::json!({"site": "archive"})), &["drive.site: must be like"]),
        (on(serde_json::json!({"site": "c.sharepoint.com:/sites/../x"})), &["drive.site: must be like"]),
        (at("a//b"), &["path: a level"]),
        (at("a:b"), &["path: OneDrive cannot have the character"]),
        (at("a/com7.x"), &["path: OneDrive keeps"]),
        (at("a. /b"), &["path: OneDrive cannot have a name that begins"]),
    ] {
        let errors = validate(json.clone()).expect_err(&json.to_string());
        assert_eq!(errors.len(), expected.len(), "{json}: {errors:?}");
        for (error, expected) in errors.iter().zip(expected) {
            assert!(error.starts_with("spec.oneDrive") && error.contains(expected), "{json}: {error}");
        }
    }
}

#[test]
fn a_name_may_be_any_that_windows_and_sharepoint_take() {
    for good in
        ["a.wav", "Gespräch 7 +49 30.wav", "come", "com77", "console.txt", "#1 50%.txt", ".hidden", "~a"]
    {
        assert_eq!(check_one_drive_name(good), Ok(()), "{good}");
    }
    for bad in
        ["", "..", "a|b", "CON", "con.txt", "Lpt1", "x_vti_y", "~$a.docx", "desktop.INI", " a", "a.", "\u{7}"]
    {
        assert!(check_one_drive_name(bad).is_err(), "{bad}");
    }
    assert_eq!(check_one_drive_name(&"ü".repeat(255)), Ok(()));
    assert_eq!(check_one_drive_name(&"😀".repeat(128)), Err(InvalidName::Long));
}
