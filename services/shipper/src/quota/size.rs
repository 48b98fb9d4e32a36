//! How much staging may hold, as people say it: `500GiB`, `80%`, `1000000000`.

use std::str::FromStr;

/// The quota of staging.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quota {
    /// Bytes of what lies in staging.
    Bytes(u64),
    /// Percent of the disk that staging lies on, by whatever it is taken.
    Percent(f64),
}

/// A text that says no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no quota; use bytes (500GiB, 2TB, 1000000000) or a share of the disk (80%)")]
pub struct InvalidQuota(String);

impl FromStr for Quota {
    type Err = InvalidQuota;

    fn from_str(text: &str) -> Result<Self, InvalidQuota> {
        let invalid = || InvalidQuota(text.to_owned());
        let digits = text.trim().find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.trim().split_at(digits.unwrap_or(text.trim().len()));
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let factor: f64 = match unit.trim() {
            "%" if number > 0.0 && number <= 100.0 => return Ok(Self::Percent(number)),
            "" | "B" => 1.0,
            "MB" => 1e6,
            "GB" => 1e9,
            "TB" => 1e12,
            "MiB" => 2_f64.powi(20),
            "GiB" => 2_f64.powi(30),
            "TiB" => 2_f64.powi(40),
            _ => return Err(invalid()),
        };
        let bytes = number * factor;
        // A quota of nothing would be exceeded before the first call.
        if (1.0..1e18).contains(&bytes) { Ok(Self::Bytes(bytes as u64)) } else { Err(invalid()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_bytes_or_a_share_of_the_disk() {
        for (text, quota) in [
            ("500GiB", Quota::Bytes(500 << 30)),
            ("1.5 TB", Quota::Bytes(1_500_000_000_000)),
            ("1000", Quota::Bytes(1000)),
            ("80%", Quota::Percent(80.0)),
            ("87.5 %", Quota::Percent(87.5)),
        ] {
            assert_eq!(text.parse(), Ok(quota), "{text}");
        }
        for text in ["", "0", "0%", "101%", "-5GiB", "many", "5 GiBs", "1.2.3%"] {
            assert!(text.parse::<Quota>().is_err(), "{text}");
        }
    }
}
