//! What the database said of a statement, without what it repeats of the row.
//!
//! Derby sends no sentence but an id and the tokens for its sentence, and some of these are values: of
//! 22001 (too long) the value itself, of 23503 (foreign key) the key, of 40001 (deadlock) the statements
//! of everybody involved, of 42X01 (syntax) a part of the statement. So tokens are dropped unless
//! [`SENTENCES`] names them: types, lengths, names of tables, columns, indexes, constraints. Faults that
//! end a session come as whole sentences; of these only the SQLSTATE is kept.

use std::fmt;

/// SQLSTATE or message id of Derby, and its sentence; `{n}` is the token that is kept.
const SENTENCES: &[(&str, &str)] = &[
    ("08006", "the connection to the database was ended"),
    ("22001", "a value is too long for a {0} of length {2}"),
    ("22003", "a number is out of the range of {0}"),
    ("22005", "a value cannot be read as {0}"),
    ("22018", "a text cannot be read as {0}"),
    ("23502", "the column {0} takes no NULL"),
    ("23503", "the foreign key {1} of the table {0} finds no row"),
    ("23505", "there is a row with this key already: {0} of the table {1}"),
    ("23513", "the check {1} of the table {0} refuses the row"),
    ("25502", "the database is read-only"),
    ("25503", "the database is read-only"),
    ("40001", "a deadlock; the transaction was rolled back"),
    ("40XL1", "a lock was not to be had in time"),
    ("42500", "the user lacks the permission {1} on the table {3} of the schema {2}"),
    ("42502", "the user lacks the permission {1} on a column of the table {4} of the schema {3}"),
    ("42802", "the number of values is not that of the columns"),
    ("42821", "a column of the type {0} takes no values of the type {1}"),
    ("42X04", "a column is missing"),
    ("42X05", "the table {0} does not exist"),
    ("42X14", "the column {0} is missing in the table {1}"),
    ("42Y07", "the schema {0} does not exist"),
    ("42Z23", "the column {0} is filled by the database alone"),
    ("XJ004", "there is no database of this name"),
    ("XSDG0", "a page of the database cannot be read"),
    ("XSDG1", "a page of the database cannot be written; is the disk full?"),
    ("XSLA1", "the log of the database cannot be written; is the disk full?"),
    ("XSLA4", "the log of the database cannot be written; is the disk full?"),
    ("X0Y32", "the {0} exists already"),
];

/// Between the tokens.
const SEPARATOR: char = '\u{14}';
/// Between the messages of a chain; the first is the one that counts.
const NEXT_MESSAGE: &str = "::";
/// The longest token that is kept; Derby's names have at most 128 characters.
const LONGEST_TOKEN: usize = 128;

/// A fault of a statement: SQLSTATE, SQLCODE and Derby's message without values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFault {
    code: i32,
    state: String,
    message_id: String,
    sentence: String,
}

impl SqlFault {
    /// From what a SQLCARD says. `state` and `message` come from the server and are cleaned here.
    pub(crate) fn new(code: i32, state: &[u8], message: &[u8]) -> Self {
        let state = identifier(&String::from_utf8_lossy(state), 5);
        let message = String::from_utf8_lossy(message);
        let first = message.split(NEXT_MESSAGE).next().unwrap_or_default();
        let mut tokens: Vec<&str> = first.split(SEPARATOR).collect();
        // A message id begins with its SQLSTATE; a whole sentence does not.
        let id = tokens.pop().filter(|id| id.starts_with(&state)).unwrap_or_default();
        let message_id = if id.is_empty() { state.clone() } else { identifier(id, 12) };
        let sentence = sentence(&message_id, &state, &tokens);
        Self { code, state, message_id, sentence }
    }

    /// The SQLSTATE: five characters.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// The SQLCODE: negative for a fault; its size tells how severe it is.
    pub const fn code(&self) -> i32 {
        self.code
    }

    /// Derby's id of the message, which begins with the SQLSTATE: `23505`, `22001`, `42X05` …
    pub fn message_id(&self) -> &str {
        &self.message_id
    }

    /// True if the database has ended the transaction along with the statement: of class 40, a deadlock
    /// or a lock not had in time that Derby rolls back.
    pub(crate) fn ends_transaction(&self) -> bool {
        self.state.starts_with("40") || self.state.starts_with("08")
    }
}

impl fmt::Display for SqlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {}, message {})", self.sentence, self.state, self.message_id)
    }
}

/// At most `longest` letters, digits and dots; of anything else a question mark.
fn identifier(text: &str, longest: usize) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '?' };
    text.chars().take(longest).map(clean).collect()
}

fn sentence(message_id: &str, state: &str, tokens: &[&str]) -> String {
    let known = |wanted: &str| SENTENCES.iter().find(|(id, _)| *id == wanted);
    let Some((_, template)) = known(message_id).or_else(|| known(state)) else {
        return "the database refuses the statement".to_owned();
    };
    let mut parts = template.split('{');
    let mut sentence = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (index, rest) = part.split_once('}').unwrap_or(("", part));
        let token = index.parse::<usize>().ok().and_then(|index| tokens.get(index)).copied().unwrap_or("?");
        sentence.extend(token.chars().filter(|c| !c.is_control()).take(LONGEST_TOKEN));
        sentence.push_str(rest);
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(state: &str, message: &str) -> String {
        SqlFault::new(-20000, state.as_bytes(), message.as_bytes()).to_string()
    }

    #[test]
    fn names_of_tables_and_lengths_are_kept_and_values_are_not() {
        let too_long = said("22001", "VARCHAR\u{14}+49 711 1234567\u{14}8\u{14}22001");
        assert_eq!(too_long, "a value is too long for a VARCHAR of length 8 (SQLSTATE 22001, message 22001)");
        let twice = said("23505", "I\u{14}R\u{14}23505");
        assert_eq!(
            twice,
            "there is a row with this key already: I of the table R (SQLSTATE 23505, message 23505)"
        );
    }

    #[test]
    fn messages_that_are_not_known_keep_their_id_alone() {
        let unknown = said("XCL47", "4711\u{14}XCL47.S");
        assert_eq!(unknown, "the database refuses the statement (SQLSTATE XCL47, message XCL47.S)");
    }

    #[test]
    fn whole_sentences_are_dropped() {
        assert!(
            !said("XJ040", "Failed to start database 'customer', see the next exception.")
                .contains("customer")
        );
        assert!(!said("58009", "0711 1234567").contains("0711"));
    }

    #[test]
    fn of_several_messages_the_first_counts() {
        assert!(said("42X05", "R\u{14}42X05::XJ001\u{14}secret").starts_with("the table R does not exist"));
    }

    #[test]
    fn tokens_that_are_missing_or_too_long_do_no_harm() {
        assert!(said("22001", "22001").starts_with("a value is too long for a ? of length ?"));
        assert!(said("42X05", &format!("{}\u{14}42X05", "x".repeat(100_000))).len() < 250);
    }
}
