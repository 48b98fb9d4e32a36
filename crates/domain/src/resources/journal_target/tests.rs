use super::*;

fn texts(spec: &JournalTargetSpec) -> Vec<String> {
    let errors = spec.validate("main".parse().unwrap(), &Secrets::default()).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

fn sqlite() -> JournalTargetSpec {
    let sqlite = Some(SqliteSpec { path: "journal.sqlite".into() });
    JournalTargetSpec { sqlite, ..Default::default() }
}

fn sql_server() -> SqlServerSpec {
    SqlServerSpec {
        host: "db.example".into(),
        port: None,
        instance: None,
        database: "compliance".into(),
        schema: None,
        user: "callseal".into(),
        password: None,
        encrypt: None,
        ca_certificate: None,
        tunnel: None,
    }
}

#[test]
fn a_journal_has_exactly_one_database() {
    let all = "spec: must have exactly one of sqlite, postgres, mysql, sqlServer, derby";
    assert_eq!(texts(&JournalTargetSpec::default()), [all]);
    assert_eq!(texts(&JournalTargetSpec { sql_server: Some(sql_server()), ..sqlite() }), [all]);
}

#[test]
fn a_table_name_that_would_need_quoting_is_refused() {
    for bad in ["", "1st", "a-b", "a;drop", "ä"] {
        let spec = JournalTargetSpec { table: Some(bad.into()), ..sqlite() };
        assert!(texts(&spec)[0].starts_with("spec.table: "), "{bad}");
    }
}

#[test]
fn further_columns_are_those_that_exist_each_once_and_in_one_order() {
    let with = |names: &[&str]| JournalTargetSpec {
        extra_columns: names.iter().map(|name| (*name).to_owned()).collect(),
        ..sqlite()
    };
    let journal =
        with(&["sha256", "tenant", "sha256"]).validate("main".parse().unwrap(), &Secrets::default());
    assert_eq!(journal.unwrap().extra_columns, [ExtraColumn::Tenant, ExtraColumn::Sha256]);
    assert_eq!(
        texts(&with(&["tenant", "hash"])),
        [
            "spec.extraColumns[1]: \"hash\" is not a column; use recordingid, tenant, durationms, sha256, interrupted"
        ]
    );
}

#[test]
fn what_contradicts_itself_in_a_sql_server_is_told() {
    let spec = SqlServerSpec {
        port: Some(1433),
        instance: Some("PBX".into()),
        encrypt: Some("yes".into()),
        ca_certificate: Some("none".into()),
        ..sql_server()
    };
    let told = texts(&JournalTargetSpec { sql_server: Some(spec), ..Default::default() });
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("spec.sqlServer.instance: has a port of its own"), "{told:?}");
    assert!(told[1].starts_with("spec.sqlServer.encrypt: \"yes\" is not known"), "{told:?}");
    assert!(told[2].starts_with("spec.sqlServer.caCertificate: must be"), "{told:?}");
}
