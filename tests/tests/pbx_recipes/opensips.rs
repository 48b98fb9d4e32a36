//! OpenSIPS is not in Debian 12: its script is parsed here (`opensips_script`), and each function, parameter and
//! variable is compared with the documentation of OpenSIPS 3.4–3.6.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use regex::Regex;

use crate::{
    api,
    opensips_script::{Script, parse},
    text,
};

/// Functions: module (empty: the core), name, fewest and most arguments.
const FUNCTIONS: [(&str, &str, usize, usize); 29] = [
    ("", "cache_fetch", 3, 3),
    ("", "cache_remove", 2, 2),
    ("", "cache_store", 3, 4),
    ("", "is_myself", 1, 2),
    ("", "route", 1, 1),
    ("", "strip", 1, 1),
    ("", "xlog", 1, 2),
    ("dialog", "create_dialog", 0, 1),
    ("maxfwd", "mf_process_maxfwd_header", 1, 1),
    ("rest_client", "rest_append_hf", 1, 1),
    ("rest_client", "rest_get", 2, 4),
    ("rest_client", "rest_put", 4, 6),
    ("rr", "loose_route", 0, 0),
    ("rr", "record_route", 0, 1),
    ("rtp_relay", "rtp_relay_engage", 1, 2),
    ("signaling", "send_reply", 2, 2),
    ("sipmsgops", "append_hf", 1, 2),
    ("sipmsgops", "has_totag", 0, 0),
    ("sipmsgops", "is_method", 1, 1),
    ("sipmsgops", "is_present_hf", 1, 1),
    ("sipmsgops", "remove_hf", 1, 1),
    ("siprec", "siprec_pause_recording", 0, 1),
    ("siprec", "siprec_resume_recording", 0, 1),
    ("siprec", "siprec_start_recording", 1, 2),
    ("tm", "t_check_trans", 0, 0),
    ("tm", "t_on_failure", 1, 1),
    ("tm", "t_on_reply", 1, 1),
    ("tm", "t_relay", 0, 2),
    ("tm", "t_was_cancelled", 0, 0),
];

/// Parameters of modules.
const PARAMETERS: [(&str, &str); 7] = [
    ("tm", "fr_timeout"),
    ("tm", "fr_inv_timeout"),
    ("rr", "append_fromtag"),
    ("rtpengine", "rtpengine_sock"),
    ("siprec", "skip_failover_codes"),
    ("rest_client", "connection_timeout"),
    ("rest_client", "curl_timeout"),
];

/// Variables by what stands before a parenthesis, and the module that brings them (empty: the core).
const VARIABLES: [(&str, &str); 14] = [
    ("avp", ""),
    ("ci", ""),
    ("env", "cfgutils"),
    ("fU", ""),
    ("hdr", ""),
    ("rU", ""),
    ("rd", ""),
    ("rp", ""),
    ("rtp_relay", "rtp_relay"),
    ("rtp_relay_peer", "rtp_relay"),
    ("ru", ""),
    ("si", ""),
    ("siprec", "siprec"),
    ("var", ""),
];

/// Settings of the core.
const SETTINGS: [&str; 7] =
    ["alias", "log_facility", "log_level", "mpath", "socket", "tcp_workers", "udp_workers"];

/// Modules that others need, loaded before them (the modules' `deps`).
const NEEDS: [(&str, &[&str]); 4] = [
    ("dialog", &["tm", "rr"]),
    ("b2b_entities", &["tm"]),
    ("rtp_relay", &["dialog", "rtpengine"]),
    ("siprec", &["tm", "dialog", "b2b_entities", "rtp_relay"]),
];

/// What the parser does not see by itself.
fn check(script: &Script) -> anyhow::Result<()> {
    let loaded = |module: &str| module.is_empty() || script.modules.iter().any(|m| m == module);
    for (name, _) in &script.settings {
        ensure!(SETTINGS.contains(&name.as_str()), "the core has no setting {name}");
    }
    for (module, parameter) in &script.parameters {
        let known = PARAMETERS.contains(&(module.as_str(), parameter.as_str()));
        ensure!(known, "module {module} has no parameter {parameter}");
    }
    for (module, needed) in NEEDS {
        for other in needed {
            let place = |wanted: &str| script.modules.iter().position(|m| m == wanted);
            ensure!(
                place(other).is_some_and(|at| Some(at) < place(module)),
                "{module} needs {other} before it"
            );
        }
    }
    let mut named = BTreeSet::new();
    for route in &script.routes {
        ensure!(named.insert(route), "two routes {route:?}");
    }
    for (name, arguments) in &script.calls {
        let function = FUNCTIONS.iter().find(|(_, known, ..)| known == name);
        let (module, _, fewest, most) = function.with_context(|| format!("no function {name}"))?;
        ensure!(loaded(module), "{name} needs the module {module}");
        ensure!((fewest..=most).contains(&&arguments.len()), "{name} with {} arguments", arguments.len());
        let target = arguments.first().map(|argument| argument.trim_matches('"').to_owned());
        let kind = match name.as_str() {
            "route" => "route",
            "t_on_failure" => "failure_route",
            "t_on_reply" => "onreply_route",
            _ => continue,
        };
        let target = target.with_context(|| format!("{name} of nothing"))?;
        ensure!(script.routes.contains(&(kind.to_owned(), target.clone())), "no {kind}[{target}]");
    }
    let form = Regex::new(r"^\$\(?([a-zA-Z_]+)(?:\(([^()]*)\))?((?:\{[^}]*\})*)\)?$")?;
    for variable in &script.variables {
        let found = form.captures(variable).with_context(|| format!("variable {variable}"))?;
        let known = VARIABLES.iter().find(|(name, _)| *name == &found[1]);
        let (name, module) = known.with_context(|| format!("no variable {variable}"))?;
        ensure!(loaded(module), "{variable} needs the module {module}");
        if *name == "siprec" {
            let part = found.get(2).map(|part| part.as_str());
            ensure!(matches!(part, Some("headers" | "caller" | "callee" | "media" | "group")), "{variable}");
        }
        match &found[3] {
            "" | "{s.md5}" => {}
            "{rest.escape}" => ensure!(loaded("rest_client")),
            other => anyhow::bail!("no transformation {other}"),
        }
    }
    Ok(())
}

#[test]
fn opensips_script_is_well_formed_and_calls_what_there_is() -> anyhow::Result<()> {
    check(&parse(&text("opensips/opensips.cfg")?)?)
}

#[test]
fn a_fault_in_opensips_script_is_seen() -> anyhow::Result<()> {
    let good = text("opensips/opensips.cfg")?;
    for (right, wrong) in [
        ("record_route();", "record_route()"),
        ("record_route();", "record_rout();"),
        ("route(relay);", "route(relais);"),
        ("t_on_failure(\"nobody_asked\")", "t_on_failure(\"everybody_asked\")"),
        ("loadmodule \"siprec.so\"\n", ""),
        ("loadmodule \"rest_client.so\"\n", ""),
        ("\"skip_failover_codes\"", "\"skip_codes\""),
        ("$siprec(headers)", "$siprec(header)"),
        ("$avp(call) = $ci;", "$avp(call) = $callid;"),
        ("\"Too Many Hops\"", "\"Too Many Hops"),
        ("if ($si == $var(pbx)) {", "if ($si == $var(pbx) {"),
        ("send_reply(403, \"Forbidden\");", "send_reply(403);"),
        ("udp_workers=4", "udp_worker=4"),
    ] {
        let broken = good.replacen(right, wrong, 1);
        assert_ne!(broken, good, "the recipe has no {right:?} any more");
        assert!(parse(&broken).and_then(|script| check(&script)).is_err(), "{wrong:?} is not seen");
    }
    Ok(())
}

#[test]
fn opensips_tells_callseal_the_call_id_and_the_override() -> anyhow::Result<()> {
    let script = parse(&text("opensips/opensips.cfg")?)?;
    let source = text("opensips/opensips.cfg")?;
    assert!(script.calls.iter().any(|(name, _)| name == "siprec_start_recording"));
    for header in ["X-Call-ID: ", "X-Callseal-Override: "] {
        assert!(source.contains(&format!("\"{header}\" + ")), "{header} is not sent");
    }
    // Nothing from outside is believed.
    let from_provider = source.split("route[from_provider]").nth(1).context("no route from_provider")?;
    let before_routing = from_provider.split("if (").next().unwrap_or_default();
    for header in ["X-Call-ID", "X-Callseal-Override", "X-Callseal-Consent"] {
        assert!(
            before_routing.contains(&format!("remove_hf(\"{header}\");")),
            "{header} of the outside is kept"
        );
    }
    Ok(())
}

#[test]
fn opensips_asks_the_api_for_what_the_readme_names() -> anyhow::Result<()> {
    let source = text("opensips/opensips.cfg")?;
    let setting = |name: &str| -> anyhow::Result<String> {
        let line = Regex::new(&format!(r#"\$var\({name}\) = "([^"]+)";"#))?;
        Ok(line.captures(&source).with_context(|| format!("no setting {name}"))?[1].to_owned())
    };
    let expression = Regex::new(r"\$var\(url\) = (.+);")?.captures(&source).context("no URL")?[1].to_owned();
    let mut url = String::new();
    for term in expression.split(" + ") {
        match term.strip_prefix("$var(").and_then(|rest| rest.strip_suffix(')')) {
            Some("user") => url.push_str("erika"),
            Some(name) => url.push_str(&setting(name)?),
            None => url.push_str(term.trim_matches('"')),
        }
    }
    let path = url.strip_prefix("http://callseal.example.com:8080").context("another host")?;
    assert!(api::is_known("PUT", path)?, "PUT {path} is not in the table");
    let script = parse(&source)?;
    for (name, arguments) in script.calls.iter().filter(|(name, _)| name == "rest_put") {
        let body = arguments[1].trim_matches('"').replace("\\\"", "\"");
        let body: serde_json::Value =
            serde_json::from_str(&body).with_context(|| format!("{name} {arguments:?}"))?;
        assert!(body["active"].is_boolean());
    }
    Ok(())
}
