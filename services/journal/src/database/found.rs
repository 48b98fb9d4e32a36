//! A table that is there already, held against what the journal writes.

use super::{ErrorKind, JournalError, table::Table};

/// A column of a table that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundColumn {
    /// Its name.
    pub name: String,
    /// Every row needs a value in it: it may not be empty, and has none by itself.
    pub needs_value: bool,
}

/// Whether rows can be written into a table with these columns: all of the journal's are there, and any
/// other has a value by itself. `place` is the database for texts.
///
/// # Errors
/// [`ErrorKind::NoTable`] if there are no columns, [`ErrorKind::Columns`] with their names.
pub fn check(table: &Table, found: &[FoundColumn], place: &str) -> Result<(), JournalError> {
    let name = table.name();
    if found.is_empty() {
        let sentence = format!("{place} has no table {name}; make it by `callseal journal-init`");
        return Err(JournalError::new(ErrorKind::NoTable, sentence));
    }
    let missing: Vec<&str> =
        table.columns().filter(|wanted| !found.iter().any(|f| f.name.eq_ignore_ascii_case(wanted))).collect();
    if !missing.is_empty() {
        let sentence = format!(
            "the table {name} of {place} lacks {}: add what is missing, or name another table",
            columns(&missing)
        );
        return Err(JournalError::new(ErrorKind::Columns, sentence));
    }
    let ours = |found: &FoundColumn| table.columns().any(|wanted| found.name.eq_ignore_ascii_case(wanted));
    let demanding: Vec<&str> =
        found.iter().filter(|f| f.needs_value && !ours(f)).map(|f| f.name.as_str()).collect();
    if !demanding.is_empty() {
        let sentence = format!(
            "the table {name} of {place} wants a value in {}, which the journal does not write: give it a default",
            columns(&demanding)
        );
        return Err(JournalError::new(ErrorKind::Columns, sentence));
    }
    Ok(())
}

fn columns(names: &[&str]) -> String {
    let word = if names.len() == 1 { "the column" } else { "the columns" };
    format!("{word} {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::dialect::Dialect;

    fn verdict(change: impl Fn(&mut Vec<FoundColumn>)) -> Result<(), String> {
        let table = Table::new(Dialect::Postgres, None, "calls", &[]).unwrap();
        let found = |name: &str| FoundColumn { name: name.to_owned(), needs_value: false };
        let mut all: Vec<_> = table.columns().map(found).collect();
        change(&mut all);
        check(&table, &all, "the server").map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_with_more_columns_is_used_if_they_fill_themselves() {
        let more = |needs_value| {
            move |all: &mut Vec<FoundColumn>| {
                all.push(FoundColumn { name: "department".into(), needs_value });
            }
        };
        assert_eq!(verdict(more(false)), Ok(()));
        let told = verdict(more(true)).unwrap_err();
        assert!(told.contains("wants a value in the column department"), "{told}");
    }

    #[test]
    fn what_a_table_lacks_is_named() {
        let told = verdict(|all| all.retain(|c| c.name != "time" && c.name != "setting")).unwrap_err();
        assert!(told.contains("lacks the columns time, setting"), "{told}");
        assert!(verdict(Vec::clear).unwrap_err().contains("has no table calls"));
        assert_eq!(verdict(|all| all.iter_mut().for_each(|c| c.name.make_ascii_uppercase())), Ok(()));
    }
}
