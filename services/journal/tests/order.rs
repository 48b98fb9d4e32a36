//! Rows come in the order in which recordings were sealed, faults or not; and what a database breaks on
//! alone holds up nothing.

#[allow(dead_code, reason = "not all of it is used here")]
mod world;

use std::time::Duration;

use harness::{postgres::Postgres, wait};
use sqlx::PgPool;
use wire::event_v1::event::What;
use world::{PATIENCE, World};

/// A table of old, which counts its rows.
const TABLE: &str = "CREATE TABLE calls (number serial PRIMARY KEY, basefilename text, direction text, \"time\" bigint, \
                     callid text, callername text, caller text, callee text, setting text, signature text)";

fn remote(server: &Postgres) -> String {
    format!(
        "---\nkind: Secret\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: login, namespace: acme}}\n\
         stringData: {{password: \"{}\"}}\n\
         ---\nkind: JournalTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: remote, namespace: acme}}\n\
         spec: {{table: calls, postgres: {{host: 127.0.0.1, port: {}, database: {}, user: {}, \
         password: {{secretRef: {{name: login, key: password}}}}}}}}\n",
        Postgres::PASSWORD,
        server.port(),
        Postgres::DATABASE,
        Postgres::USER
    )
}

async fn names(server: &Postgres) -> Option<Vec<String>> {
    let pool = PgPool::connect(&server.url()).await.ok()?;
    let rows: Vec<(String,)> =
        sqlx::query_as("SELECT basefilename FROM calls ORDER BY number").fetch_all(&pool).await.ok()?;
    pool.close().await;
    Some(rows.into_iter().map(|(name,)| name).collect())
}

async fn until_there_are(server: &Postgres, count: usize) -> Vec<String> {
    wait::until("the rows", PATIENCE * 2, || async {
        names(server).await.filter(|names| names.len() >= count)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn rows_come_in_the_order_of_sealing_though_the_database_fails_and_the_journal_dies() {
    let mut server = Postgres::start().await.unwrap();
    let pool = PgPool::connect(&server.url()).await.unwrap();
    sqlx::query(TABLE).execute(&pool).await.unwrap();
    pool.close().await;
    let world = World::new(&remote(&server)).await;
    let journal = world.journal(&[]);
    let mut sealed = Vec::new();
    for _ in 0..20 {
        sealed.push(world.seal(&["remote"]).await.base_file_name);
    }
    until_there_are(&server, 1).await;
    server.crash().unwrap();
    for _ in 0..60 {
        sealed.push(world.seal(&["remote"]).await.base_file_name);
    }
    world.until_all_are_on_the_list(80).await;
    journal.kill_hard().unwrap();
    let _journal = world.journal(&[]);
    server.start_again().await.unwrap();
    until_there_are(&server, 21).await;
    for _ in 0..20 {
        sealed.push(world.seal(&["remote"]).await.base_file_name);
    }
    assert_eq!(until_there_are(&server, 100).await, sealed);
}

#[tokio::test]
async fn what_a_journal_had_at_hand_when_it_died_is_written_before_anything_newer() {
    let server = Postgres::start().await.unwrap();
    let pool = PgPool::connect(&server.url()).await.unwrap();
    sqlx::query(TABLE).execute(&pool).await.unwrap();
    pool.close().await;
    let world = World::new(&remote(&server)).await;
    let mut sealed = Vec::new();
    for _ in 0..20 {
        sealed.push(world.seal(&["remote"]).await.base_file_name);
    }
    // It was handed them, and has taken in none.
    let mut journal = world.journal(&["--fail-at", "announced"]);
    wait::until("the journal to die", PATIENCE, || std::future::ready(journal.ended().unwrap()))
        .await
        .unwrap();
    for _ in 0..20 {
        sealed.push(world.seal(&["remote"]).await.base_file_name);
    }
    let _journal = world.journal(&[]);
    assert_eq!(until_there_are(&server, 40).await, sealed);
}

#[tokio::test]
async fn rows_come_in_the_order_of_sealing_though_replicas_share_the_announcements_and_one_dies() {
    let server = Postgres::start().await.unwrap();
    let pool = PgPool::connect(&server.url()).await.unwrap();
    sqlx::query(TABLE).execute(&pool).await.unwrap();
    pool.close().await;
    let world = World::new(&remote(&server)).await;
    let state = format!("{}?schema=state", server.url());
    let [dying, _second, _third] = [(); 3].map(|()| world.journal_with(&state, &[]));
    let mut sealed = Vec::new();
    for _ in 0..300 {
        sealed.push(world.seal(&["remote"]).await.base_file_name);
    }
    until_there_are(&server, 20).await;
    dying.kill_hard().unwrap();
    for _ in 0..300 {
        sealed.push(world.seal(&["remote"]).await.base_file_name);
    }
    assert_eq!(until_there_are(&server, 600).await, sealed);
}

#[tokio::test]
async fn a_row_that_a_trigger_chokes_on_is_set_aside_and_the_others_keep_their_order() {
    let server = Postgres::start().await.unwrap();
    let pool = PgPool::connect(&server.url()).await.unwrap();
    let (function, trigger) = (
        "CREATE FUNCTION choke() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN IF NEW.callid = 'poison' THEN RAISE 'no'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER choke BEFORE INSERT ON calls FOR EACH ROW EXECUTE FUNCTION choke()",
    );
    for statement in [TABLE, function, trigger] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let mut world = World::new(&remote(&server)).await;
    let mut sealed = Vec::new();
    for number in 0..10 {
        let call_id = if number == 4 { "poison" } else { "well" };
        let row = world.seal_with(&["remote"], |row| row.call_id = call_id.into()).await;
        sealed.push(row.base_file_name);
    }
    let journal = world.journal(&[]);
    let poison = sealed.remove(4);
    assert_eq!(until_there_are(&server, 9).await, sealed);
    let set_aside = |what| match what {
        What::Fault(fault) if !fault.will_retry => Some(fault.problem).filter(|said| said.contains("P0001")),
        _ => None,
    };
    world.event("that it is set aside", set_aside).await;
    // Once somebody has mended the table, it is written as well.
    sqlx::query("DROP TRIGGER choke ON calls").execute(&pool).await.unwrap();
    assert!(!names(&server).await.unwrap().contains(&poison));
    journal.stop(Duration::from_secs(30)).unwrap();
}
