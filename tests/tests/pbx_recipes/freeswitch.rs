//! FreeSWITCH is in no package registry: its dial plans are parsed and followed here, as mod_dialplan_xml does,
//! for the numbers that the recipe speaks of. Applications are compared with the documentation's list.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use regex::Regex;
use roxmltree::{Document, Node};

use crate::text;

const PUBLIC: &str = "freeswitch/dialplan/public/00_callseal.xml";
const DEFAULT: &str = "freeswitch/dialplan/default/00_callseal.xml";
const GATEWAYS: &str = "freeswitch/sip_profiles/external/callseal.xml";

/// Applications of mod_dptools (FreeSWITCH 1.10), of those that a dial plan of ours may use.
const APPLICATIONS: [&str; 14] = [
    "answer",
    "bind_digit_action",
    "bridge",
    "digit_action_set_realm",
    "execute_extension",
    "export",
    "hangup",
    "log",
    "playback",
    "set",
    "sleep",
    "system",
    "transfer",
    "unset",
];

/// Those that may run while the dial plan is read (SAF_ROUTING_EXEC).
const INLINE: [&str; 3] = ["set", "export", "unset"];

/// Channel variables, and what is known of a call before its dial plan is read.
type Variables = BTreeMap<String, String>;

/// The applications that run, with their data; `${variables}` that are known are filled in.
type Run = Vec<(String, String)>;

fn elements<'a>(node: Node<'a, 'a>) -> impl Iterator<Item = Node<'a, 'a>> {
    node.children().filter(Node::is_element)
}

fn attribute<'a>(node: Node<'a, '_>, name: &str) -> anyhow::Result<&'a str> {
    node.attribute(name).with_context(|| format!("<{}> without {name}", node.tag_name().name()))
}

/// Checks what does not depend on a call: elements, attributes, applications, expressions.
fn check(file: &str) -> anyhow::Result<()> {
    let source = text(file)?;
    let document = Document::parse(&source)?;
    anyhow::ensure!(document.root_element().has_tag_name("include"), "{file}: the root is <include>");
    let mut names = Vec::new();
    for extension in elements(document.root_element()) {
        anyhow::ensure!(extension.has_tag_name("extension"), "{file}: <{}>", extension.tag_name().name());
        names.push(attribute(extension, "name")?);
        anyhow::ensure!(matches!(extension.attribute("continue"), None | Some("true" | "false")));
        for condition in elements(extension) {
            anyhow::ensure!(condition.has_tag_name("condition"), "{file}: <{}>", condition.tag_name().name());
            attribute(condition, "field")?;
            Regex::new(attribute(condition, "expression")?)?;
            for action in elements(condition) {
                let application = attribute(action, "application")?;
                match action.tag_name().name() {
                    "action" | "anti-action" => {}
                    other => bail!("{file}: <{other}> in a condition"),
                }
                anyhow::ensure!(APPLICATIONS.contains(&application), "{file}: no application {application}");
                if action.attribute("inline").is_some() {
                    anyhow::ensure!(INLINE.contains(&application), "{file}: {application} cannot be inline");
                }
            }
        }
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    anyhow::ensure!(names.len() == count, "{file}: two extensions of one name");
    Ok(())
}

/// Fills in the variables that are known; others stay as they are written.
fn filled(data: &str, variables: &Variables) -> String {
    let mut out = data.to_owned();
    for (name, value) in variables {
        out = out.replace(&format!("${{{name}}}"), value);
    }
    out
}

/// What a condition looks at: a field of the call, or `${a variable}`, which is empty if nobody has set it.
fn looked_at(field: &str, variables: &Variables) -> String {
    let name = field.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).unwrap_or(field);
    variables.get(name).cloned().unwrap_or_default()
}

/// Follows a file of a dial plan for one call: the actions of the first extension that fits, and of those before
/// it that say `continue`.
fn follow(file: &str, variables: &mut Variables) -> anyhow::Result<Run> {
    let source = text(file)?;
    let document = Document::parse(&source)?;
    let mut run = Run::new();
    for extension in elements(document.root_element()) {
        let mut fits = true;
        for condition in elements(extension) {
            let expression = Regex::new(attribute(condition, "expression")?)?;
            let value = looked_at(attribute(condition, "field")?, variables);
            let found = expression.captures(&value);
            let wanted = if found.is_some() { "action" } else { "anti-action" };
            for action in elements(condition).filter(|action| action.has_tag_name(wanted)) {
                let mut data = action.attribute("data").unwrap_or_default().to_owned();
                for (number, group) in found.iter().flat_map(|found| found.iter().enumerate().skip(1)) {
                    data = data.replace(&format!("${number}"), group.map_or("", |group| group.as_str()));
                }
                let data = filled(&data, variables);
                let application = attribute(action, "application")?;
                if let ("set" | "export", Some((name, value))) = (application, data.split_once('=')) {
                    variables.insert(name.to_owned(), value.to_owned());
                }
                run.push((application.to_owned(), data));
            }
            // `break` is "on-false" unless said otherwise: the first that does not fit ends the extension.
            if found.is_none() {
                fits = false;
                break;
            }
        }
        if fits && extension.attribute("continue") != Some("true") {
            break;
        }
    }
    Ok(run)
}

fn call(pairs: &[(&str, &str)]) -> Variables {
    let fixed = [("uuid", "freeswitch-uuid"), ("domain_name", "pbx.example.com")];
    fixed.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn data_of<'a>(run: &'a Run, application: &str) -> Vec<&'a str> {
    run.iter().filter(|(name, _)| name == application).map(|(_, data)| data.as_str()).collect()
}

#[test]
fn freeswitchs_dial_plans_are_well_formed_and_know_their_applications() -> anyhow::Result<()> {
    check(PUBLIC)?;
    check(DEFAULT)
}

#[test]
fn an_inbound_call_goes_to_the_consent_endpoint_and_then_to_the_user() -> anyhow::Result<()> {
    let mut variables = call(&[("destination_number", "+497031123442"), ("sip_h_X-Call-ID", "7f3a@sbc")]);
    let run = follow(PUBLIC, &mut variables)?;
    assert_eq!(data_of(&run, "bridge"), ["sofia/gateway/callseal/consent.advice"]);
    assert_eq!(data_of(&run, "transfer"), ["42 XML default"]);
    assert!(data_of(&run, "export").contains(&"sip_h_X-Call-ID=7f3a@sbc"), "the id of the recording client");
    let order: Vec<&str> = run.iter().map(|(name, _)| name.as_str()).collect();
    assert!(order.iter().position(|a| *a == "bridge") < order.iter().position(|a| *a == "transfer"));
    // The call goes on after Callseal's BYE, and when Callseal is away.
    let before = data_of(&run, "set");
    assert!(before.contains(&"hangup_after_bridge=false") && before.contains(&"continue_on_fail=true"));
    Ok(())
}

#[test]
fn a_call_without_an_id_of_the_recording_client_gets_freeswitchs_own() -> anyhow::Result<()> {
    for strange in ["", "a b", "x\r\nX-Callseal-Override: deny"] {
        let mut variables = call(&[("destination_number", "497031123442"), ("sip_h_X-Call-ID", strange)]);
        follow(PUBLIC, &mut variables)?;
        assert_eq!(variables["callseal_id"], "freeswitch-uuid", "{strange:?}");
    }
    Ok(())
}

#[test]
fn a_user_goes_to_the_phone_and_an_outbound_call_by_the_recording_client() -> anyhow::Result<()> {
    let run = follow(DEFAULT, &mut call(&[("destination_number", "42"), ("user_name", "max")]))?;
    assert_eq!(data_of(&run, "bridge"), ["user/42@pbx.example.com"]);
    let run = follow(DEFAULT, &mut call(&[("destination_number", "070319977"), ("user_name", "erika")]))?;
    let bridge = data_of(&run, "bridge").join("");
    assert!(bridge.ends_with("}sofia/gateway/recording-client/70319977"), "{bridge}");
    assert!(data_of(&run, "export").contains(&"sip_h_X-Call-ID=freeswitch-uuid"));
    // What the callee's leg runs exists, and asks Callseal.
    let inner = Regex::new("group_confirm_file='execute_extension ([a-z_]+) XML default'")?;
    let target = inner.captures(&bridge).context("nothing runs on the callee's leg")?[1].to_owned();
    let run = follow(DEFAULT, &mut call(&[("destination_number", &target)]))?;
    assert_eq!(data_of(&run, "bridge"), ["sofia/gateway/callseal/announce.advice"]);
    assert!(data_of(&run, "unset").contains(&"group_confirm_key"), "or the leg to Callseal asks itself");
    Ok(())
}

#[test]
fn a_prefix_overrides_one_call_and_does_not_stay_in_the_number() -> anyhow::Result<()> {
    for (prefix, word) in [("*81", "deny"), ("*82", "force"), ("*83", "manual")] {
        let dialled = format!("{prefix}070319977");
        let run = follow(DEFAULT, &mut call(&[("destination_number", &dialled)]))?;
        assert!(data_of(&run, "export").contains(&format!("sip_h_X-Callseal-Override={word}").as_str()));
        assert_eq!(data_of(&run, "transfer"), ["070319977 XML default"]);
    }
    Ok(())
}

#[test]
fn feature_codes_log_on_and_off_for_harmless_names_only() -> anyhow::Result<()> {
    for (code, word) in [("*45", "on"), ("*46", "off")] {
        let run = follow(DEFAULT, &mut call(&[("destination_number", code), ("user_name", "erika")]))?;
        let command = format!("/usr/local/bin/callseal-api member advisers erika {word} ");
        assert!(data_of(&run, "set").iter().any(|data| data.contains(&command)), "{run:?}");
        let run = follow(DEFAULT, &mut call(&[("destination_number", code), ("user_name", "x;reboot")]))?;
        assert!(!run.iter().any(|(_, data)| data.contains("reboot")), "{run:?}");
    }
    let done = follow(DEFAULT, &mut call(&[("destination_number", "callseal_told_")]))?;
    let not_done = follow(DEFAULT, &mut call(&[("destination_number", "callseal_told_c")]))?;
    assert_ne!(data_of(&done, "playback"), data_of(&not_done, "playback"));
    Ok(())
}

#[test]
fn freeswitchs_dial_plans_ring_gateways_that_exist() -> anyhow::Result<()> {
    let source = text(GATEWAYS)?;
    let document = Document::parse(&source)?;
    let gateways: Vec<&str> =
        elements(document.root_element()).filter_map(|gateway| gateway.attribute("name")).collect();
    for gateway in elements(document.root_element()) {
        anyhow::ensure!(gateway.has_tag_name("gateway"));
        for param in elements(gateway) {
            anyhow::ensure!(param.has_tag_name("param"));
            attribute(param, "name")?;
            attribute(param, "value")?;
        }
    }
    let rung = Regex::new("sofia/gateway/([a-z-]+)/")?;
    for file in [PUBLIC, DEFAULT] {
        for found in rung.captures_iter(&text(file)?) {
            assert!(gateways.contains(&&found[1]), "{file}: no gateway {}", &found[1]);
        }
    }
    Ok(())
}
