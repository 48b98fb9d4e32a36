//! What a SQL Server's errors mean, by their numbers
//! (<https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors>).

use crate::database::ErrorKind;

/// The sentence for error `number` of `server` on `table`; nothing of what the server wrote itself: 2628
/// repeats the value.
pub(super) fn by_number(number: u32, server: &str, table: &str) -> (ErrorKind, String) {
    match number {
        18_487 | 18_488 => (
            ErrorKind::LoginRefused,
            format!("the password of this login of {server} has expired or must be changed; set a new one"),
        ),
        18_486 | 18_470 => (
            ErrorKind::LoginRefused,
            format!("this login of {server} is locked or disabled; let it in again"),
        ),
        18_452 => (
            ErrorKind::LoginRefused,
            format!(
                "{server} does not take this kind of login, or not of this domain; allow SQL Server authentication on it, or name a user as DOMAIN\\user"
            ),
        ),
        18_456 | 18_450 => (
            ErrorKind::LoginRefused,
            format!(
                "{server} refuses the login; check user, password, and whether it allows SQL Server logins"
            ),
        ),
        40_615 => (
            ErrorKind::Denied,
            format!("the firewall of {server} does not let this address in; add a rule for it there"),
        ),
        911 | 4060 | 4063 | 4064 => (
            ErrorKind::NoDatabase,
            format!("{server} has no database of this name, or none that this login may open"),
        ),
        208 | 3701 | 4902 => {
            (ErrorKind::NoTable, format!("{server} has no table {table}; make it by `callseal journal-init`"))
        }
        207 | 213 | 515 => (
            ErrorKind::Columns,
            format!("the table {table} on {server} lacks a column, or wants a value in another"),
        ),
        206 | 245 | 257 | 306 | 402 | 8114 | 8115 => {
            (ErrorKind::Columns, format!("the table {table} on {server} has a column of another type"))
        }
        2760 => (
            ErrorKind::Description,
            format!("{server} has no such schema, or this user may not use it: look at {table}"),
        ),
        262 => (
            ErrorKind::Denied,
            format!(
                "{server} does not let this user make the table {table}; grant CREATE TABLE and ALTER on its schema"
            ),
        ),
        229 | 230 | 297 | 300 | 916 => (
            ErrorKind::Denied,
            format!("{server} does not let this user write the table {table}; grant SELECT and INSERT"),
        ),
        976 | 978 | 3906 => (
            ErrorKind::Denied,
            format!(
                "the database on {server} is read-only: is it a secondary replica? Name the primary as host"
            ),
        ),
        1204 | 1205 | 1222 | 3635 | 3960 => {
            (ErrorKind::Busy, format!("other writers of the table {table} on {server} were in the way"))
        }
        1101 | 1105 | 9002 | 40_544 => (
            ErrorKind::Full,
            format!("the database on {server}, its log or the disk is full; make space, or back up the log"),
        ),
        // Data too long, constraints, keys, and numbers that do not fit.
        220 | 547 | 550 | 1946 | 2601 | 2627 | 2628 | 8152 | 8672 => (
            ErrorKind::Row,
            format!(
                "the table {table} on {server} refuses the row (error {number}); look at lengths and constraints of its columns"
            ),
        ),
        // Starting, ending, moving, for administrators alone, out of memory or of connections.
        596
        | 701
        | 921
        | 922
        | 927
        | 942
        | 945
        | 952
        | 983
        | 988
        | 3985
        | 6005
        | 8645
        | 8651
        | 17_142
        | 17_187
        | 17_809
        | 10_928
        | 10_929
        | 18_401
        | 18_451
        | 18_461
        | 40_197
        | 40_501
        | 40_613
        | 41_301
        | 49_918..=49_920 => (ErrorKind::Unreachable, format!("{server} or the database on it is not ready")),
        number => (ErrorKind::Other, format!("{server} fails with error {number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_said_in_words_of_what_to_do() {
        for (number, kind, words) in [
            (18_456, ErrorKind::LoginRefused, "refuses the login"),
            (18_487, ErrorKind::LoginRefused, "has expired"),
            (18_488, ErrorKind::LoginRefused, "must be changed"),
            (18_486, ErrorKind::LoginRefused, "locked"),
            (18_452, ErrorKind::LoginRefused, "allow SQL Server authentication"),
            (4060, ErrorKind::NoDatabase, "no database"),
            (208, ErrorKind::NoTable, "callseal journal-init"),
            (207, ErrorKind::Columns, "lacks a column"),
            (515, ErrorKind::Columns, "wants a value"),
            (402, ErrorKind::Columns, "another type"),
            (257, ErrorKind::Columns, "another type"),
            (40_615, ErrorKind::Denied, "add a rule"),
            (18_461, ErrorKind::Unreachable, "not ready"),
            (1204, ErrorKind::Busy, "in the way"),
            (229, ErrorKind::Denied, "grant SELECT and INSERT"),
            (262, ErrorKind::Denied, "grant CREATE TABLE"),
            (3906, ErrorKind::Denied, "Name the primary"),
            (1205, ErrorKind::Busy, "in the way"),
            (1222, ErrorKind::Busy, "in the way"),
            (2628, ErrorKind::Row, "lengths"),
            (8152, ErrorKind::Row, "lengths"),
            (1105, ErrorKind::Full, "make space"),
            (9002, ErrorKind::Full, "back up the log"),
            (40_613, ErrorKind::Unreachable, "not ready"),
            (50_000, ErrorKind::Other, "50000"),
        ] {
            let (found, sentence) = by_number(number, "the SQL Server db:1433", "dbo.calls");
            assert_eq!(found, kind, "{number}");
            assert!(sentence.contains(words) && sentence.contains("db:1433"), "{number}: {sentence}");
        }
    }
}
