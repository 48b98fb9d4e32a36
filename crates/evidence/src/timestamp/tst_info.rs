//! What an authority states: hash, time, serial number (TSTInfo, RFC 3161 § 2.4.2).

use std::time::Duration;

use jiff::{Timestamp, civil::DateTime, tz::Offset};

use super::{
    der::{
        BOOLEAN, GENERALIZED_TIME, INTEGER, NotDer, OCTET_STRING, OID, SEQUENCE, Values, context,
        context_plain, small_integer,
    },
    request::SHA256,
};
use crate::Sha256Hash;

/// The statement. What is optional and says nothing about the time (ordering, tsa, extensions) is read
/// over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TstInfo {
    /// The stamped hash; `None`: not SHA-256.
    pub imprint: Option<Sha256Hash>,
    /// The content of an INTEGER.
    pub serial: Vec<u8>,
    pub time: Timestamp,
    pub accuracy: Duration,
    /// The content of an INTEGER.
    pub nonce: Option<Vec<u8>>,
}

impl TstInfo {
    pub fn from_der(der: &[u8]) -> Result<Self, NotDer> {
        let mut info = Values::inside(der, SEQUENCE)?;
        if small_integer(info.take(INTEGER)?)? != 1 {
            return Err(NotDer);
        }
        info.take(OID)?;
        let mut imprint = info.enter(SEQUENCE)?;
        let algorithm = imprint.enter(SEQUENCE)?.take(OID)?;
        let hash = imprint.take(OCTET_STRING)?;
        imprint.end()?;
        let hash = <[u8; 32]>::try_from(hash).ok().filter(|_| algorithm == SHA256);
        let serial = info.take(INTEGER)?.to_vec();
        let time = time(info.take(GENERALIZED_TIME)?).ok_or(NotDer)?;
        let accuracy = match info.optional(SEQUENCE)? {
            Some(value) => accuracy(Values::new(value.content))?,
            None => Duration::ZERO,
        };
        info.optional(BOOLEAN)?;
        let nonce = info.optional(INTEGER)?.map(|value| value.content.to_vec());
        info.optional(context(0))?;
        info.optional(context(1))?;
        info.end()?;
        Ok(Self { imprint: hash.map(Sha256Hash::from), serial, time, accuracy, nonce })
    }
}

fn accuracy(mut values: Values<'_>) -> Result<Duration, NotDer> {
    let mut part = |tag| values.optional(tag)?.map_or(Ok(0), |value| small_integer(value.content));
    let (seconds, millis, micros) = (part(INTEGER)?, part(context_plain(0))?, part(context_plain(1))?);
    values.end()?;
    let below_second = Duration::from_millis(millis.into()) + Duration::from_micros(micros.into());
    Ok(Duration::from_secs(seconds.into()) + below_second)
}

/// `YYYYMMDDhhmmss[.s…]Z`
fn time(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, f)| (whole, Some(f)));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) {
        return None;
    }
    let nanos = match fraction {
        None => 0,
        // Without trailing zeros, as DER wants it; what is finer than a nanosecond is cut.
        Some(f) if f.is_empty() || !digits(f) || f.ends_with('0') => return None,
        Some(f) => format!("{f:0<9}")[..9].parse().ok()?,
    };
    let field = |from: usize, to: usize| whole[from..to].parse::<i8>().ok();
    let year = whole[..4].parse().ok()?;
    let (month, day) = (field(4, 6)?, field(6, 8)?);
    let (hour, minute, second) = (field(8, 10)?, field(10, 12)?, field(12, 14)?);
    let local = DateTime::new(year, month, day, hour, minute, second, nanos).ok()?;
    Offset::UTC.to_timestamp(local).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_a_fraction() {
        for (text, expected) in [
            ("20261122091530Z", Some("2026-11-22T09:15:30Z")),
            ("20261122091530.123Z", Some("2026-11-22T09:15:30.123Z")),
            ("20261122091530.1234567891Z", Some("2026-11-22T09:15:30.123456789Z")),
            ("20261122091530", None),
            ("20261122091530.Z", None),
            ("20261122091530.10Z", None),
            ("20261322091530Z", None),
            ("2026112209153Z", None),
            ("2026112209 530Z", None),
            ("20261122091530+0100", None),
        ] {
            let read = time(text.as_bytes()).map(|time| time.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
