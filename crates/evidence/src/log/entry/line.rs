//! Values of an entry's lines that take more than `to_string`.

use std::time::Duration;

use crate::text::{clock, escape, unescape};

/// Characters of what people write: a reason, a way, an account.
const LONGEST_TEXT: usize = 1000;
/// Characters of one name in a list.
const LONGEST_NAME: usize = 63;
/// Names in a list. With the numbers above, an entry stays below 64 kilobytes whatever is put in.
const LONGEST_LIST: usize = 100;
/// Stands for what was cut off.
const CUT: char = '…';

/// A text on one line, cut off where it is very long.
pub(super) fn text(value: &str) -> String {
    escape(&shortened(value, LONGEST_TEXT))
}

/// Names in a row; `none_given` when there are none. A comma within a name, and a lone name that reads
/// like the word for none, are escaped.
pub(super) fn list(names: &[String], none_given: &str) -> String {
    let one = |name: &String| escape(&shortened(name, LONGEST_NAME)).replace(',', "\\u002c");
    let mut written: Vec<String> = names.iter().take(LONGEST_LIST).map(one).collect();
    if let (Some(last), true) = (written.last_mut(), names.len() > LONGEST_LIST) {
        *last = CUT.to_string();
    }
    match written.as_slice() {
        [] => none_given.to_owned(),
        [lone] if lone == none_given => format!("\\u{:04x}{}", u32::from(lone.as_bytes()[0]), &lone[1..]),
        several => several.join(", "),
    }
}

/// What [`list`] wrote.
pub(super) fn parse_list(value: &str, none_given: &str) -> Vec<String> {
    if value == none_given { Vec::new() } else { value.split(", ").map(unescape).collect() }
}

fn shortened(value: &str, longest: usize) -> String {
    if value.chars().nth(longest).is_none() {
        return value.to_owned();
    }
    value.chars().take(longest - 1).chain([CUT]).collect()
}

/// What [`clock`] wrote; other spellings may come through and are refused by the comparison with what is
/// written back.
pub(super) fn parse_clock(value: &str) -> Option<Duration> {
    let mut parts = value.split(':');
    let [Some(hours), Some(minutes), Some(seconds), None] = std::array::from_fn(|_| parts.next()) else {
        return None;
    };
    let (seconds, millis) = seconds.split_once('.')?;
    let number = |text: &str| text.parse::<u64>().ok();
    let minutes = number(hours)?.checked_mul(60)?.checked_add(number(minutes)?)?;
    let seconds = minutes.checked_mul(60)?.checked_add(number(seconds)?)?;
    let length = Duration::from_secs(seconds).checked_add(Duration::from_millis(number(millis)?))?;
    Some(length).filter(|length| clock(*length) == value)
}
