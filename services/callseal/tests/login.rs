//! `callseal login` and what it gives, against Microsoft's servers as the harness plays them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use axum::{
    Router,
    extract::RawQuery,
    http::{HeaderMap, StatusCode},
    routing::get,
};
use harness::graph::{CLIENT, Graph, TENANT, USER, USER_DRIVE};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const DEADLINE: Duration = Duration::from_secs(60);

fn configuration(dir: &Path, login: &str, further: &str) {
    fs::create_dir_all(dir.join("config")).unwrap();
    let text = format!(
        "apiVersion: callseal.io/v1alpha1
kind: Tenant
metadata: {{ name: acme }}
spec: {{ country: DE, timeZone: Europe/Berlin }}
---
apiVersion: callseal.io/v1alpha1
kind: StorageTarget
metadata: {{ name: vault, namespace: acme }}
spec:
  oneDrive:
    login: {{ {login} }}
    {further}
    path: Recordings
"
    );
    fs::write(dir.join("config/acme.yaml"), text).unwrap();
}

/// `callseal`, which reaches Microsoft's names through the proxy of the harness alone.
fn callseal(graph: &Graph, dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callseal"));
    command.args(args).arg("--config").arg(dir.join("config")).arg("--data").arg(dir.join("data"));
    command.arg("vault").env("HTTPS_PROXY", graph.proxy()).env("SSL_CERT_FILE", graph.ca());
    command.env_remove("NO_PROXY").env_remove("no_proxy").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn test_target(graph: &Graph, dir: &Path) -> (bool, String) {
    let mut command = callseal(graph, dir, &["test-target"]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// A command, and the first line of what it says that holds `wanted`.
async fn begin(mut command: Command, wanted: &'static str) -> (Child, BufReader<ChildStdout>, String) {
    let begun = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(wanted) {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "it ends without {wanted:?}");
        }
        (child, lines, line)
    });
    tokio::time::timeout(DEADLINE, begun).await.expect("it says nothing").unwrap()
}

async fn end(mut child: Child, mut lines: BufReader<ChildStdout>) -> (bool, String) {
    let ending = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        lines.read_to_string(&mut text).unwrap();
        (child.wait().unwrap().success(), text)
    });
    tokio::time::timeout(DEADLINE, ending).await.expect("it does not end").unwrap()
}

fn user() -> String {
    format!("user: {{ tenantId: {TENANT}, clientId: {CLIENT}, account: {USER} }}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_logs_in_by_a_code_and_the_target_works_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let graph = Graph::start(&dir.path().join("microsoft")).await.unwrap();
    configuration(dir.path(), &user(), "");
    let (good, text) = test_target(&graph, dir.path()).await;
    assert!(!good && text.contains("run callseal login --config DIR vault"), "{text}");

    let (child, lines, line) =
        begin(callseal(&graph, dir.path(), &["login", "--device"]), "type the code").await;
    graph.on_device(line.trim().rsplit(' ').next().unwrap(), Some(USER));
    let (good, text) = end(child, lines).await;
    assert!(good && text.contains("the login is kept"), "{text}");
    let (good, text) = test_target(&graph, dir.path()).await;
    assert!(good, "{text}");
    assert!(graph.files(USER_DRIVE).is_empty());

    graph.end_tokens();
    graph.refuse_sign_in(Some(50_173));
    let (good, text) = test_target(&graph, dir.path()).await;
    assert!(!good && text.contains("revoked") && text.contains("callseal login"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_logs_in_in_a_browser_and_another_account_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let graph = Graph::start(&dir.path().join("microsoft")).await.unwrap();
    configuration(dir.path(), &user(), "");
    for (account, good) in [("bob@contoso.example", false), ("Ann@Contoso.example", true)] {
        let (child, lines, line) = begin(callseal(&graph, dir.path(), &["login"]), "https://").await;
        let back = graph.in_browser(line.trim(), account).unwrap();
        let page = visit(&back).await;
        assert!(page.contains("You are logged in"), "{page}");
        let (ended_well, text) = end(child, lines).await;
        assert_eq!(ended_well, good, "{text}");
        assert!(!text.contains("bob"), "{text}");
        assert_eq!(test_target(&graph, dir.path()).await.0, good);
    }
}

/// What a browser does with `http://localhost:PORT/?…`.
async fn visit(url: &str) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_signs_in_by_the_token_of_its_service_account() {
    let dir = tempfile::tempdir().unwrap();
    let graph = Graph::start(&dir.path().join("microsoft")).await.unwrap();
    configuration(dir.path(), "app: { workloadIdentity: true }", &format!("drive: {{ user: {USER} }}"));
    let (good, text) = test_target(&graph, dir.path()).await;
    assert!(!good && text.contains("AZURE_TENANT_ID"), "{text}");
    let mut command = callseal(&graph, dir.path(), &["test-target"]);
    command.env("AZURE_TENANT_ID", TENANT).env("AZURE_CLIENT_ID", CLIENT);
    command.env("AZURE_FEDERATED_TOKEN_FILE", graph.federated_token().unwrap());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(graph.signed_in(), ["federated token"]);
    let mut command = callseal(&graph, dir.path(), &["login"]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && text.contains("signs in to it by itself"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_in_azure_signs_in_by_its_own_identity() {
    let dir = tempfile::tempdir().unwrap();
    let graph = Graph::start(&dir.path().join("microsoft")).await.unwrap();
    let app = format!("app: {{ managedIdentity: {{ clientId: {CLIENT} }} }}");
    configuration(dir.path(), &app, &format!("drive: {{ user: {USER} }}"));
    // What App Service gives to what runs there: an address, and a word to say.
    let token = graph.app_token();
    let identity = Router::new().route(
        "/msi/token",
        get(async move |headers: HeaderMap, RawQuery(query): RawQuery| {
            let query = query.unwrap_or_default();
            let right = headers.get("x-identity-header").is_some_and(|word| word == "word")
                && query.contains("graph.microsoft.com")
                && query.contains(CLIENT);
            let answer = format!(
                r#"{{"access_token":"{token}","expires_on":"4070908800","token_type":"Bearer","resource":"r"}}"#
            );
            if right { (StatusCode::OK, answer) } else { (StatusCode::BAD_REQUEST, "{}".to_owned()) }
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/msi/token", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, identity).await });
    for (word, good) in [("word", true), ("other", false)] {
        let mut command = callseal(&graph, dir.path(), &["test-target"]);
        command.env("IDENTITY_ENDPOINT", &address).env("IDENTITY_HEADER", word);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.success(), good, "{text}");
        assert!(good || text.contains("the machine gives no token"), "{text}");
    }
    serving.abort();
}
