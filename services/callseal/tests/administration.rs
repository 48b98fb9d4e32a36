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

    insta::assert_snapshot!(run(&["register"]), @r"0: register: the table calls is there, with all its columns");
    insta::assert_snapshot!(run(&["register"]), @r"0: register: the table calls is there, with all its columns");
    let rows: (i64,) = sqlx::query_as("SELECT count(*) FROM calls").fetch_one(&pool).await.unwrap();
    assert_eq!(rows, (0,));
    insta::assert_snapshot!(run(&["other"]), @r"
    1: other: the table theirs on the PostgreSQL server 127.0.0.1:PORT lacks a column, or has it with another type
      cause: error returned from database: column j.basefilename does not exist
    ");
    insta::assert_snapshot!(run(&["nodb"]), @r#"
    1: nodb: the PostgreSQL server 127.0.0.1:PORT has no database of this name
      cause: error returned from database: database "missing" does not exist
    "#);
    insta::assert_snapshot!(run(&["stranger"]), @r#"
    1: stranger: the PostgreSQL server 127.0.0.1:PORT refuses the login; check user, password and pg_hba.conf
      cause: error returned from database: password authentication failed for user "callseal"
    "#);
    insta::assert_snapshot!(run(&["nowhere"]), @r"2: error: there is no JournalTarget nowhere in this configuration");
    postgres.stop().unwrap();
    insta::assert_snapshot!(run(&["register"]), @r"
    1: register: the PostgreSQL server 127.0.0.1:PORT cannot be reached; check that it runs, and host, port and firewall
      cause: error communicating with database: Connection refused (os error 111)
    ");
}
