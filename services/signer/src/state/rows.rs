//! Statements over several rows: what a statement costs is the way to the database and back, whatever
//! the number of rows in it.

/// `($1, $2), ($3, $4)` for two rows of two columns from 1 on.
pub(super) fn placeholders(first: usize, rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            text.push_str(if column == 0 { "$" } else { ", $" });
            text.push_str(&(first + row * columns + column).to_string());
        }
        text.push(')');
    }
    text
}

/// `($1, $2, $3)` for three values of a list from 1 on.
pub(super) fn list(first: usize, values: usize) -> String {
    placeholders(first, 1, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_counted_over_all_rows() {
        assert_eq!(placeholders(1, 2, 2), "($1, $2), ($3, $4)");
        assert_eq!(list(2, 3), "($2, $3, $4)");
    }
}
