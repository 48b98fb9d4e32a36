//! `Announcement`: what people hear before or during a call (F-25).

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{FieldError, FieldPath, ResourceKey, field::Findings};
use crate::ResourceName;

/// A validated `Announcement`.
#[derive(Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its name.
    pub name: ResourceName,
    /// Where its audio comes from.
    pub source: AudioSource,
    /// SHA-256 of its file, lower-case hex: part of the proof of consent (F-24).
    pub sha256: String,
    /// How long it takes.
    pub duration: Duration,
    /// Its file as it is: WAV or MP3.
    pub audio: Arc<[u8]>,
    /// For people.
    pub comment: String,
}

impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Announcement({}, {:?}, {} bytes)", self.name, self.duration, self.audio.len())
    }
}

/// Where an announcement's audio comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum AudioSource {
    /// A file; the path is relative to the file that the resource stands in.
    File(PathBuf),
    /// One that is shipped with Callseal: `de/opt-in`.
    BuiltIn(String),
    /// The resource itself: the bytes of a file.
    Data(Arc<[u8]>),
}

impl fmt::Debug for AudioSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::BuiltIn(name) => write!(f, "BuiltIn({name})"),
            Self::Data(bytes) => write!(f, "Data({} bytes)", bytes.len()),
        }
    }
}

impl AudioSource {
    /// The field that says so.
    const fn field(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::BuiltIn(_) => "builtIn",
            Self::Data(_) => "data",
        }
    }
}

/// Audio that was read and found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// The file as it is.
    pub bytes: Arc<[u8]>,
    /// SHA-256 of it, lower-case hex.
    pub sha256: String,
    /// How long it takes.
    pub duration: Duration,
}

/// Reads and checks audio on behalf of this crate, which opens no file and decodes nothing.
pub trait AudioLibrary {
    /// The audio of the announcement `key`. Error: why it cannot be played, to be read after the
    /// field's name: `is not a WAV or MP3 file`.
    fn audio(&self, key: &ResourceKey, source: &AudioSource) -> Result<Audio, String>;
}

/// The raw form of an `Announcement`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AnnouncementSpec {
    /// Path of a WAV or MP3 file, relative to the file that this stands in.
    pub file: Option<String>,
    /// Name of an announcement that is shipped with Callseal.
    pub built_in: Option<String>,
    /// A WAV or MP3 file in base64.
    pub data: Option<String>,
    /// For people.
    pub comment: Option<String>,
}

impl AnnouncementSpec {
    /// The validated announcement `key`, or everything that is wrong.
    pub fn validate(
        &self,
        key: &ResourceKey,
        library: &dyn AudioLibrary,
    ) -> Result<Announcement, Vec<FieldError>> {
        let mut findings = Findings::default();
        let announcement = self.source(&mut findings).and_then(|source| {
            let path = FieldPath::spec().key(source.field());
            let Audio { bytes, sha256, duration } = findings.take(path, library.audio(key, &source))?;
            let comment = self.comment.clone().unwrap_or_default();
            Some(Announcement { name: key.name.clone(), source, sha256, duration, audio: bytes, comment })
        });
        findings.finish(announcement)
    }

    fn source(&self, findings: &mut Findings) -> Option<AudioSource> {
        let spec = FieldPath::spec();
        match (&self.file, &self.built_in, &self.data) {
            (Some(file), None, None) => Some(AudioSource::File(PathBuf::from(file))),
            (None, Some(name), None) => Some(AudioSource::BuiltIn(name.clone())),
            (None, None, Some(data)) => {
                // Line breaks are what `base64` without `-w0` leaves in a file.
                let text: String = data.split_whitespace().collect();
                let bytes = STANDARD.decode(text).map_err(|_| "is not base64");
                findings.take(spec.key("data"), bytes).map(|bytes| AudioSource::Data(bytes.into()))
            }
            _ => {
                findings.add(spec, "must have exactly one of file, builtIn and data");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Kind;

    struct Library(Result<Audio, String>);

    impl AudioLibrary for Library {
        fn audio(&self, _: &ResourceKey, _: &AudioSource) -> Result<Audio, String> {
            self.0.clone()
        }
    }

    fn validate(spec: &AnnouncementSpec, audio: Result<Audio, String>) -> Result<Announcement, String> {
        let key = ResourceKey {
            tenant: "acme".parse().unwrap(),
            kind: Kind::Announcement,
            name: "hello".parse().unwrap(),
        };
        spec.validate(&key, &Library(audio)).map_err(|errors| errors[0].to_string())
    }

    fn audio() -> Audio {
        Audio {
            bytes: [1, 2, 3].as_slice().into(),
            sha256: "ab".repeat(32),
            duration: Duration::from_secs(4),
        }
    }

    #[test]
    fn exactly_one_of_file_built_in_and_data_says_what_is_played() {
        let file = AnnouncementSpec { file: Some("a.wav".into()), ..Default::default() };
        assert_eq!(validate(&file, Ok(audio())).unwrap().source, AudioSource::File("a.wav".into()));
        let data = AnnouncementSpec { data: Some("AQ\nI D\n".into()), ..Default::default() };
        let source = AudioSource::Data([1, 2, 3].as_slice().into());
        assert_eq!(validate(&data, Ok(audio())).unwrap().source, source);

        let both = AnnouncementSpec { built_in: Some("de/opt-in".into()), ..file };
        for wrong in [both, AnnouncementSpec::default()] {
            let error = validate(&wrong, Ok(audio())).unwrap_err();
            assert_eq!(error, "spec: must have exactly one of file, builtIn and data");
        }
    }

    #[test]
    fn the_field_that_leads_to_bad_audio_is_named() {
        let bad = || Err("holds no audio".to_owned());
        let file = AnnouncementSpec { file: Some("a.wav".into()), ..Default::default() };
        assert_eq!(validate(&file, bad()).unwrap_err(), "spec.file: holds no audio");
        let built_in = AnnouncementSpec { built_in: Some("x".into()), ..Default::default() };
        assert_eq!(validate(&built_in, bad()).unwrap_err(), "spec.builtIn: holds no audio");
        let data = AnnouncementSpec { data: Some("?".into()), ..Default::default() };
        assert_eq!(validate(&data, Ok(audio())).unwrap_err(), "spec.data: is not base64");
    }

    #[test]
    fn debug_shows_no_audio() {
        let data = AnnouncementSpec { data: Some("AQID".into()), ..Default::default() };
        let announcement = validate(&data, Ok(audio())).unwrap();
        assert_eq!(format!("{announcement:?}"), "Announcement(hello, 4s, 3 bytes)");
        assert_eq!(format!("{:?}", announcement.source), "Data(3 bytes)");
    }
}
