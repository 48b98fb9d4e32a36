//! `callseal test-target` and `callseal journal-init` as commands, against real servers.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use harness::{postgres::Postgres, sshd::Sshd};

fn callseal(command: &str, config: &Path, further: &[&str]) -> Output {
    let mut callseal = Command::new(env!("CARGO_BIN_EXE_callseal"));
    callseal.arg(command).arg("--config").arg(config).arg("--data").arg(config.parent().unwrap());
    callseal.args(further).output().unwrap()
}

/// Exit code and everything that was said, with what differs from run to run left out.
fn said(output: &Output, dir: &Path, ports: &[u16]) -> String {
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    let mut said = String::from_utf8(said).unwrap().replace(&dir.display().to_string(), "DIR");
    for port in ports {
        said = said.replace(&port.to_string(), "PORT");
    }
    // PostgreSQL says which line of its own source complains: another one in each version.
    let lines = said.lines().map(|line| line.split(" at line ").next().unwrap());
    format!("{}: {}", output.status.code().unwrap(), lines.collect::<Vec<_>>().join("\n"))
}

fn tenant(name: &str) -> String {
    format!(
        "---\napiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {{name: {name}}}\n\
         spec: {{country: DE, timeZone: Europe/Berlin, sip: {{domains: [{name}.example]}}}}\n"
    )
}

fn target(tenant: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: callseal.io/v1alpha1\nkind: StorageTarget\nmetadata: {{name: {name}, namespace: {tenant}}}\n\
         spec: {{{spec}}}\n"
    )
}

fn sftp(sshd: &Sshd, host_key: &str, path: &str) -> String {
    format!(
        "sftp: {{host: 127.0.0.1, port: {}, user: {}, path: {path}, hostKeys: [\"{host_key}\"], \
         privateKey: {{secretRef: {{name: login, key: key}}}}}}",
        sshd.port(),
        sshd.user().unwrap()
    )
}

fn secret(values: &[(&str, &str)]) -> String {
    let mut text =
        "---\napiVersion: callseal.io/v1alpha1\nkind: Secret\nmetadata: {name: login, namespace: acme}\nstringData:\n"
            .to_owned();
    for (key, value) in values {
        let block: String = value.lines().map(|line| format!("    {line}\n")).collect();
        text += &format!("  {key}: |-\n{block}");
    }
    text
}

fn configure(dir: &Path, texts: &[String]) -> std::path::PathBuf {
    let config = dir.join("config");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("resources.yaml"), texts.concat()).unwrap();
    config
}

#[tokio::test]
async fn test_target_says_what_works_and_what_does_not_and_by_which_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd")).await.unwrap();
    let other_key = "SHA256:mVPwvezndPv/ARoIadVY98vAC0g+P/5633yTC4d/wXE";
    fs::write(dir.path().join("a-file"), "").unwrap();
    let config = configure(
        dir.path(),
        &[
            tenant("acme"),
            tenant("other"),
            secret(&[("key", &sshd.client_key().unwrap())]),
            target("acme", "local", "folder: {path: archive}"),
            target("other", "local", "folder: {path: archive}"),
            target("acme", "blocked", "folder: {path: a-file/archive}"),
            target("acme", "vault", &sftp(&sshd, &sshd.host_key("ed25519").unwrap(), "archive")),
            target("acme", "stranger", &sftp(&sshd, other_key, "archive")),
        ],
    );
    let run = |words: &[&str]| said(&callseal("test-target", &config, words), dir.path(), &[sshd.port()]);

    insta::assert_snapshot!(run(&["vault"]), @r"
    0: vault: works: a test file was written, read back and removed
    ");
    insta::assert_snapshot!(run(&["--tenant", "other", "local"]), @r"
    0: local: works: a test file was written, read back and removed
    ");
    insta::assert_snapshot!(run(&["blocked"]), @r"
    1: blocked: making a sub-folder in the folder DIR/a-file/archive failed: a part of its path is a file, not a folder
      cause: not a directory
    ");
    let stranger = run(&["stranger"]).replace(&sshd.fingerprint("ed25519").unwrap(), "SHOWN");
    assert!(
        stranger.starts_with("1: stranger: the SFTP server 127.0.0.1:PORT shows the host key"),
        "{stranger}"
    );
    assert!(stranger.contains(other_key), "{stranger}");
    insta::assert_snapshot!(run(&["local"]), @r"
    2: error: several tenants have a StorageTarget local: say which by --tenant
    ");
    insta::assert_snapshot!(run(&["nowhere"]), @r"
    2: error: there is no StorageTarget nowhere in this configuration
    ");
    assert_eq!(callseal("test-target", &dir.path().join("no-config"), &["local"]).status.code(), Some(2));
    assert_eq!(callseal("test-target", &config, &[]).status.code(), Some(2));
    // Nothing of the test files is left.
    assert_eq!(fs::read_dir(sshd.home().join("archive")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(dir.path().join("archive")).unwrap().count(), 0);
}

/// A target behind a jump host, as somebody writes it by hand; nothing is pinned.
fn unpinned(sshd: &Sshd, jump: &Sshd) -> String {
    let user = sshd.user().unwrap();
    format!(
        "# Where the recordings go.\n---\napiVersion: callseal.io/v1alpha1\nkind: StorageTarget\n\
         metadata: {{name: vault, namespace: acme}}\nspec:\n  sftp:\n    host: 127.0.0.1   # the NAS\n    port: {}\n    \
         user: {user}\n    path: archive\n    privateKey: {{secretRef: {{name: login, key: key}}}}\n    tunnel:\n      \
         hops:\n        - host: 127.0.0.1\n          port: {}\n          user: {user}\n          \
         privateKey: {{secretRef: {{name: login, key: jump}}}}\n",
        sshd.port(),
        jump.port(),
    )
}

#[tokio::test]
async fn test_target_shows_keys_that_nobody_has_pinned_pins_them_on_request_and_never_changes_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut sshd = Sshd::start(&dir.path().join("sshd")).await.unwrap();
    let jump = Sshd::start(&dir.path().join("jump")).await.unwrap();
    let keys = [("key", &*sshd.client_key().unwrap()), ("jump", &*jump.client_key().unwrap())];
    let config = configure(dir.path(), &[tenant("acme"), secret(&keys)]);
    let file = config.join("vault.yaml");
    let written = unpinned(&sshd, &jump);
    fs::write(&file, &written).unwrap();
    let ports = [sshd.port(), jump.port()];
    let run = |words: &[&str]| said(&callseal("test-target", &config, words), dir.path(), &ports);

    // The jump host stands in front; what is behind it is not known before it is pinned.
    let shown = run(&["vault"]);
    assert!(
        shown.starts_with("1: vault: server 1 of the SSH tunnel (127.0.0.1:PORT) is not pinned"),
        "{shown}"
    );
    for kind in harness::sshd::HOST_KEYS {
        assert!(shown.contains(&jump.fingerprint(kind).unwrap()), "{shown}");
        assert!(!shown.contains(&sshd.fingerprint(kind).unwrap()), "{shown}");
    }
    let key = jump.host_key("ed25519").unwrap();
    let key = key.rsplit_once(' ').unwrap().0;
    assert!(shown.contains(&format!("  hostKeys:\n    - \"{key}\"")), "{shown}");
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
    assert!(!jump.log().contains("Accepted"));

    let pinned = run(&["vault", "--pin"]);
    assert!(
        pinned.starts_with("0: ") && pinned.contains("the SFTP server 127.0.0.1:PORT is not pinned"),
        "{pinned}"
    );
    assert!(pinned.ends_with("vault: works: a test file was written, read back and removed"), "{pinned}");
    // Everything that stood there stands there still, in its order, comments too.
    let after = fs::read_to_string(&file).unwrap();
    let without =
        after.lines().filter(|line| !line.contains("hostKeys:") && !line.trim().starts_with("- \""));
    assert_eq!(without.collect::<Vec<_>>(), written.lines().collect::<Vec<_>>(), "{after}");
    assert_eq!(after.matches("hostKeys:").count(), 2, "{after}");
    assert_eq!(fs::read_dir(&config).unwrap().count(), 2);
    insta::assert_snapshot!(run(&["vault"]), @"0: vault: works: a test file was written, read back and removed");

    // Another server in its place: refused, also with --pin.
    sshd.stop().unwrap();
    sshd.new_host_keys().unwrap();
    sshd.start_again().await.unwrap();
    for words in [&["vault"][..], &["vault", "--pin"]] {
        let refused = run(words);
        assert!(
            refused.starts_with("1: vault: the SFTP server 127.0.0.1:PORT shows the host key"),
            "{refused}"
        );
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), after);
}

#[tokio::test]
async fn a_file_that_may_not_be_written_or_is_not_plain_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd")).await.unwrap();
    let plain = sftp(&sshd, "", "archive").replace("hostKeys: [\"\"], ", "");
    let quoted = plain.replace("host: ", "\"host\": ");
    let config = configure(
        dir.path(),
        &[
            tenant("acme"),
            secret(&[("key", &sshd.client_key().unwrap())]),
            target("acme", "plain", &plain),
            target("acme", "quoted", &quoted),
        ],
    );
    let file = config.join("resources.yaml");
    let before = fs::read_to_string(&file).unwrap();
    let run = |words: &[&str]| said(&callseal("test-target", &config, words), dir.path(), &[sshd.port()]);
    assert!(run(&["quoted", "--pin"]).contains("write the keys into it by hand"));
    let mut permissions = fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions.clone()).unwrap();
    assert!(run(&["plain", "--pin"]).contains("may not be written"));
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    #[allow(clippy::permissions_set_readonly_false, reason = "a file of this test alone")]
    permissions.set_readonly(false);
    fs::set_permissions(&file, permissions).unwrap();
    assert!(run(&["plain", "--pin"]).starts_with("0: "));
}

#[tokio::test]
async fn journal_init_makes_the_table_and_says_what_is_wrong_with_one_that_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut postgres = Postgres::start().await.unwrap();
    let journal = |name: &str, table: &str, database: &str, password: &str| {
        format!(
            "---\napiVersion: callseal.io/v1alpha1\nkind: JournalTarget\nmetadata: {{name: {name}, namespace: acme}}\n\
             spec: {{table: {table}, postgres: {{host: 127.0.0.1, port: {}, database: {database}, user: {}, \
             password: {{secretRef: {{name: login, key: {password}}}}}, tls: disable}}}}\n",
            postgres.port(),
            Postgres::USER
        )
    };
    let config = configure(
        dir.path(),
        &[
            tenant("acme"),
            secret(&[("right", Postgres::PASSWORD), ("wrong", "guessed")]),
            journal("register", "calls", Postgres::DATABASE, "right"),
            journal("stranger", "calls", Postgres::DATABASE, "wrong"),
            journal("nodb", "calls", "missing", "right"),
            journal("other", "theirs", Postgres::DATABASE, "right"),
        ],
    );
    let port = postgres.port();
    let run = |words: &[&str]| said(&callseal("journal-init", &config, words), dir.path(), &[port]);
    let pool = sqlx::PgPool::connect(&postgres.url()).await.unwrap();
    sqlx::query("CREATE TABLE theirs (callid text)").execute(&pool).await.unwrap();

    let check = |words: &[&str]| said(&callseal("journal-check", &config, words), dir.path(), &[port]);
    insta::assert_snapshot!(check(&["register"]), @r"1: register: the PostgreSQL server 127.0.0.1:PORT has no table calls; make it by `callseal journal-init`");
    insta::assert_snapshot!(run(&["register"]), @r"0: register: the table calls is there, with all its columns");
    insta::assert_snapshot!(run(&["register"]), @r"0: register: the table calls is there, with all its columns");
    insta::assert_snapshot!(check(&["register"]), @r"0: register: the table calls has all columns; a row was written and taken back, and rows can be read");
    let rows: (i64,) = sqlx::query_as("SELECT count(*) FROM calls").fetch_one(&pool).await.unwrap();
    assert_eq!(rows, (0,));
    insta::assert_snapshot!(run(&["other"]), @r"
    1: other: the table theirs of the PostgreSQL server 127.0.0.1:PORT lacks the columns basefilename, direction, time, callername, caller, callee, setting, signature: add what is missing, or name another table
    ");
    insta::assert_snapshot!(run(&["nodb"]), @r#"
    1: nodb: the PostgreSQL server 127.0.0.1:PORT has no database of this name
      cause: error returned from database: database "missing" does not exist
    "#);
    insta::assert_snapshot!(run(&["stranger"]), @r#"
    1: stranger: the PostgreSQL server 127.0.0.1:PORT refuses the login; check user, password (has it expired?) and pg_hba.conf
      cause: error returned from database: password authentication failed for user "callseal"
    "#);
    insta::assert_snapshot!(run(&["nowhere"]), @r"2: error: there is no JournalTarget nowhere in this configuration");
    postgres.stop().unwrap();
    insta::assert_snapshot!(run(&["register"]), @r"
    1: register: the PostgreSQL server 127.0.0.1:PORT cannot be reached; check that it runs, and host, port and firewall
      cause: error communicating with database: Connection refused (os error 111)
    ");
}
