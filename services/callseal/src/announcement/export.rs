//! Writes an announcement as callers hear it.

use std::{fs::OpenOptions, io::Write, path::PathBuf};

use anyhow::Context;
use clap::Args;
use domain::ResourceName;
use media::{
    Codec,
    announcement::{Announcement, Encoded, RATE_HZ, built_in},
};

use super::{LibraryArgs, seconds};

/// What to write, and where.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    at: LibraryArgs,
    /// Its name, or that of one that is shipped with Callseal: de/opt-in.
    name: String,
    /// The WAV file to make; it must not exist yet.
    file: PathBuf,
}

/// Writes the file.
pub fn run(args: &ExportArgs) -> anyhow::Result<()> {
    let audio = audio(args)?;
    let announcement = Announcement::from_file(&audio)?;
    let encoded = announcement.encoded(Codec::Pcma);
    let shown = args.file.display();
    let mut file = OpenOptions::new().write(true).create_new(true).open(&args.file);
    let file = file.as_mut().map_err(|error| anyhow::anyhow!("{shown} cannot be made: {error}"))?;
    let written = file.write_all(&header(encoded)).and_then(|()| file.write_all(encoded.payload()));
    written.and_then(|()| file.sync_all()).with_context(|| format!("{shown} cannot be written"))?;
    println!("{}: {} written to {shown}", args.name, seconds(encoded.duration()));
    Ok(())
}

fn audio(args: &ExportArgs) -> anyhow::Result<Vec<u8>> {
    if let Some(shipped) = built_in(&args.name) {
        return Ok(shipped.to_owned());
    }
    let name: ResourceName = args.name.parse()?;
    let library = args.at.library()?;
    let announcement = library.resources().announcements.get(&name);
    let announcement = announcement.with_context(|| format!("there is no announcement {name} in force"))?;
    Ok(announcement.audio.to_vec())
}

/// The header of a WAV file with A-law in mono: format tag 6, an empty extension and the `fact`
/// chunk that formats other than PCM have.
fn header(encoded: &Encoded) -> Vec<u8> {
    let length = u32::try_from(encoded.payload().len()).unwrap_or(u32::MAX);
    let mut header = Vec::with_capacity(58);
    header.extend(b"RIFF");
    header.extend((50 + length).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(18_u32.to_le_bytes());
    for word in [6_u16, 1] {
        header.extend(word.to_le_bytes());
    }
    for rate in [RATE_HZ, RATE_HZ] {
        header.extend(rate.to_le_bytes());
    }
    for word in [1_u16, 8, 0] {
        header.extend(word.to_le_bytes());
    }
    header.extend(b"fact");
    header.extend(4_u32.to_le_bytes());
    header.extend(length.to_le_bytes());
    header.extend(b"data");
    header.extend(length.to_le_bytes());
    header
}
