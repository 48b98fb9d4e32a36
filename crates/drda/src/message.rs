//! What the database said of a statement, without what it repeats of the row.
//!
//! Derby sends no sentence but an id and the tokens for its sentence, and some of these are values: of
//! 22001 (too long) the value itself, of 23503 (foreign key) the key, of 22003.S.3 (overflow) the number, of
//! 40001 (deadlock) the statements of everybody involved, of 42X01 (syntax) a part of the statement. So all
//! tokens are dropped but those that [`SENTENCES`] names: types, lengths, names of tables, columns, indexes,
//! constraints. A value may hold what separates the tokens, so they are dropped altogether if there are more
//! or less than the message has. Faults that end a session come as whole sentences; of these only the
//! SQLSTATE is kept.

use std::fmt;

/// Derby's id of a message without its severity, how many tokens it has, and our sentence: `{n}` is a token
/// that is kept, `{#n}` one that is kept if it is a number.
const SENTENCES: &[(&str, usize, &str)] = &[
    ("08006", 0, "the connection to the database was ended"),
    ("22001", 3, "a value is too long for a {0} of length {#2}"),
    ("22003", 1, "a number is out of the range of {0}"),
    ("22005", 2, "a value of the type {1} cannot be read as {0}"),
    ("22018", 1, "a text cannot be read as {0}"),
    ("23502", 1, "the column {0} takes no NULL"),
    ("23503", 4, "the foreign key {0} of the table {1} finds no row"),
    ("23505", 2, "there is a row with this key already: {0} of the table {1}"),
    ("23513", 2, "the check {1} of the table {0} refuses the row"),
    ("25502", 0, "the database is read-only"),
    ("25503", 0, "the database is read-only"),
    ("40001", 2, "a deadlock; the transaction was rolled back"),
    ("40XL1", 0, "a lock was not to be had in time"),
    ("40XL1.T.1", 1, "a lock was not to be had in time"),
    ("42500", 4, "the user lacks the permission {1} on the table {3} of the schema {2}"),
    ("42502", 5, "the user lacks the permission {1} on a column of the table {4} of the schema {3}"),
    ("42802", 0, "the number of values is not that of the columns"),
    ("42821", 2, "a column of the type {0} takes no values of the type {1}"),
    ("42X04", 1, "a column is missing"),
    ("42X05", 1, "the table {0} does not exist"),
    ("42X14", 2, "the column {0} is missing in the table {1}"),
    ("42Y07", 1, "the schema {0} does not exist"),
    ("42Z23", 1, "the column {0} is filled by the database alone"),
    ("XJ004", 0, "there is no database of this name"),
    ("XSDG0", 0, "a page of the database cannot be read"),
    ("XSDG1", 0, "a page of the database cannot be written; is the disk full?"),
    ("XSLA1", 0, "the log of the database cannot be written; is the disk full?"),
    ("XSLA4", 0, "the log of the database cannot be written; is the disk full?"),
    ("X0Y32", 4, "the {0} exists already"),
];

/// Between the tokens.
const SEPARATOR: char = '\u{14}';
/// Between the messages of a chain; the first is the one that counts.
const NEXT_MESSAGE: &str = "::";
/// What an id may end with: the severity.
const SEVERITIES: [&str; 6] = [".S", ".T", ".C", ".D", ".M", ".U"];
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
        if id.is_empty() {
            tokens.clear();
        }
        let message_id = if id.is_empty() { state.clone() } else { identifier(id, 12) };
        let sentence = sentence(&message_id, &tokens);
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

    /// True if the database has ended the transaction along with the statement, as after a deadlock. Derby
    /// makes the SQLCODE of its severity: 20000 of a statement, 30000 of a transaction, from 40000 on of the
    /// session, the database, the system.
    pub(crate) const fn ends_transaction(&self) -> bool {
        self.code <= -30_000
    }

    /// True if the session has ended, too.
    pub(crate) const fn ends_session(&self) -> bool {
        self.code <= -40_000
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

fn sentence(message_id: &str, tokens: &[&str]) -> String {
    let id = SEVERITIES.iter().find_map(|severity| message_id.strip_suffix(severity)).unwrap_or(message_id);
    let Some((_, count, template)) = SENTENCES.iter().find(|(known, ..)| *known == id) else {
        return "the database refuses the statement".to_owned();
    };
    let tokens = if tokens.len() == *count { tokens } else { &[] };
    let mut parts = template.split('{');
    let mut sentence = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (place, rest) = part.split_once('}').unwrap_or(("", part));
        let index = place.trim_start_matches('#').parse().unwrap_or(usize::MAX);
        let is_number = |token: &&str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
        let token = tokens.get(index).copied().filter(|token| !place.starts_with('#') || is_number(token));
        sentence.extend(token.unwrap_or("?").chars().filter(|c| !c.is_control()).take(LONGEST_TOKEN));
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
    fn a_value_that_holds_what_separates_tokens_gets_no_part_of_it_into_the_text() {
        let forged = [
            "VARCHAR\u{14}a\u{14}secret\u{14}8\u{14}22001",
            "VARCHAR\u{14}a\u{14}secret\u{14}22001::b\u{14}8\u{14}22001",
            "VARCHAR\u{14}a::secret\u{14}8\u{14}22001",
        ];
        for message in forged {
            assert!(!said("22001", message).contains("secret"), "{message:?}");
        }
        assert!(!said("22003", "12345\u{14}INTEGER\u{14}22003.S.3").contains("12345"));
        assert!(!said("XJ004", "secret\u{14}secret").contains("secret"));
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
        assert!(
            said("X0Y32", "Table\u{14}A\u{14}Schema\u{14}B\u{14}X0Y32.S")
                .starts_with("the Table exists already")
        );
        assert!(said("22001", "22001").starts_with("a value is too long for a ? of length ?"));
        assert!(said("42X05", &format!("{}\u{14}42X05", "x".repeat(100_000))).len() < 250);
    }
}
