//! `callseal-api`, which the dial plans call: what it asks of the HTTP API is in the table of docs/pbx/README.md.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Command, Output},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::Context;
use harness::programs;
use regex::Regex;

use crate::{recipe, text};

const PATIENCE: Duration = Duration::from_secs(60);

/// One HTTP request as it came.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The target, still percent-encoded.
    pub path: String,
    /// The value of `Authorization`.
    pub authorization: String,
    /// The body.
    pub body: String,
}

/// Stands where Callseal's HTTP API is: takes requests and answers each with `status` and `body`.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    requests: mpsc::Receiver<Request>,
}

impl Listener {
    /// Listens on a free port of loopback until the test ends.
    pub fn start(status: &'static str, body: &'static str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (sender, requests) = mpsc::channel();
        // Ends with the test's process: a blocking accept cannot be called off.
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let Ok(request) = answer(&stream, status, body) else { continue };
                if sender.send(request).is_err() {
                    return;
                }
            }
        });
        Ok(Self { address, requests })
    }

    /// The next request.
    pub fn next(&self) -> anyhow::Result<Request> {
        self.requests.recv_timeout(PATIENCE).context("no HTTP request came")
    }

    /// Writes the two files of settings that `callseal-api` reads.
    pub fn settings(&self, folder: &Path) -> anyhow::Result<()> {
        fs::write(
            folder.join("api"),
            format!("CALLSEAL_URL=http://{}\nCALLSEAL_TENANT=acme\n", self.address),
        )?;
        fs::write(folder.join("authorization"), "Authorization: Bearer key-of-the-pbx\n")?;
        Ok(())
    }
}

fn answer(stream: &std::net::TcpStream, status: &str, body: &str) -> anyhow::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let method = words.next().context("no method")?;
    let path = words.next().context("no target")?;
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse()?,
            "authorization" => value.trim().clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut content = vec![0; length];
    reader.read_exact(&mut content)?;
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())?;
    Ok(Request { method, path, authorization, body: String::from_utf8(content)? })
}

fn run(settings: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(recipe("callseal-api"));
    Ok(command.args(arguments).env("CALLSEAL_SETTINGS", settings).output()?)
}

/// Method and path of each row of the table of HTTP calls in docs/pbx/README.md.
pub fn routes() -> anyhow::Result<Vec<(String, String)>> {
    let row = Regex::new(r"(?m)^\| `(GET|PUT|POST|DELETE) (/v1/[^` ?]+)[^`]*` \|")?;
    let readme = text("README.md")?;
    Ok(row.captures_iter(&readme).map(|found| (found[1].to_owned(), found[2].to_owned())).collect())
}

/// Whether a row of the table allows this request.
pub fn is_known(method: &str, path: &str) -> anyhow::Result<bool> {
    let parameter = Regex::new(r"\\\{[a-zA-Z]+\\\}")?;
    for (allowed, route) in routes()? {
        let pattern = parameter.replace_all(&regex::escape(&route), "[^/:?]+").into_owned();
        if allowed == method && Regex::new(&format!("^{pattern}$"))?.is_match(path) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Method and path of each route that the service rules serves, as its source lays them down.
fn served() -> anyhow::Result<Vec<(String, String)>> {
    let source = fs::read_to_string(programs::workspace().join("services/rules/src/api/http.rs"))?;
    let method = Regex::new(r"\b(get|put|post|delete)\(")?;
    let mut served = Vec::new();
    for route in source.split(".route(").skip(1) {
        let path = route.split('"').nth(1).context("a route without a path")?;
        // The last one answers for all that is not there.
        if !path.contains("{*") {
            let methods = method.captures_iter(route);
            served.extend(methods.map(|found| (found[1].to_uppercase(), path.to_owned())));
        }
    }
    Ok(served)
}

#[test]
fn every_call_of_the_readme_is_served_by_rules() -> anyhow::Result<()> {
    let served = served()?;
    assert!(served.len() >= 10, "the routes of rules are not found: {served:?}");
    for route in routes()? {
        assert!(served.contains(&route), "rules does not serve {route:?}");
    }
    Ok(())
}

#[test]
fn each_request_of_callseal_api_is_one_that_the_readme_names() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let http = Listener::start("200 OK", "{}")?;
    http.settings(folder.path())?;
    let calls = "/v1/tenants/acme/calls";
    let group = "/v1/tenants/acme/groups/advisers/members/erika";
    let cases: [(&[&str], &str, String, &str); 8] = [
        (&["member", "advisers", "erika", "on"], "PUT", group.to_owned(), r#"{"active": true}"#),
        (&["member", "advisers", "erika", "off"], "PUT", group.to_owned(), r#"{"active": false}"#),
        (&["override", "7f3a", "deny"], "PUT", format!("{calls}/7f3a/override"), r#"{"override": "deny"}"#),
        (&["consent", "7f3a"], "GET", format!("{calls}/7f3a/consent"), ""),
        (
            &["consent", "7f3a", "granted"],
            "PUT",
            format!("{calls}/7f3a/consent"),
            r#"{"outcome": "granted", "mode": "optIn"}"#,
        ),
        (
            &["consent", "7f3a", "no-answer", "optOut"],
            "PUT",
            format!("{calls}/7f3a/consent"),
            r#"{"outcome": "no-answer", "mode": "optOut"}"#,
        ),
        (
            &["start", "7f3a", "erika"],
            "POST",
            format!("{calls}/7f3a/recording:start"),
            r#"{"user": "erika"}"#,
        ),
        (&["stop", "7f3a", "erika"], "POST", format!("{calls}/7f3a/recording:stop"), r#"{"user": "erika"}"#),
    ];
    for (arguments, method, path, body) in cases {
        let output = run(folder.path(), arguments)?;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let request = http.next()?;
        assert!(is_known(&request.method, &request.path)?, "not in the table: {request:?}");
        let expected = Request {
            method: method.to_owned(),
            path,
            authorization: "Bearer key-of-the-pbx".to_owned(),
            body: body.to_owned(),
        };
        assert_eq!(request, expected);
    }
    Ok(())
}

#[test]
fn what_stands_in_an_argument_stays_one_part_of_the_path() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let http = Listener::start("200 OK", "{}")?;
    http.settings(folder.path())?;
    run(folder.path(), &["override", "a/../b c@host;x?ü", "force"])?;
    assert_eq!(http.next()?.path, "/v1/tenants/acme/calls/a%2F..%2Fb%20c%40host%3Bx%3F%C3%BC/override");
    for hostile in [["start", "7f3a", "x\"}"], ["override", "..", "force"], ["override", "", "force"]] {
        let output = run(folder.path(), &hostile)?;
        assert_eq!(output.status.code(), Some(1), "{hostile:?}");
    }
    Ok(())
}

#[test]
fn callseal_api_prints_the_stored_answer_and_unknown_without_one() -> anyhow::Result<()> {
    for (status, body, expected) in [
        ("200 OK", r#"{"outcome":"no-answer","source":"consentCall"}"#, "no-answer\n"),
        ("200 OK", r#"{ "outcome" : "granted" }"#, "granted\n"),
        ("404 Not Found", "", "unknown\n"),
    ] {
        let folder = tempfile::tempdir()?;
        let http = Listener::start(status, body)?;
        http.settings(folder.path())?;
        let output = run(folder.path(), &["consent", "7f3a"])?;
        assert_eq!(String::from_utf8(output.stdout)?, expected);
        assert!(output.status.success());
    }
    Ok(())
}

#[test]
fn callseal_api_says_that_it_failed_and_never_the_token() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let http = Listener::start("401 Unauthorized", "")?;
    http.settings(folder.path())?;
    let output = run(folder.path(), &["member", "advisers", "erika", "on"])?;
    let said = String::from_utf8(output.stderr)?;
    assert!(!output.status.success());
    assert!(said.contains("401"), "{said}");
    assert!(!said.contains("key-of-the-pbx"), "{said}");
    let usage = run(folder.path(), &["member", "advisers", "erika", "maybe"])?;
    assert_eq!(usage.status.code(), Some(2));
    Ok(())
}

#[test]
fn a_setting_that_is_missing_is_named() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let output = run(folder.path(), &["override", "7f3a", "deny"])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr)?.contains("cannot read"));
    Ok(())
}
