//! Takes an announcement out of the library.

use std::path::Path;

use anyhow::{Context, bail};
use clap::Args;
use config::Loaded;
use domain::{ResourceName, resources::AudioSource};

use super::{LibraryArgs, files};

/// What to remove.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    #[command(flatten)]
    at: LibraryArgs,
    /// Also if rules use it.
    #[arg(long)]
    force: bool,
    /// Its name.
    name: ResourceName,
}

/// The resource goes first, then its audio: a crash between the two leaves a file that nothing
/// names.
pub fn run(args: &RemoveArgs) -> anyhow::Result<()> {
    let name = &args.name;
    let library = args.at.library()?;
    let Some(place) = library.place(name) else {
        bail!("there is no announcement {name} in this configuration");
    };
    let shown = place.file.display();
    let used = !library.resources().announcement_uses(name).is_empty();
    let used_by = library.used_by(name);
    if used && !args.force {
        bail!("{name} is {used_by}; --force removes it all the same");
    }
    if !place.alone {
        bail!("{name} stands in {shown}, line {}, among other resources: remove it there", place.line);
    }
    let folder = &args.at.config;
    let audio = library.resources().announcements.get(name).and_then(|announcement| {
        let AudioSource::File(file) = &announcement.source else { return None };
        (file.components().count() == 1).then(|| place.file.with_file_name(file))
    });
    files::remove(&folder.join(&place.file)).with_context(|| format!("{shown} cannot be removed"))?;
    if let Some(audio) = audio {
        remove_audio(args.at.load()?, folder, &audio)?;
    }
    println!("{name}: removed from {shown}");
    if used {
        println!(
            "warning: it was {used_by}. Running services keep its last version; after their next start \
             rules of profile consent that name it record nothing"
        );
    }
    Ok(())
}

/// Removes an audio file (relative to the configuration folder) that no announcement consists of
/// any more. One that was put elsewhere by hand stays: it may be there for something else, too.
pub fn remove_audio(now: Loaded, folder: &Path, audio: &Path) -> anyhow::Result<()> {
    let wanted = folder.join(audio).canonicalize();
    let still_used = now.resources.tenants.iter().any(|(tenant, resources)| {
        resources.announcements.values().any(|announcement| {
            let AudioSource::File(file) = &announcement.source else { return false };
            let place = now.places.iter().find(|(key, _)| {
                key.tenant == *tenant
                    && key.kind == domain::resources::Kind::Announcement
                    && key.name == announcement.name
            });
            let theirs = place.map(|(_, place)| folder.join(place.file.with_file_name(file)).canonicalize());
            matches!((&wanted, theirs), (Ok(wanted), Some(Ok(theirs))) if *wanted == theirs)
        })
    });
    if still_used {
        return Ok(());
    }
    files::remove(&folder.join(audio)).with_context(|| format!("{} cannot be removed", audio.display()))
}
