//! Programs of the operator: each recording is one run (F-85).
//!
//! A program is started directly, never by a shell, and only out of one folder that the operator allows.
//! It finds the recording's files in a folder of its own, which nobody else can read and which is removed
//! when it ends, and with it whatever it has started and left behind.

mod allowed;
mod room;
mod run;
mod tail;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use domain::resources::ScriptTarget;

use crate::{Content, Dispatch, Enclosed, ErrorKind, HandedOver, Parcel, Surroundings, TargetError, Tested};
use room::Room;
use run::{Ended, Run};

/// Runs a program for each recording.
pub struct Script {
    target: ScriptTarget,
    scripts: Option<PathBuf>,
    rooms: PathBuf,
}

impl Script {
    /// The one that the target names, of the folder that is allowed `around` it.
    pub fn new(target: ScriptTarget, around: &Surroundings) -> Self {
        Self { target, scripts: around.scripts.clone(), rooms: around.data.join("script-runs") }
    }

    async fn run(&self, audio: &Enclosed, others: &[Enclosed], journal: &str) -> Result<String, TargetError> {
        let program = allowed::program(self.scripts.as_deref(), &self.target.command)?;
        let room = Arc::new(Room::new(&self.rooms).await?);
        let wav = room.put(audio).await?;
        for file in others {
            room.put(file).await?;
        }
        let json = room.write("journal.json", journal.as_bytes()).await?;
        let limit = self.target.timeout;
        let run = Run { program, arguments: [wav, json], room: room.path().to_owned(), limit };
        let (ended, said) = run.until_it_ends().await?;
        let how = match ended {
            Ended::Code(0) => return Ok(said),
            Ended::Code(code) => format!("the script ended with exit code {code}"),
            Ended::Signal(signal) => format!("the script was ended by signal {signal}"),
            Ended::TooSlow => {
                format!("the script did not end within {} s, and was ended", limit.as_secs())
            }
        };
        let sentence = format!("{how}; callseal shipments shows what it said");
        Err(TargetError::new(ErrorKind::Refused, sentence).with_said(said))
    }
}

#[async_trait]
impl Dispatch for Script {
    async fn dispatch(&self, parcel: &Parcel) -> Result<HandedOver, TargetError> {
        let (audio, others): (Vec<Enclosed>, Vec<Enclosed>) =
            parcel.files.iter().cloned().partition(Enclosed::is_audio);
        let Some((audio, more)) = audio.split_first() else {
            return Err(TargetError::new(
                ErrorKind::Source,
                "the recording has no audio to hand to a script",
            ));
        };
        let others = [more, &others].concat();
        let said = self.run(audio, &others, &parcel.journal).await?;
        let said = Some(said).filter(|said| !said.is_empty());
        Ok(HandedOver { how: "handed to the script, which ended well".to_owned(), complaint: None, said })
    }

    async fn test(&self, run: bool) -> Result<Tested, TargetError> {
        if !run {
            allowed::program(self.scripts.as_deref(), &self.target.command)?;
            let done = "the script is there and may be run; it was not: --run does that";
            return Ok(Tested { done, said: String::new() });
        }
        let audio = Enclosed {
            name: "callseal-test.wav".to_owned(),
            ending: ".wav".to_owned(),
            content: Content::from_bytes(silence()),
        };
        let said = self.run(&audio, &[], JOURNAL_OF_TEST).await?;
        Ok(Tested { done: "the script was run with a second of silence, and ended well", said })
    }
}

const JOURNAL_OF_TEST: &str = r#"{"recording":"00000000-0000-7000-8000-000000000000","basefilename":"callseal-test","direction":"in","time":0,"callid":"test","callername":"","caller":"","callee":"","setting":"test","signature":""}"#;

/// A second of silence: PCM, 16 bit, 8 kHz, mono.
fn silence() -> Vec<u8> {
    const DATA: u32 = 16_000;
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + DATA).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    for part in [&16_u32.to_le_bytes()[..], &1_u16.to_le_bytes(), &1_u16.to_le_bytes()] {
        wav.extend_from_slice(part);
    }
    for part in
        [&8_000_u32.to_le_bytes()[..], &DATA.to_le_bytes(), &2_u16.to_le_bytes(), &16_u16.to_le_bytes()]
    {
        wav.extend_from_slice(part);
    }
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&DATA.to_le_bytes());
    wav.resize(44 + DATA as usize, 0);
    wav
}
