//! A real PostgreSQL server.

use std::os::unix::fs::PermissionsExt as _;

use callseal_journal::database::{ErrorKind, JournalDb, Proven};
use domain::{
    RecordingId,
    resources::{DatabaseTls, ExtraColumn, JournalDatabase, JournalTarget, PostgresJournal},
};
use harness::{cable::Cable, postgres::Postgres, small_disk::SmallDisk, wait};

use crate::{
    contract,
    described::{self, journal, open},
    world::{PATIENCE, row},
};

fn target(server: &Postgres, table: &str, change: impl FnOnce(&mut PostgresJournal)) -> JournalTarget {
    let mut postgres = described::postgres(server.port());
    change(&mut postgres);
    JournalTarget { table: table.into(), ..journal(JournalDatabase::Postgres(postgres)) }
}

fn table(server: &Postgres, table: &str) -> Box<dyn JournalDb> {
    open(&target(server, table, |_| {}))
}

#[tokio::test]
async fn a_postgresql_server_keeps_the_contract() {
    let server = Postgres::start().await.unwrap();
    contract::is_kept(&*table(&server, "kept")).await;
    contract::is_read_page_by_page(&*table(&server, "pages")).await;
    contract::many_writers_write_each_row_once(|| table(&server, "shared")).await;
    contract::further_columns_are_written(&target(&server, "wide", |_| {})).await;
}

#[tokio::test]
async fn whatever_isolation_is_usual_there_many_writers_write_each_row_once() {
    let server = Postgres::start().await.unwrap();
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    for level in ["repeatable read", "serializable"] {
        let usual = format!("ALTER DATABASE postgres SET default_transaction_isolation = '{level}'");
        sqlx::query(sqlx::AssertSqlSafe(usual)).execute(&pool).await.unwrap();
        let name = level.replace(' ', "_");
        contract::many_writers_write_each_row_once(|| table(&server, &name)).await;
    }
}

#[tokio::test]
async fn names_of_a_fixed_width_are_known_again_and_a_time_limit_of_the_server_passes() {
    let server = Postgres::start().await.unwrap();
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    let padded = "CREATE TABLE padded (basefilename char(120), direction char(9), \"time\" bigint, callid text, \
                  callername text, caller char(40), callee text, setting text, signature text)";
    sqlx::query(padded).execute(&pool).await.unwrap();
    contract::a_padded_name_is_known_again(&*table(&server, "padded")).await;

    let limit = format!("ALTER ROLE {} SET statement_timeout = '300ms'", Postgres::USER);
    sqlx::query(sqlx::AssertSqlSafe(limit)).execute(&pool).await.unwrap();
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE padded IN EXCLUSIVE MODE").execute(&mut *holder).await.unwrap();
    let (journal, row) = (table(&server, "padded"), [row(RecordingId::new())]);
    let error = journal.insert(&row).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Busy && error.to_string().contains("lasted too long"), "{error}");
    holder.rollback().await.unwrap();
    // The limit may break off a write of a busy machine as well; it is tried again, as the journal does.
    let written = wait::until("the row to be written", PATIENCE, || async {
        match journal.insert(&row).await {
            Err(error) if error.kind() == ErrorKind::Busy => None,
            written => Some(written.unwrap()),
        }
    });
    assert_eq!(written.await.unwrap(), 1);
}

#[tokio::test]
async fn a_user_who_may_only_read_is_found_out_before_the_first_row() {
    let server = Postgres::start().await.unwrap();
    let owner = table(&server, "calls");
    owner.create_table().await.unwrap();
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    for statement in ["CREATE USER reader PASSWORD 'reader'", "GRANT SELECT ON calls TO reader"] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let reader = open(&target(&server, "calls", |postgres| {
        (postgres.server.user, postgres.server.password) = ("reader".into(), Some("reader".into()));
    }));
    reader.check().await.unwrap();
    let error = reader.probe().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Denied && error.to_string().contains("INSERT"), "{error}");
    sqlx::query("GRANT INSERT ON calls TO reader").execute(&pool).await.unwrap();
    assert_eq!(reader.probe().await.unwrap(), Proven::Writing);
}

#[tokio::test]
async fn a_cut_connection_to_a_postgresql_server_costs_no_row_and_doubles_none() {
    let server = Postgres::start().await.unwrap();
    let cable = Cable::to(server.port()).await.unwrap();
    let through = || open(&target(&server, "cut", |postgres| postgres.server.port = cable.port()));
    contract::a_cut_insert_is_there_once(&cable, through, &*table(&server, "cut")).await;
}

#[tokio::test]
async fn further_columns_are_written_where_they_are_asked_for() {
    let server = Postgres::start().await.unwrap();
    let target = JournalTarget { extra_columns: ExtraColumn::ALL.into(), ..target(&server, "wide", |_| {}) };
    let journal = open(&target);
    journal.create_table().await.unwrap();
    let mut row = row(RecordingId::new());
    row.recording_id = "0192a1b2-0000-7000-8000-000000000001".into();
    row.tenant = "acme".into();
    (row.duration_ms, row.sha256, row.interrupted) = (61_234, "ab".repeat(32), "the recorder stopped".into());
    journal.insert(std::slice::from_ref(&row)).await.unwrap();
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    let read: (String, String, i64, String, String) =
        sqlx::query_as("SELECT recordingid, tenant, durationms, sha256, interrupted FROM wide")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(read, (row.recording_id, row.tenant, 61_234, row.sha256, row.interrupted));
    // The same table without them asked for is used as it is.
    table(&server, "wide").check().await.unwrap();
}

/// The one whose patience ends first is taken back: ours.
#[tokio::test]
async fn a_deadlock_in_postgresql_is_named_and_the_rows_are_written_once_afterwards() {
    let server = Postgres::start().await.unwrap();
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    let journal = table(&server, "keyed");
    journal.create_table().await.unwrap();
    for statement in [
        "CREATE UNIQUE INDEX ON keyed (basefilename)".to_owned(),
        format!("ALTER ROLE {} SET deadlock_timeout = '2s'", Postgres::USER),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await.unwrap();
    }
    let rows: Vec<_> = (0..20).map(|_| row(RecordingId::new())).collect();
    let mut other = pool.begin().await.unwrap();
    sqlx::query("SET LOCAL deadlock_timeout = '60s'").execute(&mut *other).await.unwrap();
    let insert = "INSERT INTO keyed (basefilename) VALUES ($1)";
    sqlx::query(insert).bind(&rows[19].base_file_name).execute(&mut *other).await.unwrap();
    let (journal, batch) = (table(&server, "keyed"), rows.clone());
    let waiting = tokio::spawn(async move { (journal.insert(&batch).await, journal) });
    wait::until("the journal to wait", PATIENCE, || async {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'callseal-journal' AND wait_event_type = 'Lock'";
        let (waiting,): (i64,) = sqlx::query_as(waits).fetch_one(&pool).await.ok()?;
        (waiting > 0).then_some(())
    })
    .await
    .unwrap();
    sqlx::query(insert).bind(&rows[0].base_file_name).execute(&mut *other).await.unwrap();
    let (outcome, journal) = waiting.await.unwrap();
    let error = outcome.unwrap_err();
    assert!(error.kind() == ErrorKind::Busy && !error.is_permanent(), "{error}");
    other.rollback().await.unwrap();
    assert_eq!(journal.insert(&rows).await.unwrap(), 20);
}

#[tokio::test]
async fn a_full_disk_of_postgresql_is_named_and_the_rows_follow_when_there_is_space() {
    let server = Postgres::start().await.unwrap();
    let dir = tempfile::Builder::new().prefix("callseal-full-").tempdir().unwrap();
    let disk = SmallDisk::mount(&dir.path().join("disk"), 1 << 20).unwrap();
    let folder = dir.path().join("disk/space");
    std::fs::create_dir(&folder).unwrap();
    server.owns(&folder).unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    let journal = table(&server, "small");
    journal.create_table().await.unwrap();
    for statement in [
        format!("CREATE TABLESPACE small LOCATION '{}'", folder.display()),
        "ALTER TABLE small SET TABLESPACE small".to_owned(),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await.unwrap();
    }
    let mut written = 0;
    let (error, refused) = loop {
        let batch: Vec<_> = (0..500).map(|_| row(RecordingId::new())).collect();
        match journal.insert(&batch).await {
            Ok(rows) => written += rows,
            Err(error) => break (error, batch),
        }
    };
    assert!(written > 0 && error.kind() == ErrorKind::Full, "after {written} rows: {error}");
    assert!(error.to_string().contains("make space"), "{error}");
    disk.resize(64 << 20).unwrap();
    assert_eq!(journal.insert(&refused).await.unwrap(), 500);
    let (rows,): (i64,) = sqlx::query_as("SELECT count(*) FROM small").fetch_one(&pool).await.unwrap();
    assert_eq!(rows as u64, written + 500);
}

#[tokio::test]
async fn what_is_wrong_with_a_postgresql_journal_is_said_in_words_and_without_secrets() {
    let mut server = Postgres::start().await.unwrap();
    let with = |change: &dyn Fn(&mut PostgresJournal)| open(&target(&server, "recordings", change));
    let wrong_password = with(&|postgres| postgres.server.password = Some("hunter2".into()));
    let wrong_database = with(&|postgres| postgres.server.database = "nowhere".into());
    let tls = with(&|postgres| postgres.tls = DatabaseTls::Require);
    let expired = with(&|postgres| {
        (postgres.server.user, postgres.server.password) = ("late".into(), Some("late".into()));
    });
    let no_schema = with(&|postgres| postgres.schema = Some("nowhere".into()));
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    sqlx::query("CREATE USER late PASSWORD 'late' VALID UNTIL '2020-01-01'").execute(&pool).await.unwrap();
    let error = expired.check().await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::LoginRefused && error.to_string().contains("has it expired?"),
        "{error}"
    );
    for (journal, kind) in [
        (wrong_password, ErrorKind::LoginRefused),
        (wrong_database, ErrorKind::NoDatabase),
        (tls, ErrorKind::Denied),
        (no_schema, ErrorKind::NoTable),
    ] {
        let error = journal.check().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.is_permanent() && !error.to_string().contains("hunter2"), "{error}");
    }

    for statement in [
        "CREATE TABLE other (basefilename text, \"time\" bigint)",
        "CREATE TABLE narrow (basefilename varchar(9), direction text, \"time\" bigint, callid text, \
         callername text, caller text, callee text, setting text, signature text)",
        "CREATE TABLE filling (LIKE narrow, number serial, day date NOT NULL DEFAULT now(), note text)",
        "ALTER TABLE filling ALTER basefilename TYPE text",
        "CREATE TABLE wanting (LIKE narrow, clerk text NOT NULL)",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    for (name, problem) in
        [("other", "lacks the columns direction, callid"), ("wanting", "wants a value in the column clerk")]
    {
        let error = table(&server, name).check().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Columns);
        assert!(error.to_string().contains(problem), "{error}");
    }
    let row = [row(RecordingId::new())];
    let error = table(&server, "narrow").insert(&row).await.unwrap_err();
    assert!(error.concerns_row() && !error.to_string().contains("+4970311234"), "{error}");
    let filling = table(&server, "filling");
    filling.check().await.unwrap();
    assert_eq!(filling.insert(&row).await.unwrap(), 1);

    sqlx::query("ALTER DATABASE postgres SET default_transaction_read_only = on")
        .execute(&pool)
        .await
        .unwrap();
    let another = [crate::world::row(RecordingId::new())];
    let error = table(&server, "filling").insert(&another).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("read-only"), "{error}");
    let end = "ALTER DATABASE postgres SET default_transaction_read_only = off";
    sqlx::query(end).execute(&pool).await.unwrap();

    let journal = with(&|_| {});
    journal.create_table().await.unwrap();
    pool.close().await;
    server.stop().unwrap();
    let error = journal.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(!error.is_permanent());
}

#[tokio::test]
async fn a_standby_of_postgresql_is_said_to_be_read_only_and_takes_rows_once_it_is_promoted() {
    let primary = Postgres::start().await.unwrap();
    table(&primary, "calls").create_table().await.unwrap();
    let standby = primary.standby().await.unwrap();
    let journal = table(&standby, "calls");
    journal.check().await.unwrap();
    let row = [row(RecordingId::new())];
    for error in [journal.probe().await.unwrap_err(), journal.insert(&row).await.unwrap_err()] {
        assert!(error.kind() == ErrorKind::Denied && error.is_permanent(), "{error}");
        assert!(error.to_string().contains("read-only"), "{error}");
    }
    let pool = sqlx::PgPool::connect(&standby.url()).await.unwrap();
    sqlx::query("SELECT pg_promote()").execute(&pool).await.unwrap();
    assert_eq!(journal.insert(&row).await.unwrap(), 1);
}

#[tokio::test]
async fn a_postgresql_server_killed_in_mid_batch_has_each_row_once_when_it_is_back() {
    let mut server = Postgres::start().await.unwrap();
    let cable = Cable::to(server.port()).await.unwrap();
    let through = target(&server, "killed", |postgres| postgres.server.port = cable.port());
    let batch = contract::slow_batch(&cable, open(&through)).await;
    server.crash().unwrap();
    server.start_again().await.unwrap();
    contract::is_written_once(batch, &cable, open(&through)).await;
}
