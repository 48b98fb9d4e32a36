use super::*;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn args(call: &Path) -> ExplainArgs {
    ExplainArgs { config: examples().join("config"), call: call.to_owned(), lang: None }
}

fn explained(facts: &str) -> anyhow::Result<String> {
    let dir = tempfile::tempdir()?;
    let call = dir.path().join("call.yaml");
    fs::write(&call, facts)?;
    explain(&args(&call)).map(|(_, explained)| explained.to_string())
}

/// What is said of a call to a tenant whose only rule asks for consent.
fn asked(facts: &str, lang: Option<Language>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let tenant = dir.path().join("globex");
    fs::create_dir(&tenant).unwrap();
    fs::write(tenant.join("all.yaml"), CONSENT_TENANT).unwrap();
    let call = dir.path().join("call.facts");
    fs::write(&call, facts).unwrap();
    let args = ExplainArgs { config: dir.path().to_owned(), call, lang };
    let (loaded, explained) = explain(&args).unwrap();
    assert_eq!(*loaded.problems, []);
    explained.to_string()
}

const CONSENT_TENANT: &str = r#"
apiVersion: callseal.io/v1alpha1
kind: Tenant
metadata: {name: globex}
spec: {country: DE}
---
apiVersion: callseal.io/v1alpha1
kind: Directory
metadata: {name: staff}
spec:
  users: {paula: {identities: ["24"]}}
  groups: {sales: {numbers: ["600"], members: [paula]}}
---
apiVersion: callseal.io/v1alpha1
kind: RecordingRule
metadata: {name: asking}
spec:
  profile: consent
  consent: {mode: optIn, askedBy: pbx, key: "1", seconds: 8}
  scope: {groups: [sales]}
"#;

#[test]
fn the_example_call_is_recorded_and_the_configuration_has_no_problem() {
    let (loaded, explained) = explain(&args(&examples().join("call.yaml"))).unwrap();
    assert_eq!(*loaded.problems, []);
    let expected = [
        "recorded by rule advice",
        "  direction  in",
        "  class      regulated",
        "  channels   stereo",
        "  targets    archive",
        "  journals   main",
        "  stopped by *1 of the callee",
        "why",
        "  1. advice: matches",
    ];
    assert_eq!(explained.to_string().lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_call_that_is_not_recorded_says_why_rule_by_rule() {
    let text = explained("caller: {number: \"+4989123456\"}\ncallee: {number: 500}\n").unwrap();
    let first = "not recorded: no rule matches\n  direction  in\nwhy\n  \
         1. advice: passed over, exceptionLists: the outside number is on the list never\n";
    assert!(text.starts_with(first), "{text}");
}

#[test]
fn an_override_and_who_logged_off_count() {
    let outbound = "caller: {number: \"22\"}\ncallee: {number: \"+4922198765\"}\n";
    let text = explained(outbound).unwrap();
    assert!(text.starts_with("recorded by rule advice\n"), "{text}");
    let text = explained(&format!("{outbound}loggedOff: [{{group: desk, user: erika}}]\n")).unwrap();
    assert!(text.starts_with("not recorded: "), "{text}");
    let text = explained(&format!("{outbound}override: deny\n")).unwrap();
    assert!(text.ends_with("why\n  1. override: deny, said in the call's signalling\n"), "{text}");
}

#[test]
fn a_question_is_shown_with_who_is_asked_and_how() {
    let inbound = "caller: {number: \"+4922198765\"}\ncallee: {number: \"600\"}\n";
    let expected = [
        "recorded by rule asking once there is consent",
        "  direction  in",
        "  class      consent",
        "  channels   stereo",
        "  targets    none",
        "  journals   none",
        "  stopped by *1 of the callee",
        "  question   optIn to the caller, asked by pbx",
        "  hears      no announcement of ours",
        "  key        1, up to 8 s after the announcement",
        "why",
        "  1. asking: matches",
        "  2. consent: there is no answer yet",
    ];
    assert_eq!(asked(inbound, None).lines().collect::<Vec<_>>(), expected);
    let granted = asked(&format!("{inbound}consent: {{outcome: granted, key: \"1\"}}\n"), None);
    assert!(granted.starts_with("recorded by rule asking\n"), "{granted}");
    assert!(granted.contains("\n  consent    granted (optIn)\n"), "{granted}");
    let denied = asked(&format!("{inbound}consent: {{outcome: denied}}\n"), None);
    assert!(denied.starts_with("not recorded: consent was denied (rule asking)\n"), "{denied}");
}

#[test]
fn the_rule_that_decides_speaks_plain_language_if_asked_to() {
    let inbound = "caller: {number: \"+4922198765\"}\ncallee: {number: \"600\"}\n";
    let sentence = |language: &str| {
        let text = asked(inbound, Some(language.parse().unwrap()));
        text.split_once("the rule\n  ").expect("the sentence stands below").1.trim_end().to_owned()
    };
    let (german, english) = (sentence("de"), sentence("en"));
    assert!(german != english && german.contains("sales") && english.contains("sales"), "{german} {english}");
    assert!(!asked(inbound, None).contains("the rule\n"));
}

#[test]
fn a_wrong_file_is_named_with_line_and_field() {
    let error = format!("{:#}", explained("callId: x\ncaller:\n  nummer: 1\n").unwrap_err());
    assert!(
        error.ends_with(
            "call.yaml: line 3: caller.nummer: there is no such field; known are number, name, identities"
        ),
        "{error}"
    );
    let error = format!("{:#}", explained("tenant: globex\n").unwrap_err());
    assert_eq!(error, "there is no tenant \"globex\" in force; there are: acme");
    assert!(explain(&args(Path::new("missing.yaml"))).is_err());
}

#[test]
fn a_member_whom_nobody_knows_is_said_and_not_passed_over() {
    let error = |facts: &str| format!("{:#}", explained(facts).unwrap_err());
    assert_eq!(
        error("loggedOff: [{group: night, user: erika}]\n"),
        "loggedOff[0].group: no Directory has a group \"night\""
    );
    assert_eq!(
        error("loggedOn: [{group: desk, user: otto}]\n"),
        "loggedOn[0].user: no Directory has a user of this name or number"
    );
}
