//! Adds a file to the library, or replaces one.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;
use domain::{ResourceName, resources::AudioSource};

use super::{Library, LibraryArgs, files, format, seconds};

/// What to add.
#[derive(Debug, Args)]
pub struct AddArgs {
    #[command(flatten)]
    at: LibraryArgs,
    /// Replace the one that has this name.
    #[arg(long)]
    replace: bool,
    /// A note for people.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Its name, for rules to use.
    name: ResourceName,
    /// A WAV or MP3 file, mono or stereo, of any rate.
    file: PathBuf,
}

/// Larger files are refused by the check; so much is read to find out.
const READ_LIMIT: u64 = 32 << 20;

/// Audio goes first, then the resource that names it: a crash between the two leaves a file that
/// nothing names.
pub fn run(args: &AddArgs) -> anyhow::Result<()> {
    let AddArgs { name, file, .. } = args;
    let shown = file.display();
    let mut bytes = Vec::new();
    fs::File::open(file)
        .and_then(|file| file.take(READ_LIMIT).read_to_end(&mut bytes))
        .with_context(|| format!("{shown} cannot be read"))?;
    let duration = config::check_audio(&bytes).map_err(|reason| anyhow::anyhow!("{shown} {reason}"))?;

    let library = args.at.library()?;
    let folder = &args.at.config;
    let resource = resource_file(args, &library)?;
    let format = format(&bytes);
    let audio_name = format!("{name}.{}", format.to_ascii_lowercase());
    let audio = resource.with_file_name(&audio_name);
    let before = audio_before(&library, name);
    if before.as_ref() != Some(&audio) && fs::read(folder.join(&audio)).is_ok_and(|there| there != bytes) {
        bail!("{} exists and holds something else; move it away first", audio.display());
    }

    let text = resource_text(args, &library, &audio_name);
    files::replace(&folder.join(&audio), &bytes)
        .with_context(|| format!("{} cannot be written", audio.display()))?;
    files::replace(&folder.join(&resource), text.as_bytes())
        .with_context(|| format!("{} cannot be written", resource.display()))?;
    if let Some(before) = before.filter(|before| *before != audio) {
        super::remove::remove_audio(args.at.load()?, folder, &before)?;
    }
    check_in_force(args, &bytes)?;
    println!("{name}: {}, {format}, {}, in {}", seconds(duration), library.used_by(name), resource.display());
    Ok(())
}

/// The file for the resource, relative to the configuration folder; refused where something else
/// would be lost.
fn resource_file(args: &AddArgs, library: &Library) -> anyhow::Result<PathBuf> {
    let name = &args.name;
    if let Some(place) = library.place(name) {
        let shown = place.file.display();
        if !args.replace {
            let used_by = library.used_by(name);
            bail!("there is an announcement {name} in {shown}, {used_by}; --replace replaces it");
        }
        if !place.alone {
            bail!("{name} stands in {shown}, line {}, among other resources: change it there", place.line);
        }
        return Ok(place.file.clone());
    }
    // A tenant's own folder, where it has one; else the namespace says whose it is.
    let own = Path::new(library.tenant.as_str());
    let base = if args.at.config.join(own).is_dir() { own } else { Path::new("") };
    let resource = base.join("announcements").join(format!("{name}.yaml"));
    if args.at.config.join(&resource).exists() {
        bail!("{} exists and holds something else; move it away first", resource.display());
    }
    Ok(resource)
}

/// The audio file that the announcement consists of now, relative to the configuration folder.
fn audio_before(library: &Library, name: &ResourceName) -> Option<PathBuf> {
    let announcement = library.resources().announcements.get(name)?;
    let AudioSource::File(file) = &announcement.source else { return None };
    Some(library.place(name)?.file.with_file_name(file))
}

fn resource_text(args: &AddArgs, library: &Library, audio: &str) -> String {
    let (name, tenant) = (&args.name, &library.tenant);
    let mut text = format!(
        "apiVersion: {}\nkind: Announcement\nmetadata:\n  name: {name}\n  namespace: {tenant}\nspec:\n  file: {audio}\n",
        domain::resources::API_VERSION
    );
    if let Some(comment) = &args.comment {
        // A JSON string is one of YAML, too, whatever stands in it.
        text += &format!("  comment: {}\n", serde_json::Value::from(comment.as_str()));
    }
    text
}

/// What was written has to be what a service reads.
fn check_in_force(args: &AddArgs, bytes: &[u8]) -> anyhow::Result<()> {
    let library = args.at.library()?;
    let announcement = library.resources().announcements.get(&args.name);
    if announcement.is_some_and(|announcement| *announcement.audio == *bytes) {
        return Ok(());
    }
    for problem in library.loaded.problems.iter() {
        eprintln!("{problem}");
    }
    bail!("{} was written, but is not in force", args.name)
}
