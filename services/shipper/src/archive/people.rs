//! What people say of themselves and of their reasons. Pure.

use evidence::log::words;

use super::judgement::Refusal;

/// Characters of a reason: it becomes part of a log entry, which holds 500.
const LONGEST_REASON: usize = 300;
/// Characters of what an entry says.
const LONGEST_ENTRY: usize = 500;
/// Characters of an account's name.
const LONGEST_NAME: usize = 60;

/// A reason that may be published.
///
/// # Errors
/// There is none, it is too long, or it names somebody by number or address.
pub(super) fn reason(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_REASON {
        return Err(Refusal::Text("a reason of at most 300 characters is needed"));
    }
    words::look_at(text).map_err(|found| Refusal::Text(found.as_str()))?;
    Ok(text.to_owned())
}

/// The name of an account that may be published.
///
/// # Errors
/// As [`reason`].
pub(super) fn account(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if plain(text).is_empty() || text.chars().count() > LONGEST_NAME {
        return Err(Refusal::Text("it is not said (in at most 60 characters) who asks"));
    }
    words::look_at(text).map_err(|found| Refusal::Text(found.as_str()))?;
    Ok(text.to_owned())
}

/// The name of a second person.
///
/// # Errors
/// It is none, or that of the first one: letters and spaces between words make no other person.
pub(super) fn second(first: &str, text: &str) -> Result<String, Refusal> {
    let second = account(text)?;
    if plain(first) == plain(&second) { Err(Refusal::SamePerson) } else { Ok(second) }
}

/// Whether a text may stand in the log, which is published.
pub(super) fn is_public(text: &str) -> bool {
    text.chars().count() <= LONGEST_ENTRY && words::look_at(text).is_ok()
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_is_not_two_however_the_name_is_written() {
        for same in ["anna", " Anna ", "ANNA", "a n n a", "an-na", "anna."] {
            assert_eq!(second("anna", same), Err(Refusal::SamePerson), "{same}");
        }
        assert_eq!(second("anna", "berta"), Ok("berta".to_owned()));
        assert!(matches!(second("anna", "  "), Err(Refusal::Text(_))));
        assert!(matches!(second("anna", "berta@acme"), Err(Refusal::Text(_))));
        assert!(matches!(second("anna", "..."), Err(Refusal::Text(_))));
    }

    #[test]
    fn a_reason_that_names_somebody_by_number_is_refused() {
        assert!(matches!(reason("asked for by 0711 123456"), Err(Refusal::Text(_))));
        assert!(matches!(reason(" "), Err(Refusal::Text(_))));
        assert_eq!(reason(" erasure request of 12 November "), Ok("erasure request of 12 November".into()));
    }
}
