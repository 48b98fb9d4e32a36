//! What e-mail and script targets are refused for.

use super::{EmailSpec, ScriptSpec, StorageTarget, StorageTargetSpec, TransferSpec};
use crate::resources::{Secrets, SmtpSpec, SmtpTls};

fn email() -> EmailSpec {
    EmailSpec {
        to: vec!["archive@acme.example".into(), "audit@acme.example".into()],
        from: "callseal@acme.example".into(),
        subject: None,
        max_megabytes: None,
        smtp: SmtpSpec {
            host: "127.0.0.1".into(),
            port: None,
            tls: SmtpTls::Off,
            user: None,
            password: None,
            ca_certificate: None,
        },
        at: None,
    }
}

fn script() -> ScriptSpec {
    ScriptSpec { command: "to-crm".into(), timeout_seconds: None, at: None }
}

fn validate(spec: &StorageTargetSpec) -> Result<StorageTarget, Vec<String>> {
    let target = spec.validate("mail".parse().unwrap(), &Secrets::default());
    target.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn by_mail(email: EmailSpec) -> StorageTargetSpec {
    StorageTargetSpec { email: Some(email), ..StorageTargetSpec::default() }
}

fn by_script(script: ScriptSpec) -> StorageTargetSpec {
    StorageTargetSpec { script: Some(script), ..StorageTargetSpec::default() }
}

#[test]
fn mailboxes_and_programs_do_not_keep_and_may_have_a_schedule() {
    let mail = validate(&by_mail(EmailSpec { at: Some("0 20 * * *".into()), ..email() })).unwrap();
    assert!(!mail.keeps());
    assert_eq!(mail.schedule().unwrap().to_string(), "0 20 * * *");
    let script = validate(&by_script(script())).unwrap();
    assert!(!script.keeps() && script.schedule().is_none());
}

#[test]
fn every_wrong_field_of_a_mail_is_named_without_repeating_an_address() {
    let wrong = EmailSpec {
        to: vec!["archive@acme.example".into(), "Erika <e@x>".into(), "Archive@acme.example".into()],
        from: "callseal".into(),
        subject: Some("two\nlines".into()),
        max_megabytes: Some(0),
        at: Some("20:00".into()),
        ..email()
    };
    let told = validate(&by_mail(wrong)).unwrap_err();
    let fields: Vec<&str> = told.iter().map(|text| text.split_once(": ").unwrap().0).collect();
    assert_eq!(
        fields,
        ["to[1]", "to[2]", "from", "subject", "maxMegabytes", "at"]
            .map(|field| format!("spec.email.{field}"))
    );
    assert!(!told.concat().contains("Erika"), "{told:?}");
    let told = validate(&by_mail(EmailSpec { to: vec![], ..email() })).unwrap_err();
    assert_eq!(told, ["spec.email.to: must name at least one mail address"]);
}

#[test]
fn a_command_is_a_file_name_and_nothing_else() {
    for command in ["", "../x", "/bin/sh", "a/b", ".hidden", "a\nb"] {
        let told = validate(&by_script(ScriptSpec { command: command.into(), ..script() })).unwrap_err();
        assert!(told[0].starts_with("spec.script.command: must be the name of a file"), "{told:?}");
    }
    let told = validate(&by_script(ScriptSpec { timeout_seconds: Some(0), ..script() })).unwrap_err();
    assert_eq!(told, ["spec.script.timeoutSeconds: must be 1 to 86400"]);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let in_a_folder = StorageTargetSpec { sub_folder: "$Y".into(), ..by_script(script()) };
    assert_eq!(
        validate(&in_a_folder).unwrap_err(),
        ["spec.subFolder: is of no use with email and script: nothing is kept there"]
    );
    let windows = TransferSpec { windows: vec!["Sat-Sun".into()], ..TransferSpec::default() };
    let twice = StorageTargetSpec {
        transfer: windows,
        ..by_mail(EmailSpec { at: Some("0 20 * * *".into()), ..email() })
    };
    assert_eq!(
        validate(&twice).unwrap_err(),
        ["spec.transfer.windows: excludes at: one of the two says when"]
    );
}
