//! What goes in comes out, and Derby's own `ij` reads the same.

use drda::{SqlType, Value};

use crate::{connect, derby::Derby};

const TEXTS: [&str; 7] = [
    "",
    "Größe Ærø, naïve Straße",
    "emoji \u{1F600}\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}, \u{10FFFF}",
    "O'Brien says \"no\"; DROP TABLE recordings --",
    "\u{0}at both ends\u{0}",
    "Ελληνικά 日本語 עברית",
    "\u{14}::\u{14}",
];

#[tokio::test]
async fn texts_numbers_and_nulls_come_out_as_they_went_in_and_ij_reads_the_same() {
    let server = Derby::start().await.unwrap();
    let mut connection = connect(&server).await;
    connection
        .execute_immediate(
            "CREATE TABLE r (n BIGINT, v VARCHAR(32672), l LONG VARCHAR, c CLOB, i INTEGER, s SMALLINT, f CHAR(5))",
        )
        .await
        .unwrap();
    let insert = connection.prepare("INSERT INTO r VALUES (?, ?, ?, ?, ?, ?, ?)").await.unwrap();
    let types: Vec<SqlType> = insert.parameters().iter().map(drda::Column::sql_type).collect();
    let described = [
        SqlType::BigInt,
        SqlType::Varchar,
        SqlType::LongVarchar,
        SqlType::Clob,
        SqlType::Integer,
        SqlType::SmallInt,
        SqlType::Char,
    ];
    assert_eq!(types, described);

    let mut rows: Vec<Vec<Value>> = Vec::new();
    for (number, text) in TEXTS.iter().enumerate() {
        let (number, text) = (number as i64, Value::from(*text));
        rows.push(vec![
            number.into(),
            text.clone(),
            text.clone(),
            text,
            7.into(),
            (-7).into(),
            "abcde".into(),
        ]);
    }
    for number in [i64::MIN, -1, i64::MAX] {
        let mut row = vec![Value::Null; 7];
        row[0] = number.into();
        rows.push(row);
    }
    let small: Vec<Value> = vec![
        100.into(),
        "".into(),
        "".into(),
        "".into(),
        i64::from(i32::MIN).into(),
        32_767.into(),
        "x    ".into(),
    ];
    rows.push(small);
    for row in &rows {
        assert_eq!(connection.execute(&insert, row).await.unwrap(), 1);
    }
    connection.commit().await.unwrap();

    let read = connection.query("SELECT * FROM r ORDER BY n", &[], 1000).await.unwrap();
    let mut expected = rows.clone();
    expected.sort_by_key(|row| match row[0] {
        Value::BigInt(number) => number,
        _ => unreachable!("all have a number"),
    });
    let read: Vec<&[Value]> = read.iter().map(drda::Row::values).collect();
    assert_eq!(read, expected);

    // Reading takes a lock that ij would wait for.
    connection.rollback().await.unwrap();
    let said = server
        .ij("SELECT '[' || v || '][' || l || '][' || CAST(c AS VARCHAR(200)) || ']' FROM r WHERE v IS NOT NULL; \
             SELECT n FROM r WHERE v IS NULL ORDER BY n;")
        .unwrap();
    for text in TEXTS {
        assert!(said.contains(&format!("[{text}][{text}][{text}]")), "{text:?} in {said}");
    }
    for number in [i64::MIN, -1, i64::MAX] {
        assert!(said.contains(&number.to_string()), "{number} in {said}");
    }
}

#[tokio::test]
async fn texts_beyond_a_segment_of_32_kb_go_in_and_come_out_whole() {
    let server = Derby::start().await.unwrap();
    let mut connection = connect(&server).await;
    connection
        .execute_immediate("CREATE TABLE big (n BIGINT, v VARCHAR(32672), l LONG VARCHAR, c CLOB)")
        .await
        .unwrap();
    let insert = connection.prepare("INSERT INTO big VALUES (?, ?, ?, ?)").await.unwrap();
    // Of two bytes, of four (two of Java's characters), and of more segments than one.
    let umlauts = "ä".repeat(32_000);
    let emoji = "\u{1F600}".repeat(16_000);
    let forty: String = ('a'..='z').cycle().take(40_000).collect();
    let megabyte: String = ('!'..='~').cycle().take(1_000_003).collect();
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for (number, clob) in [&forty, &megabyte, &umlauts, &String::new()].into_iter().enumerate() {
        let texts = [umlauts.as_str(), emoji.as_str(), clob].map(Value::from);
        rows.push([vec![Value::from(number as i64)], texts.to_vec()].concat());
    }
    // Around the longest text in its place, and around a segment's end.
    for length in [28_660, 28_672, 32_700, 32_749, 32_750, 32_751, 32_752, 32_758, 32_767, 32_768, 65_510] {
        let clob: String = "xyz".chars().cycle().take(length).collect();
        rows.push(vec![(length as i64).into(), "v".into(), Value::Null, clob.into()]);
    }
    assert_eq!(connection.execute_batch(&insert, &rows).await.unwrap(), rows.len() as u64);
    connection.commit().await.unwrap();
    let read = connection.query("SELECT n, v, l, c FROM big ORDER BY n", &[], 1000).await.unwrap();
    assert_eq!(read.len(), rows.len());
    for (read, expected) in read.iter().zip(&rows) {
        assert_eq!(read.values(), expected);
    }
    connection.rollback().await.unwrap();
    let said = server
        .ij("SELECT n, LENGTH(v), LENGTH(l), LENGTH(c) FROM big WHERE n < 4; SELECT v FROM big WHERE n = 0;")
        .unwrap();
    assert!(said.contains(&umlauts), "ij reads all umlauts");
    let spaceless: String = said.chars().filter(|c| !c.is_whitespace()).collect();
    assert!(spaceless.contains("1|32000|32000|1000003"), "{:.2000}", said);

    // A statement of more than a segment, and one that is closed when enough has come.
    let long = format!("SELECT n FROM big WHERE v <> '{}'", "ü".repeat(30_000));
    assert_eq!(connection.query(&long, &[], 2).await.unwrap().len(), 2);
    connection.commit().await.unwrap();
}

#[tokio::test]
async fn ten_thousand_rows_come_in_order_and_a_query_can_be_left_early_and_asked_again() {
    let server = Derby::start().await.unwrap();
    let mut connection = connect(&server).await;
    connection.execute_immediate("CREATE TABLE many (n BIGINT, t VARCHAR(100))").await.unwrap();
    let insert = connection.prepare("INSERT INTO many VALUES (?, ?)").await.unwrap();
    let rows: Vec<Vec<Value>> =
        (0..10_000).map(|n| vec![Value::from(n), format!("Aufnahme {n} für Öl").into()]).collect();
    assert_eq!(connection.execute_batch(&insert, &rows).await.unwrap(), 10_000);
    connection.commit().await.unwrap();
    let select = connection.prepare("SELECT n, t FROM many WHERE n >= ? ORDER BY n").await.unwrap();
    assert_eq!(select.columns()[1].name(), "T");
    for (from, most, expected) in
        [(0, 100_000, 10_000), (0, 3, 3), (9_990, 100, 10), (20_000, 5, 0), (5, 0, 0)]
    {
        let read = connection.query_prepared(&select, &[from.into()], most).await.unwrap();
        let numbers: Vec<i64> = read.iter().map(|row| row.number(0).unwrap()).collect();
        assert_eq!(numbers, (from..from + expected).collect::<Vec<i64>>());
        assert!(read.iter().all(|row| row.text(1).unwrap().ends_with("für Öl")));
    }
    connection.commit().await.unwrap();
}
