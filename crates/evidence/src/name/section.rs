//! The files of a recording and the endings of their names.

use std::{fmt, str::FromStr};

use domain::Side;

use super::InvalidBaseName;

/// How a file of audio is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AudioFormat {
    /// WAVE or RF64.
    Wav,
    /// Ogg.
    Ogg,
}

/// One of the files of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Audio: `.wav`, `_caller.wav`, `_callee.wav`, and `_2.wav`, `_caller_2.wav` … where one file
    /// cannot hold all, because the codec changed.
    Audio {
        /// The side in it; `None`: both, channel 1 caller, channel 2 callee.
        side: Option<Side>,
        /// From 1; 1 is not written in the name.
        part: u8,
        /// Container.
        format: AudioFormat,
    },
    /// `_info.txt` (F-41).
    Info,
    /// `_journal.json` (F-43).
    Journal,
    /// `_hash.txt` (F-50).
    HashList,
    /// `_hash.SHA256withRSA.sig` (F-51).
    Signature,
    /// `_log-proof.txt` (F-58).
    LogProof,
    /// `_hash.tsr`: a time stamp of an authority (RFC 3161) over the hash list.
    TimeStamp,
}

impl Section {
    /// The one WAVE file with both sides.
    pub const STEREO: Self = Self::wav(None, 1);

    /// A WAVE file with the given side (`None`: both); `part` from 1.
    pub const fn wav(side: Option<Side>, part: u8) -> Self {
        Self::Audio { side, part, format: AudioFormat::Wav }
    }

    /// True for files that the hash list has to name.
    pub const fn is_hashed(self) -> bool {
        matches!(self, Self::Audio { .. } | Self::Info | Self::Journal)
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Audio { side, part, format } => {
                f.write_str(match side {
                    None => "",
                    Some(Side::Caller) => "_caller",
                    Some(Side::Callee) => "_callee",
                })?;
                if *part > 1 {
                    write!(f, "_{part}")?;
                }
                f.write_str(match format {
                    AudioFormat::Wav => ".wav",
                    AudioFormat::Ogg => ".ogg",
                })
            }
            Self::Info => f.write_str("_info.txt"),
            Self::Journal => f.write_str("_journal.json"),
            Self::HashList => f.write_str("_hash.txt"),
            Self::Signature => f.write_str("_hash.SHA256withRSA.sig"),
            Self::LogProof => f.write_str("_log-proof.txt"),
            Self::TimeStamp => f.write_str("_hash.tsr"),
        }
    }
}

impl FromStr for Section {
    type Err = InvalidBaseName;
    fn from_str(ending: &str) -> Result<Self, InvalidBaseName> {
        let fixed =
            [Self::Info, Self::Journal, Self::HashList, Self::Signature, Self::LogProof, Self::TimeStamp];
        if let Some(section) = fixed.into_iter().find(|section| section.to_string() == ending) {
            return Ok(section);
        }
        let parse = || {
            let (stem, format) = match ending.strip_suffix(".wav") {
                Some(stem) => (stem, AudioFormat::Wav),
                None => (ending.strip_suffix(".ogg")?, AudioFormat::Ogg),
            };
            let (side, stem) = if let Some(stem) = stem.strip_prefix("_caller") {
                (Some(Side::Caller), stem)
            } else if let Some(stem) = stem.strip_prefix("_callee") {
                (Some(Side::Callee), stem)
            } else {
                (None, stem)
            };
            let part = if stem.is_empty() { 1 } else { stem.strip_prefix('_')?.parse().ok()? };
            Some(Self::Audio { side, part, format }).filter(|section| section.to_string() == ending)
        };
        parse().ok_or(InvalidBaseName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_those_of_the_documentation_and_parse_back() {
        let ogg = Section::Audio { side: Some(Side::Callee), part: 3, format: AudioFormat::Ogg };
        for (section, ending) in [
            (Section::STEREO, ".wav"),
            (Section::wav(None, 2), "_2.wav"),
            (Section::wav(Some(Side::Caller), 1), "_caller.wav"),
            (Section::wav(Some(Side::Callee), 1), "_callee.wav"),
            (ogg, "_callee_3.ogg"),
            (Section::Info, "_info.txt"),
            (Section::Journal, "_journal.json"),
            (Section::HashList, "_hash.txt"),
            (Section::Signature, "_hash.SHA256withRSA.sig"),
            (Section::LogProof, "_log-proof.txt"),
            (Section::TimeStamp, "_hash.tsr"),
        ] {
            assert_eq!(section.to_string(), ending);
            assert_eq!(ending.parse(), Ok(section));
        }
    }

    #[test]
    fn an_ending_has_one_spelling() {
        for bad in [
            "",
            "wav",
            ".WAV",
            "_1.wav",
            "_01.wav",
            "_0.wav",
            "_300.wav",
            "_caller2.wav",
            "_info.txt ",
            "_info.txt.part",
        ] {
            assert!(bad.parse::<Section>().is_err(), "{bad}");
        }
    }
}
