//! What is refused: for each fault the file, the line, the field and the reason that an
//! administrator reads, and the last good set of rules stays in force.

use config::{Watched, load, watch};
use domain::resources::TenantResources;
use tokio_util::sync::CancellationToken;

use crate::{
    files::{Folder, wav},
    watching::becomes,
};

const TENANT: &str = "\
apiVersion: callseal.io/v1alpha1
kind: Tenant
metadata: {name: acme}
spec:
  country: DE
  numbers: {areaCode: \"7031\", outsideLine: \"0\", extensionDigits: 4}
  callIdHeader: X-Call-ID
  stopCode: \"*1\"
  forcedCallsRule: advice
  api:
    tokens:
      - secretRef: {name: api, key: token}
---
apiVersion: v1
kind: Secret
metadata: {name: api}
stringData:
  token: 0123456789abcdef
";

const RULES: &str = "\
apiVersion: callseal.io/v1alpha1
kind: RecordingRule
metadata: {name: advice}
spec:
  order: 1
  profile: legalDuty
  scope: {groups: [desk]}
  directions: [in]
  origin: external
  announcements: {inbound: ask}
  targets: [archive]
  manualRecording:
    targets: [private]
    journals: [main]
---
apiVersion: callseal.io/v1alpha1
kind: RecordingRule
metadata: {name: sales}
spec:
  order: 2
  profile: consent
  scope: {users: [erika]}
  exceptionLists: [never]
  consent:
    mode: optIn
    key: \"1\"
    seconds: 5
    continueTo: sip:queue@pbx.example
    announcements:
      granted: thanks
  announcements:
    inbound: ask
    outbound: ask
    heardBy: both
";

const OTHERS: &str = "\
apiVersion: callseal.io/v1alpha1
kind: ExceptionList
metadata: {name: never}
spec:
  entries:
    - {pattern: \"\\\\+4989.*\"}
---
apiVersion: callseal.io/v1alpha1
kind: Directory
metadata: {name: staff}
spec:
  users:
    erika: {identities: [\"22\"]}
  groups:
    desk: {numbers: [\"500\"], members: [erika]}
---
apiVersion: callseal.io/v1alpha1
kind: StorageTarget
metadata: {name: archive}
spec: {folder: {path: archive}}
---
apiVersion: callseal.io/v1alpha1
kind: StorageTarget
metadata: {name: private}
spec: {folder: {path: private}}
---
apiVersion: callseal.io/v1alpha1
kind: JournalTarget
metadata: {name: main}
spec: {table: recordings, sqlite: {path: journal.sqlite}}
";

const ANNOUNCEMENTS: &str = "\
apiVersion: callseal.io/v1alpha1
kind: Announcement
metadata: {name: ask}
spec:
  file: sounds/ask.wav
---
apiVersion: callseal.io/v1alpha1
kind: Announcement
metadata: {name: thanks}
spec:
  file: sounds/thanks.wav
  comment: after a one
";

fn good_folder() -> Folder {
    let folder = Folder::new(&[
        ("tenant.yaml", TENANT.to_owned()),
        ("rules.yaml", RULES.to_owned()),
        ("others.yaml", OTHERS.to_owned()),
        ("announcements.yaml", ANNOUNCEMENTS.to_owned()),
    ]);
    folder.write_bytes("sounds/ask.wav", &wav(440));
    folder.write_bytes("sounds/thanks.wav", &wav(880));
    folder
}

/// Everything that decides about calls, as text.
fn in_force(acme: &TenantResources) -> String {
    let tokens: Vec<_> = acme.tenant.api.tokens.iter().map(|token| token.expose().len()).collect();
    let audio: Vec<_> = acme.announcements.values().map(|a| (a.name.as_str(), &a.sha256)).collect();
    let lists: Vec<_> = acme.exception_lists.keys().collect();
    format!("{:#?} {:?} {tokens:?} {audio:?} {lists:?}", acme.rules, acme.tenant.numbers)
}

fn texts(watched: &Watched) -> Vec<String> {
    watched.problems().iter().map(ToString::to_string).collect()
}

/// Breaks the good folder in one place after the other.
async fn each_is_refused(cases: &[(&str, &str, &str, &[&str])]) {
    let folder = good_folder();
    let mut watched = watch(folder.0.path(), CancellationToken::new()).unwrap();
    assert_eq!(texts(&watched), [""; 0], "the good folder");
    let good = in_force(watched.current().tenants.values().next().unwrap());
    for (file, before, after, expected) in cases {
        let text = std::fs::read_to_string(folder.0.path().join(file)).unwrap();
        assert!(text.contains(before), "{before} is not in {file}");
        folder.write(file, &text.replacen(before, after, 1));
        let resources = becomes(&mut watched, after, |_, problems| problems > 0).await;
        assert_eq!(texts(&watched), *expected, "{after}");
        assert_eq!(in_force(resources.tenants.values().next().unwrap()), good, "{after}");

        folder.write(file, &text);
        becomes(&mut watched, "mended", |_, problems| problems == 0).await;
    }
}

#[tokio::test]
async fn a_rule_that_asks_wrongly_for_consent_is_refused() {
    each_is_refused(&[
        ("rules.yaml", "    outbound: ask\n", "", &[
            "rules.yaml:31: RecordingRule sales: spec.announcements.outbound: is missing: who is asked in calls of direction out must hear what for",
        ]),
        ("rules.yaml", "    inbound: ask\n", "", &[
            "rules.yaml:31: RecordingRule sales: spec.announcements.inbound: is missing: who is asked in calls of direction in must hear what for",
        ]),
        ("rules.yaml", "profile: consent", "profile: legalDuty", &[
            "rules.yaml:24: RecordingRule sales: spec.consent: nobody is asked with the profile legalDuty; use the profile consent",
        ]),
        ("rules.yaml", "profile: legalDuty", "profile: consent", &[
            "rules.yaml:4: RecordingRule advice: spec.consent: is missing: the profile consent has to say how it is asked for",
        ]),
        ("rules.yaml", "inbound: ask\n    outbound", "inbound: asks\n    outbound", &[
            "rules.yaml:32: RecordingRule sales: spec.announcements.inbound: there is no Announcement \"asks\"",
        ]),
        ("rules.yaml", "granted: thanks", "granted: thank-you", &[
            "rules.yaml:30: RecordingRule sales: spec.consent.announcements.granted: there is no Announcement \"thank-you\"",
        ]),
        ("rules.yaml", "announcements: {inbound: ask}", "announcements: {outbound: ask}", &[
            "rules.yaml:10: RecordingRule advice: spec.announcements.outbound: would never be heard: directions does not have out",
        ]),
        ("rules.yaml", "directions: [in]", "directions: [out]", &[
            "rules.yaml:10: RecordingRule advice: spec.announcements.inbound: would never be heard: directions has neither in nor internal",
        ]),
        ("rules.yaml", "mode: optIn", "mode: optin", &[
            "rules.yaml:25: RecordingRule sales: spec.consent.mode: \"optin\" is not known; use optIn, optOut or noChoice",
        ]),
        ("rules.yaml", "mode: optIn\n    key: \"1\"", "mode: noChoice\n    key: \"1\"", &[
            "rules.yaml:26: RecordingRule sales: spec.consent.key: is of no use: with noChoice no key is read",
        ]),
        ("rules.yaml", "    mode: optIn\n", "", &[
            "rules.yaml:24: RecordingRule sales: spec.consent.mode: is missing",
        ]),
        ("rules.yaml", "key: \"1\"", "key: \"12\"", &[
            "rules.yaml:26: RecordingRule sales: spec.consent.key: must be any, or one key in quotes: \"0\" to \"9\", \"*\" or \"#\"",
        ]),
        ("rules.yaml", "seconds: 5", "seconds: 61", &[
            "rules.yaml:27: RecordingRule sales: spec.consent.seconds: must be 1 to 60",
        ]),
        ("rules.yaml", "seconds: 5", "seconds: five", &[
            "rules.yaml:27: RecordingRule sales: spec.consent.seconds: must be a whole number, and not out of range",
        ]),
        ("rules.yaml", "seconds: 5", "second: 5", &[
            "rules.yaml:27: RecordingRule sales: spec.consent.second: there is no such field; known are mode, askedBy, key, seconds, continueTo, announcements",
        ]),
        ("rules.yaml", "sip:queue@pbx.example", "queue@pbx.example", &[
            "rules.yaml:28: RecordingRule sales: spec.consent.continueTo: must be a SIP URI: sip:queue@pbx.example",
        ]),
        ("rules.yaml", "sip:queue@pbx.example", "\"sip:{number}@pbx.example\"", &[
            "rules.yaml:28: RecordingRule sales: spec.consent.continueTo: has an unknown placeholder; use {callId}",
        ]),
        ("rules.yaml", "sip:queue@pbx.example", "\"sip:a@b>\\r\\nX: y\"", &[
            "rules.yaml:28: RecordingRule sales: spec.consent.continueTo: holds a sign that a SIP URI must not hold",
        ]),
        ("rules.yaml", "    mode: optIn\n", "    mode: optIn\n    askedBy: pbx\n", &[
            "rules.yaml:29: RecordingRule sales: spec.consent.continueTo: is possible with askedBy: consentCall only; else the PBX has the call",
            "rules.yaml:31: RecordingRule sales: spec.consent.announcements.granted: is possible with askedBy: consentCall only; else the PBX has the call",
        ]),
        ("rules.yaml", "heardBy: both", "heardBy: all", &[
            "rules.yaml:34: RecordingRule sales: spec.announcements.heardBy: \"all\" is not known; use caller or both",
        ]),
    ])
    .await;
}

#[tokio::test]
async fn what_a_rule_names_has_to_be_there_and_manual_recordings_are_never_mixed_with_regulated_ones() {
    each_is_refused(&[
        ("rules.yaml", "scope: {groups: [desk]}", "scope: {groups: [desks]}", &[
            "rules.yaml:7: RecordingRule advice: spec.scope.groups[0]: there is no group \"desks\" in the Directory",
        ]),
        ("rules.yaml", "scope: {users: [erika]}", "scope: {users: [max]}", &[
            "rules.yaml:22: RecordingRule sales: spec.scope.users[0]: there is no such user in the Directory",
        ]),
        ("rules.yaml", "exceptionLists: [never]", "exceptionLists: [always]", &[
            "rules.yaml:23: RecordingRule sales: spec.exceptionLists[0]: there is no ExceptionList \"always\"",
        ]),
        ("rules.yaml", "origin: external", "origin: outside", &[
            "rules.yaml:9: RecordingRule advice: spec.origin: \"outside\" is not known; use both, internal or external",
        ]),
        ("rules.yaml", "origin: external", "orgin: external", &[
            "rules.yaml:9: RecordingRule advice: spec.orgin: there is no such field; known are order, enabled, profile, consent, announcements, scope, directions, origin, numbers, exceptionLists, channels, targets, journals, manualRecording, retention",
        ]),
        ("rules.yaml", "targets: [private]", "targets: [private]\n    retention: {days: 1, years: 1}", &[
            "rules.yaml:14: RecordingRule advice: spec.manualRecording.retention: must have exactly one of days, years, endOfYear",
        ]),
        ("rules.yaml", "targets: [private]", "targets: [private, archive]", &[
            "rules.yaml:13: RecordingRule advice: spec.manualRecording.targets[1]: \"archive\" takes the recordings by legal duty of rule \"advice\"; manual recordings must have targets of their own",
        ]),
        ("rules.yaml", "targets: [private]", "targets: [privat]", &[
            "rules.yaml:13: RecordingRule advice: spec.manualRecording.targets[0]: there is no StorageTarget \"privat\"",
        ]),
        ("rules.yaml", "journals: [main]", "journals: [mine]", &[
            "rules.yaml:14: RecordingRule advice: spec.manualRecording.journals[0]: there is no JournalTarget \"mine\"",
        ]),
    ])
    .await;
}

#[tokio::test]
async fn expressions_announcements_and_tenants_are_refused_with_the_reason() {
    each_is_refused(&[
        ("others.yaml", "\\\\+4989.*", "\\\\+4989(.*", &[
            "others.yaml:6: ExceptionList never: spec.entries[0].pattern: is not a regular expression: unclosed group, at character 7",
        ]),
        ("others.yaml", "\\\\+4989.*", "(?<!0)4989", &[
            "others.yaml:6: ExceptionList never: spec.entries[0].pattern: is not a regular expression: look-around, including look-ahead and look-behind, is not supported, at character 1",
        ]),
        ("announcements.yaml", "file: sounds/ask.wav", "file: sounds/asks.wav", &[
            "announcements.yaml:5: Announcement ask: spec.file: there is no such file",
        ]),
        ("announcements.yaml", "file: sounds/ask.wav", "file: sounds", &[
            "announcements.yaml:5: Announcement ask: spec.file: is not a file",
        ]),
        ("announcements.yaml", "file: sounds/ask.wav", "file: ../ask.wav", &[
            "announcements.yaml:5: Announcement ask: spec.file: leads out of the configuration folder",
        ]),
        ("announcements.yaml", "file: sounds/ask.wav", "file: /etc/hostname", &[
            "announcements.yaml:5: Announcement ask: spec.file: must be relative to the folder of the file that it stands in",
        ]),
        ("announcements.yaml", "file: sounds/ask.wav", "file: rules.yaml", &[
            "announcements.yaml:5: Announcement ask: spec.file: is not a WAV or MP3 file",
        ]),
        ("announcements.yaml", "file: sounds/ask.wav", "data: aGVsbG8gd29ybGQ=", &[
            "announcements.yaml:5: Announcement ask: spec.data: is not a WAV or MP3 file",
        ]),
        ("announcements.yaml", "file: sounds/ask.wav", "data: \"?\"", &[
            "announcements.yaml:5: Announcement ask: spec.data: is not base64",
        ]),
        ("announcements.yaml", "comment: after a one", "builtIn: de/opt-in", &[
            "announcements.yaml:10: Announcement thanks: spec: must have exactly one of file, builtIn and data",
        ]),
        ("announcements.yaml", "file: sounds/ask.wav", "sound: ask", &[
            "announcements.yaml:5: Announcement ask: spec.sound: there is no such field; known are file, builtIn, data, comment",
        ]),
        ("tenant.yaml", "forcedCallsRule: advice", "forcedCallsRule: force", &[
            "tenant.yaml:9: Tenant acme: spec.forcedCallsRule: there is no RecordingRule \"force\"",
        ]),
        ("tenant.yaml", "areaCode: \"7031\"", "areaCode: \"07031 \"", &[
            "tenant.yaml:6: Tenant acme: spec.numbers.areaCode: must be 1 to 8 digits, in quotes",
        ]),
        ("tenant.yaml", "stopCode: \"*1\"", "stopCode: \"stop\"", &[
            "tenant.yaml:8: Tenant acme: spec.stopCode: must be 1 to 8 keys of 0-9, * and #, in quotes; \"\" switches it off",
        ]),
        ("tenant.yaml", "callIdHeader: X-Call-ID", "callIdHeader: \"X-Call-ID:\"", &[
            "tenant.yaml:7: Tenant acme: spec.callIdHeader: must be the name of a SIP header, for example X-Call-ID",
        ]),
    ])
    .await;
}

#[tokio::test]
async fn a_token_that_is_gone_or_too_short_opens_nothing_and_takes_nothing_else_with_it() {
    let folder = good_folder();
    let mut watched = watch(folder.0.path(), CancellationToken::new()).unwrap();
    let acme = watched.current();
    assert_eq!(acme.tenants.values().next().unwrap().tenant.api.tokens.len(), 1);
    for (before, after, expected) in [
        (
            "name: api, key: token",
            "name: gone, key: token",
            "tenant.yaml:12: Tenant acme: spec.api.tokens[0].secretRef.name: there is no Secret \"gone\"",
        ),
        (
            "token: 0123456789abcdef",
            "token: hunter2",
            "tenant.yaml:12: Tenant acme: spec.api.tokens[0]: the Secret's value must be 16 or more of A-Z a-z 0-9 - . _ ~ + / =",
        ),
    ] {
        folder.write("tenant.yaml", &TENANT.replacen(before, after, 1));
        let resources = becomes(&mut watched, after, |_, problems| problems > 0).await;
        assert_eq!(texts(&watched), [expected]);
        let acme = resources.tenants.values().next().unwrap();
        assert_eq!((acme.tenant.api.tokens.len(), acme.rules.len()), (0, 2));
        folder.write("tenant.yaml", TENANT);
        becomes(&mut watched, "mended", |t, problems| problems == 0 && t.tenant.api.tokens.len() == 1).await;
    }
}

#[test]
fn without_a_last_good_version_legal_duty_records_and_consent_does_not() {
    let folder = good_folder();
    folder.write_bytes("sounds/ask.wav", b"no audio");
    let loaded = load(folder.0.path()).unwrap();
    let texts: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "announcements.yaml:5: Announcement ask: spec.file: is not a WAV or MP3 file",
            "rules.yaml:19: RecordingRule sales: spec: is not in force: an exception list or announcement that it names has no good version yet",
        ]
    );
    let acme = loaded.resources.tenants.values().next().unwrap();
    let rules: Vec<_> =
        acme.rules.iter().map(|rule| (rule.name.as_str(), &rule.announcements.inbound)).collect();
    assert_eq!(rules, [("advice", &None)]);
}

#[test]
fn a_rule_that_mixes_archives_from_the_start_records_but_permits_no_manual_recording() {
    let folder = good_folder();
    folder.write("rules.yaml", &RULES.replace("targets: [private]", "targets: [archive]"));
    let loaded = load(folder.0.path()).unwrap();
    assert_eq!(loaded.problems.len(), 1);
    let advice = &loaded.resources.tenants.values().next().unwrap().rules[0];
    assert_eq!((advice.name.as_str(), &advice.manual_recording), ("advice", &None));
}

#[test]
fn a_link_out_of_the_configuration_folder_is_not_followed() {
    let folder = good_folder();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.wav"), wav(440)).unwrap();
    folder.remove("sounds/ask.wav");
    std::os::unix::fs::symlink(outside.path().join("secret.wav"), folder.0.path().join("sounds/ask.wav"))
        .unwrap();
    let loaded = load(folder.0.path()).unwrap();
    assert_eq!(
        loaded.problems[0].to_string(),
        "announcements.yaml:5: Announcement ask: spec.file: is a link that leads out of the configuration folder"
    );
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    let folder = good_folder();
    let file = std::fs::File::create(folder.0.path().join("sounds/ask.wav")).unwrap();
    file.set_len((20 << 20) + 1).unwrap();
    let loaded = load(folder.0.path()).unwrap();
    assert_eq!(
        loaded.problems[0].to_string(),
        "announcements.yaml:5: Announcement ask: spec.file: is larger than 20 MiB"
    );
}
