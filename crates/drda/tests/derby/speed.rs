//! How fast rows go in, one by one and in batches: printed, and only compared with each other.

use std::time::Instant;

use drda::Value;

use crate::{TABLE, connect, derby::Derby};

#[tokio::test]
async fn a_batch_is_faster_than_its_rows_one_by_one() {
    let server = Derby::start().await.unwrap();
    let mut connection = connect(&server).await;
    connection.execute_immediate(TABLE).await.unwrap();
    connection.commit().await.unwrap();
    let insert = connection.prepare("INSERT INTO recordings VALUES (?, ?, ?, ?)").await.unwrap();
    let signature = "c2lnbmF0dXJl".repeat(43);
    let row = |n: i64| -> Vec<Value> {
        vec![format!("2026-11-22_10-00-00_{n}").into(), "out".into(), n.into(), signature.as_str().into()]
    };
    // Java compiles what runs often.
    for round in 0..3 {
        let begun = Instant::now();
        for n in 0..1_000 {
            connection.execute(&insert, &row(n)).await.unwrap();
        }
        connection.commit().await.unwrap();
        let single = begun.elapsed();
        let rows: Vec<Vec<Value>> = (0..1_000).map(row).collect();
        let begun = Instant::now();
        connection.execute_batch(&insert, &rows).await.unwrap();
        connection.commit().await.unwrap();
        let batch = begun.elapsed();
        println!("round {round}: 1000 rows singly {single:?}, in a batch {batch:?}");
    }
    let stored = connection.query("SELECT COUNT(*) FROM recordings", &[], 1).await.unwrap();
    assert_eq!(stored[0].number(0), Some(6_000));
}
