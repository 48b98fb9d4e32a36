//! What the database refuses, said in words that hold nothing of the row.

use drda::{DrdaError, Value};

use crate::{TABLE, connect, derby::Derby};

/// What stands in the rows of these tests and must not get into a text.
const NUMBER: &str = "+497111234567";

fn state(error: &DrdaError) -> &str {
    let text = format!("{error} {error:?}");
    assert!(!text.contains("1234567"), "the number is in: {text}");
    error.sql().unwrap_or_else(|| panic!("no fault of SQL: {error:?}")).state()
}

#[tokio::test]
async fn what_the_database_refuses_is_told_apart_and_repeats_no_value() {
    let server = Derby::start().await.unwrap();
    let mut connection = connect(&server).await;

    // A user's schema is made along with the first table in it.
    let missing = connection.prepare("INSERT INTO recordings VALUES (?)").await.unwrap_err();
    assert_eq!(state(&missing), "42Y07");
    connection.execute_immediate("CREATE TABLE other (n BIGINT)").await.unwrap();
    let missing = connection.prepare("INSERT INTO recordings VALUES (?)").await.unwrap_err();
    assert_eq!(state(&missing), "42X05");
    assert!(missing.to_string().contains("the table RECORDINGS does not exist"), "{missing}");

    connection.execute_immediate(TABLE).await.unwrap();
    connection.execute_immediate("CREATE UNIQUE INDEX once ON recordings (basefilename)").await.unwrap();
    connection
        .execute_immediate("CREATE TABLE people (name VARCHAR(40) NOT NULL PRIMARY KEY)")
        .await
        .unwrap();
    connection
        .execute_immediate("CREATE TABLE calls (name VARCHAR(40) REFERENCES people, n INTEGER CHECK (n > 0))")
        .await
        .unwrap();
    connection.commit().await.unwrap();

    let insert = connection.prepare("INSERT INTO recordings VALUES (?, ?, ?, ?)").await.unwrap();
    let row = |name: &str, direction: &str| vec![name.into(), direction.into(), 7.into(), Value::Null];
    connection.execute(&insert, &row("a", "in")).await.unwrap();

    // A statement alone is undone by the database; the transaction goes on.
    let twice = connection.execute(&insert, &row("a", "in")).await.unwrap_err();
    assert_eq!(state(&twice), "23505");
    assert!(twice.to_string().contains("ONCE of the table RECORDINGS"), "{twice}");
    let too_long = connection.execute(&insert, &row("b", NUMBER)).await.unwrap_err();
    assert_eq!(state(&too_long), "22001");
    assert!(too_long.to_string().contains("too long for a VARCHAR of length 3"), "{too_long}");
    let no_number = [NUMBER.into(), "in".into(), "+49711 1234567".into(), Value::Null];
    assert_eq!(state(&connection.execute(&insert, &no_number).await.unwrap_err()), "22018");
    connection.commit().await.unwrap();

    let cases = [
        ("INSERT INTO people VALUES (?)", vec![Value::Null], "23502"),
        ("INSERT INTO calls VALUES (?, 1)", vec![NUMBER.into()], "23503"),
        ("INSERT INTO calls (n) VALUES (?)", vec![(-1).into()], "23513"),
        ("INSERT INTO calls (n) VALUES (?)", vec![i64::MAX.into()], "22003"),
    ];
    for (sql, values, expected) in cases {
        let statement = connection.prepare(sql).await.unwrap();
        assert_eq!(state(&connection.execute(&statement, &values).await.unwrap_err()), expected, "{sql}");
    }
    for (sql, expected) in [
        ("INSERT INTO recordings (caller) VALUES ('+497111234567')", "42X14"),
        ("INSERT INTO recordings VALUES ('+497111234567)", "42X02"),
        ("SELECT \"+497111234567\" FROM recordings", "42X04"),
        ("SELEKT '+497111234567'", "42X01"),
        ("INSERT INTO nowhere.recordings VALUES ('+497111234567')", "42Y07"),
    ] {
        let immediate = connection.execute_immediate(sql).await.unwrap_err();
        let prepared = connection.prepare(sql).await.unwrap_err();
        assert_eq!(state(&immediate), state(&prepared));
        assert!(state(&prepared) == expected || state(&prepared).starts_with("42X0"), "{sql}: {prepared}");
    }
    let wrong_count = connection.execute(&insert, &[Value::Null]).await.unwrap_err();
    assert!(matches!(wrong_count, DrdaError::Parameters { expected: 4, given: 1 }), "{wrong_count:?}");
    assert!(connection.is_usable());
    let count = connection.query("SELECT COUNT(*) FROM recordings", &[], 1).await.unwrap();
    assert_eq!(count[0].number(0), Some(1));
}

#[tokio::test]
async fn a_batch_with_a_row_that_is_refused_says_which_one_and_leaves_nothing() {
    let server = Derby::start().await.unwrap();
    let mut connection = connect(&server).await;
    connection.execute_immediate("CREATE TABLE r (t VARCHAR(5) PRIMARY KEY)").await.unwrap();
    connection.commit().await.unwrap();
    let insert = connection.prepare("INSERT INTO r VALUES (?)").await.unwrap();
    let mut rows: Vec<Vec<Value>> = (0..300).map(|n| vec![format!("{n}").into()]).collect();
    for (at, text, expected) in
        [(0, "5", "23505"), (150, "7", "23505"), (299, NUMBER, "22001"), (200, NUMBER, "22001")]
    {
        let kept = std::mem::replace(&mut rows[at], vec![text.into()]);
        let error = connection.execute_batch(&insert, &rows).await.unwrap_err();
        assert_eq!(state(&error), expected);
        // Where the row stands twice, the later one is refused.
        let row = if at == 0 { 5 } else { at };
        assert!(matches!(error, DrdaError::Batch { row: named, .. } if named == row), "{error:?}");
        assert!(matches!(connection.commit().await, Err(DrdaError::MustRollBack)));
        connection.rollback().await.unwrap();
        rows[at] = kept;
    }
    assert_eq!(connection.execute_batch(&insert, &rows).await.unwrap(), 300);
    connection.commit().await.unwrap();
    let count = connection.query("SELECT COUNT(*) FROM r", &[], 1).await.unwrap();
    assert_eq!(count[0].number(0), Some(300));
}

#[tokio::test]
async fn after_a_deadlock_nothing_but_a_rollback_is_possible() {
    let server = Derby::start().await.unwrap();
    let (mut one, mut other) = (connect(&server).await, connect(&server).await);
    for table in ["a", "b"] {
        one.execute_immediate(&format!("CREATE TABLE {table} (n VARCHAR(40))")).await.unwrap();
    }
    one.commit().await.unwrap();
    one.execute_immediate("LOCK TABLE a IN EXCLUSIVE MODE").await.unwrap();
    other.execute_immediate("LOCK TABLE b IN EXCLUSIVE MODE").await.unwrap();
    let crossing = tokio::join!(
        one.execute_immediate("INSERT INTO b VALUES '+497111234567'"),
        other.execute_immediate("INSERT INTO a VALUES '+497111234567'"),
    );
    let (victim, error, winner) = match crossing {
        (Err(error), Ok(_)) => (&mut one, error, &mut other),
        (Ok(_), Err(error)) => (&mut other, error, &mut one),
        both => panic!("one of them has to give way: {both:?}"),
    };
    assert_eq!(state(&error), "40001");
    assert!(matches!(victim.commit().await, Err(DrdaError::MustRollBack)));
    victim.rollback().await.unwrap();
    winner.commit().await.unwrap();
    victim.execute_immediate("INSERT INTO a VALUES 'again'").await.unwrap();
    victim.commit().await.unwrap();
}

#[tokio::test]
async fn statements_belong_to_their_connection_and_a_closed_ones_place_is_taken_by_the_next() {
    let server = Derby::start().await.unwrap();
    let (mut one, mut other) = (connect(&server).await, connect(&server).await);
    let statement = one.prepare("VALUES 1").await.unwrap();
    assert!(matches!(other.query_prepared(&statement, &[], 1).await, Err(DrdaError::Foreign)));
    assert!(matches!(one.execute(&statement, &[]).await, Err(DrdaError::Options(_))));
    one.close(statement);
    for number in 0..200 {
        let rows = one.query(&format!("VALUES {number}"), &[], 10).await.unwrap();
        assert_eq!((rows.len(), rows[0].number(0)), (1, Some(number)));
    }
    assert_eq!(format!("{one:?}"), "Connection { usable: true, .. }");
}

#[tokio::test]
async fn a_database_that_is_shut_down_ends_the_connection_and_the_next_one_opens_it_again() {
    let server = Derby::start().await.unwrap();
    let mut connection = connect(&server).await;
    connection.execute_immediate(TABLE).await.unwrap();
    connection.commit().await.unwrap();
    let insert = connection.prepare("INSERT INTO recordings VALUES (?, 'in', 7, NULL)").await.unwrap();
    let shut = format!(
        "connect 'jdbc:derby://127.0.0.1:{}/{};shutdown=true;user={};password={}';",
        server.port(),
        Derby::DATABASE,
        Derby::USER,
        Derby::PASSWORD
    );
    let said = server.ij(&shut).unwrap();
    assert!(said.contains("08006"), "{said}");
    let error = connection.execute(&insert, &[NUMBER.into()]).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("1234567"), "{error:?}");
    assert!(!connection.is_usable(), "{error:?}");
    assert!(connection.rollback().await.is_err());
    let mut next = connect(&server).await;
    assert_eq!(next.query("SELECT COUNT(*) FROM recordings", &[], 1).await.unwrap()[0].number(0), Some(0));
}
