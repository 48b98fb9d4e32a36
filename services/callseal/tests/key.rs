//! `callseal key` as a command, on a real SoftHSM, judged by OpenSSL; and changes of the key of a running
//! `callseal up`.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use evidence::{Certificate, KeyChangeStatement, Sha256Hash, Signature, key_change::statement_path};
use harness::{installation::http_get, recordings, resources, up::Up};

const PATIENCE: Duration = Duration::from_secs(120);

/// Runs `callseal key` in `dir`, with SoftHSM's token below it.
fn key(dir: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callseal"));
    command.arg("key").args(words).current_dir(dir).env("CALLSEAL_SOFTHSM", dir);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What it printed on standard output when all went well.
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn run(dir: &Path, program: &str, words: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(words).current_dir(dir).env("SOFTHSM2_CONF", dir.join("keys/softhsm2.conf"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{program} {words:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn openssl(dir: &Path, words: &str) -> String {
    run(dir, "openssl", &words.split(' ').collect::<Vec<_>>())
}

fn pkcs11_tool(dir: &Path, words: &[&str]) -> String {
    let pin = fs::read_to_string(dir.join("keys/pin")).unwrap();
    let module = keys::softhsm::find_module().unwrap();
    let token = ["--module", module.to_str().unwrap(), "--login", "--pin", &pin];
    run(dir, "pkcs11-tool", &[&token[..], words].concat())
}

/// A certificate of the key by a CA in `dir`, valid between these days.
fn issued(dir: &Path, from: &str, until: &str) {
    fs::write(dir.join("key.csr"), printed(&key(dir, &["csr"]))).unwrap();
    if !dir.join("ca.pem").exists() {
        openssl(dir, "req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=CA -keyout ca.key -out ca.pem");
    }
    let conf = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n\
                policy=p\nunique_subject=no\n[p]\ncommonName=supplied\norganizationName=optional\n";
    for (name, text) in [("ca.conf", conf), ("index", ""), ("serial", "77\n")] {
        fs::write(dir.join(name), text).unwrap();
    }
    openssl(
        dir,
        &format!(
            "ca -batch -notext -config ca.conf -in key.csr -cert ca.pem -keyfile ca.key \
             -startdate {from}000000Z -enddate {until}000000Z -out issued.pem"
        ),
    );
}

#[test]
fn a_key_is_made_shown_requested_for_and_gets_a_certificate_of_a_ca() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let init = ["init", "--holder", "Bank, \"Süd\" <AG>", "--installation", "acme-1", "--years", "7"];
    let made = printed(&key(dir, &init));
    assert_eq!(printed(&key(dir, &["show"])), made);
    fs::write(dir.join("callseal.pem"), &made).unwrap();
    let subject = openssl(dir, "x509 -in callseal.pem -noout -subject -nameopt utf8,sep_multiline");
    assert!(subject.contains("CN=acme-1") && subject.contains("O=Bank, \"Süd\" <AG>"), "{subject}");
    let fingerprint = openssl(dir, "x509 -in callseal.pem -noout -fingerprint -sha256");
    let shown = printed(&key(dir, &["show", "--fingerprint"]));
    assert_eq!(fingerprint.split('=').nth(1).unwrap(), shown);

    let again = key(dir, &init);
    assert!(!again.status.success() && said(&again).contains("a key is never replaced"), "{}", said(&again));

    let (from, until) = ("20200101", "20900101");
    issued(dir, from, until);
    openssl(dir, "req -in key.csr -verify -noout");
    let chain = fs::read_to_string(dir.join("issued.pem")).unwrap()
        + &fs::read_to_string(dir.join("ca.pem")).unwrap();
    fs::write(dir.join("chain.pem"), &chain).unwrap();
    let wrong = key(dir, &["import-cert", "ca.pem"]);
    assert!(!wrong.status.success() && said(&wrong).contains("is of another key"), "{}", said(&wrong));
    printed(&key(dir, &["import-cert", "chain.pem"]));
    assert_eq!(printed(&key(dir, &["show", "--chain"])), chain);
    assert_eq!(printed(&key(dir, &["show"])), fs::read_to_string(dir.join("issued.pem")).unwrap());
    let checked = printed(&key(dir, &["check"]));
    assert!(checked.contains("verdict: recordings can be sealed with this key"), "{checked}");
}

#[test]
fn the_page_for_the_printer_holds_all_that_is_needed_to_check() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    printed(&key(dir, &["init", "--holder", "A <b> & \"C\"", "--bits", "4096"]));
    let nothing = printed(&key(dir, &["show", "--page", "page.html", "--svg", "code.svg"]));
    assert_eq!(nothing, "", "the certificate was not asked for");
    let page = fs::read_to_string(dir.join("page.html")).unwrap();
    let svg = fs::read_to_string(dir.join("code.svg")).unwrap();
    assert!(page.contains(&svg), "the code is in the page");
    let text = page.split("<pre class=\"pem\">").nth(1).unwrap().split("</pre>").next().unwrap();
    fs::write(dir.join("from-page.pem"), format!("{text}\n")).unwrap();
    let of_page = openssl(dir, "x509 -in from-page.pem -noout -fingerprint -sha256");
    let digits: String = page
        .split("class=\"print\">")
        .nth(1)
        .unwrap()
        .split("</p>")
        .next()
        .unwrap()
        .replace("&nbsp;", "")
        .replace("<br>", "")
        .chars()
        .filter(char::is_ascii_hexdigit)
        .collect();
    assert_eq!(of_page.split('=').nth(1).unwrap().trim().replace(':', ""), digits);
    for expected in ["RSA, 4096 bits", "A &lt;b&gt;", "openssl dgst -sha256 -verify"] {
        assert!(page.contains(expected), "{expected} is not in the page");
    }
    assert!(!page.contains("<b>"), "what a holder is called is no markup");
    let on_terminal = printed(&key(dir, &["show", "--qr"]));
    assert!(on_terminal.contains('▀') && on_terminal.lines().count() > 40, "{on_terminal}");
}

#[test]
fn the_check_says_what_is_wrong_and_ends_with_one_or_two() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let ends = |words: &[&str], code: i32, sentence: &str| {
        let output = key(dir, words);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(sentence), "'{sentence}' is not in: {}", said(&output));
    };
    // Looking for a key makes no token, and no key.
    ends(&["check"], 1, "FAULT  (pin)");
    printed(&key(dir, &["init", "--bits", "2048"]));
    ends(&["check"], 0, "length       note   RSA-2048 is below");
    ends(&["check", "--key", "other"], 1, "FAULT  (key) the token 'callseal' holds no RSA key 'other'");
    let mut without = Command::new(env!("CARGO_BIN_EXE_callseal"));
    without.args(["key", "check", "--pkcs11-module", "/no/library.so", "--pkcs11-pin-file", "pin"]);
    let output = without.current_dir(dir).env("CALLSEAL_PKCS11_PIN", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));

    for kind in ["privkey", "pubkey"] {
        pkcs11_tool(dir, &["--delete-object", "--type", kind, "--label", "callseal-log"]);
    }
    ends(&["check"], 1, "callseal key init --log");
    printed(&key(dir, &["init", "--log"]));
    ends(&["check"], 0, "log key      ok     Ed25519, signs");

    issued(dir, "20200101", "20210101");
    let refused = key(dir, &["import-cert", "issued.pem"]);
    assert!(said(&refused).contains("it has expired on 2021-01-01"), "{}", said(&refused));
    // What time alone would do to a certificate that is in the token.
    let listed = pkcs11_tool(dir, &["-O", "--type", "cert"]);
    let id = listed.split("ID:         ").nth(1).unwrap().lines().next().unwrap().to_owned();
    openssl(dir, "x509 -in issued.pem -outform DER -out issued.der");
    pkcs11_tool(dir, &["--write-object", "issued.der", "--type", "cert", "--label", "callseal", "--id", &id]);
    ends(&["check"], 1, "expired on 2021-01-01");
    ends(&["check"], 1, "verdict: something is wrong");
}

/// What signer publishes of the change, judged with both certificates.
async fn published_change((http, data): (&str, &Path), kind: &str, old: &Certificate, new: &Certificate) {
    let port: u16 = http.rsplit(':').next().unwrap().parse().unwrap();
    let texts = fs::read_dir(data.join("staging/log/acme/keys")).unwrap().map(|entry| entry.unwrap().path());
    let name = texts
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("change-"))
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .find(|path| {
            let text = fs::read_to_string(path).unwrap();
            KeyChangeStatement::parse(&text).unwrap().new == new.public_key().id()
        })
        .and_then(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .unwrap();
    let file = async |name: String| http_get(port, &format!("/log/acme/keys/{name}")).await.unwrap();
    let (status, text) = file(format!("{name}.txt")).await;
    assert_eq!(status, 200, "{text}");
    let statement = KeyChangeStatement::parse(&text).unwrap();
    assert_eq!(format!("keys/{name}"), statement_path(&Sha256Hash::of(text.as_bytes())));
    let (_, new_signature) = file(format!("{name}.new.sig")).await;
    let new_signature = Signature::parse(new_signature.as_bytes()).unwrap();
    let (status, old_signature) = file(format!("{name}.old.sig")).await;
    let by_new = (new.public_key(), &new_signature);
    match kind {
        "rotated" => {
            let old_signature = Signature::parse(old_signature.as_bytes()).unwrap();
            statement.verify(Some((old.public_key(), &old_signature)), by_new).unwrap();
        }
        _ => {
            assert_eq!(status, 404, "nobody can have signed with the lost key");
            statement.verify(None, by_new).unwrap();
        }
    }
    assert_eq!((statement.old, statement.new), (old.public_key().id(), new.public_key().id()));
}

fn certificate_of(data: &Path, label: &str) -> Certificate {
    Certificate::from_pem(&printed(&key(data, &["show", "--key", label]))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_running_installation_is_rotated_and_a_lost_one_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(dir.path().join("config")).unwrap();
    fs::write(dir.path().join("config/resources.yaml"), resources::record_everything(dir.path())).unwrap();
    let mut up = Up::start(dir.path(), "up", &[]).unwrap();
    let ready = up.ready().await.unwrap();
    let archive = dir.path().join("archive");
    let calls = async |count: usize, by: &Certificate| {
        let words = ["load", "--srs", &ready.sip.to_string(), "--seconds", "1", "--transport", "tcp"];
        let played = Command::new(env!("CARGO_BIN_EXE_callseal")).args(words).output().unwrap();
        assert!(played.status.success(), "{}", said(&played));
        let found = recordings::wait_for(&archive, count, PATIENCE).await;
        let found = found.unwrap_or_else(|error| panic!("{error:#}\n{}", up.output()));
        let last = found.last().unwrap();
        assert_eq!(last.info().unwrap()["KeyId"], by.public_key().id().to_string());
        let certificate = dir.path().join("of-last.pem");
        fs::write(&certificate, by.to_pem().unwrap()).unwrap();
        last.check_with_plain_tools(&certificate).unwrap();
    };
    let first = Certificate::from_pem(&fs::read_to_string(data.join("callseal.pem")).unwrap()).unwrap();
    calls(1, &first).await;

    let at = data.to_str().unwrap();
    let rotate = |old: &'static str, new: &'static str| {
        let words = ["rotate", "--data", at, "--key", old, "--new-key", new, "--reason", "every year"];
        key(&data, &words)
    };
    let rotated = printed(&rotate("callseal", "callseal-2027"));
    assert!(rotated.contains("from now on the key 'callseal-2027' signs"), "{rotated}");
    assert!(rotated.contains("log          acme entry "), "{rotated}");
    let second = certificate_of(&data, "callseal-2027");
    published_change((&ready.http, &data), "rotated", &first, &second).await;
    calls(2, &second).await;

    // The first key signs nothing any more, also no change.
    let late = rotate("callseal", "callseal-2028");
    assert!(
        !late.status.success() && said(&late).contains("signer did not take the new key"),
        "{}",
        said(&late)
    );

    let replace = |file: &'static str, new: &'static str| {
        let words =
            ["replace", "--data", at, "--key", "callseal-2027", "--new-key", new, "--old-certificate", file];
        key(&data, &[&words[..], &["--reason", "the key was lost"]].concat())
    };
    fs::write(data.join("second.pem"), second.to_pem().unwrap()).unwrap();
    let there = replace("second.pem", "callseal-2029");
    assert!(
        !there.status.success() && said(&there).contains("the old key is there and signs"),
        "{}",
        said(&there)
    );
    pkcs11_tool(&data, &["--delete-object", "--type", "privkey", "--label", "callseal-2027"]);
    let gone = rotate("callseal-2027", "callseal-2029");
    assert!(!gone.status.success() && said(&gone).contains("callseal key replace"), "{}", said(&gone));
    let replaced = printed(&replace("second.pem", "callseal-2029"));
    assert!(replaced.contains("from now on the key 'callseal-2029' signs"), "{replaced}");
    let third = certificate_of(&data, "callseal-2029");
    published_change((&ready.http, &data), "replaced", &second, &third).await;
    calls(3, &third).await;
}
