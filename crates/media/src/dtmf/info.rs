//! Keys in SIP INFO requests: `application/dtmf-relay` as Cisco made it, and `application/dtmf`.
//! Neither was ever a standard, so whatever has one clear meaning is read.

use std::time::Duration;

use super::Key;

/// A key in the body of an INFO request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InfoKey {
    /// Which key.
    pub key: Key,
    /// How long it was held, if the sender says so.
    pub duration: Option<Duration>,
}

/// Why a body holds no key. Holds nothing of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InfoError {
    /// To be answered with 415.
    #[error("the content type is neither application/dtmf-relay nor application/dtmf")]
    ContentType,
    /// To be answered with 400.
    #[error("the INFO body names no key")]
    NoKey,
}

/// A body that is longer than this is no key press.
const MAX_BODY_BYTES: usize = 1024;

/// Reads the body of an INFO request with its `Content-Type`.
///
/// # Errors
/// If the type is another one or the body names no key (hook flash included).
pub fn parse(content_type: &str, body: &[u8]) -> Result<InfoKey, InfoError> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !["application/dtmf-relay", "application/dtmf"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(media_type))
    {
        return Err(InfoError::ContentType);
    }
    if body.len() > MAX_BODY_BYTES {
        return Err(InfoError::NoKey);
    }
    let text = std::str::from_utf8(body).map_err(|_| InfoError::NoKey)?;
    let mut signal = None;
    let mut duration = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("signal") => {
                signal = signal.or(Some(value.trim()));
            }
            Some((name, value)) if name.trim().eq_ignore_ascii_case("duration") => {
                duration = duration.or_else(|| value.trim().parse().ok().map(Duration::from_millis));
            }
            Some(_) => {}
            // The whole body of `application/dtmf` is the key.
            None => signal = signal.or(Some(line)),
        }
    }
    let key = signal.and_then(key_of).ok_or(InfoError::NoKey)?;
    Ok(InfoKey { key, duration })
}

/// A key by its character, or by its event code where that has two digits: Cisco sends `10` for
/// `*` and `11` for `#`.
fn key_of(signal: &str) -> Option<Key> {
    if let Ok(key) = signal.parse() {
        return Some(key);
    }
    signal.parse().ok().filter(|code| *code >= 10).and_then(Key::from_event_code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RELAY: &str = "application/dtmf-relay";

    fn read(content_type: &str, body: &str) -> Result<(String, Option<u64>), InfoError> {
        parse(content_type, body.as_bytes())
            .map(|info| (info.key.to_string(), info.duration.map(|d| u64::try_from(d.as_millis()).unwrap())))
    }

    #[test]
    fn bodies_of_the_usual_telephones_are_read() {
        for (content_type, body, key, duration) in [
            (RELAY, "Signal=1\r\nDuration=160\r\n", "1", Some(160)),
            (RELAY, "Signal= *\r\nDuration= 250", "*", Some(250)),
            (RELAY, "signal = #\nduration = 90\n", "#", Some(90)),
            (RELAY, "Signal=10\r\nDuration=160", "*", Some(160)),
            (RELAY, "Signal=11\r\n", "#", None),
            (RELAY, "Signal=12", "A", None),
            (RELAY, "Signal=d", "D", None),
            (RELAY, "Duration=100\r\nSignal=0\r\n", "0", Some(100)),
            (RELAY, "Signal=5\r\nDuration=long", "5", None),
            ("Application/DTMF-Relay; charset=utf-8", "Signal=7", "7", None),
            ("application/dtmf", "9", "9", None),
            ("application/dtmf", " # \r\n", "#", None),
            ("application/dtmf", "11", "#", None),
            ("application/dtmf", "Signal=3\r\nDuration=80", "3", Some(80)),
        ] {
            assert_eq!(read(content_type, body), Ok((key.to_owned(), duration)), "{content_type}: {body:?}");
        }
    }

    #[test]
    fn other_types_and_bodies_without_a_key_are_told_apart() {
        assert_eq!(read("text/plain", "Signal=1"), Err(InfoError::ContentType));
        assert_eq!(read("", ""), Err(InfoError::ContentType));
        for body in
            ["", "Signal=", "Signal=16", "Signal=!", "Signal=01", "Signal=-1", "Duration=100", "hello"]
        {
            assert_eq!(read(RELAY, body), Err(InfoError::NoKey), "{body:?}");
        }
        assert_eq!(parse(RELAY, &[0xFF, 0xFE]), Err(InfoError::NoKey));
        assert_eq!(parse(RELAY, &vec![b'\n'; 1025]), Err(InfoError::NoKey));
    }

    proptest! {
        #[test]
        fn any_body_is_a_key_or_an_error(body in prop::collection::vec(any::<u8>(), 0..200), dtmf in any::<bool>()) {
            let content_type = if dtmf { "application/dtmf" } else { RELAY };
            if let Err(error) = parse(content_type, &body) {
                prop_assert_eq!(error, InfoError::NoKey);
            }
        }

        #[test]
        fn any_lines_around_the_signal_are_passed_over(
            before in "[a-zA-Z]{2,8}=[ -~]{0,20}",
            key in prop::sample::select(Key::ALL.to_vec()),
            after in "[a-zA-Z]{2,8}=[ -~]{0,20}",
        ) {
            prop_assume!(!before.to_lowercase().starts_with("signal="));
            let body = format!("{before}\r\nSignal={key}\r\n{after}\r\n");
            prop_assert_eq!(parse(RELAY, body.as_bytes()).map(|info| info.key), Ok(key));
        }
    }
}
