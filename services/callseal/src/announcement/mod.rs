//! `callseal announcement`: the library of what callers hear (F-25).
//!
//! The library is the configuration folder: whatever is done here could be done there by hand, and
//! running services follow. Exit code 0: done, 1: refused (said why), 2: usage.

mod add;
mod export;
mod files;
mod list;
mod remove;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use config::{Loaded, Place};
use domain::{
    ResourceName, TenantId,
    resources::{AnnouncementUse, Kind, ResourceKey, TenantResources},
};

/// What can be done with announcements.
#[derive(Debug, Subcommand)]
pub enum AnnouncementCommand {
    /// Says which there are, how long they take, and which rules use them.
    List(LibraryArgs),
    /// Checks a WAV or MP3 file and adds it to the library.
    Add(add::AddArgs),
    /// Takes one out of the library.
    Remove(remove::RemoveArgs),
    /// Says which are shipped with Callseal.
    BuiltIn,
    /// Writes one as callers hear it, as a WAV file of 8 kHz.
    Export(export::ExportArgs),
}

/// Carries out a command.
///
/// # Errors
/// What stopped it, in words for the person at the terminal. Exit code 1.
pub fn run(command: AnnouncementCommand) -> anyhow::Result<ExitCode> {
    match command {
        AnnouncementCommand::List(args) => list::run(&args),
        AnnouncementCommand::Add(args) => add::run(&args),
        AnnouncementCommand::Remove(args) => remove::run(&args),
        AnnouncementCommand::BuiltIn => list::built_in(),
        AnnouncementCommand::Export(args) => export::run(&args),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Which library.
#[derive(Debug, Args)]
pub struct LibraryArgs {
    /// Folder with the configuration.
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    config: PathBuf,
    /// The tenant, where there are several.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
}

/// A configuration, with the announcements of one tenant in view.
struct Library {
    loaded: Loaded,
    tenant: TenantId,
}

impl LibraryArgs {
    fn load(&self) -> anyhow::Result<Loaded> {
        config::load(&self.config).context("the configuration cannot be read")
    }

    /// The library of the tenant that was named, or of the only one.
    fn library(&self) -> anyhow::Result<Library> {
        let loaded = self.load()?;
        let tenants: Vec<&TenantId> = loaded.resources.tenants.keys().collect();
        let tenant = match (&self.tenant, tenants.as_slice()) {
            (Some(tenant), _) if loaded.resources.tenants.contains_key(tenant) => tenant.clone(),
            (Some(tenant), _) => bail!("there is no Tenant {tenant} in this configuration"),
            (None, [only]) => (*only).clone(),
            (None, []) => bail!("there is no Tenant in this configuration"),
            (None, _) => bail!("there are several tenants: say which by --tenant"),
        };
        Ok(Library { loaded, tenant })
    }
}

impl Library {
    fn resources(&self) -> &TenantResources {
        &self.loaded.resources.tenants[&self.tenant]
    }

    /// Where the announcement stands, in force or not.
    fn place(&self, name: &ResourceName) -> Option<&Place> {
        let key = ResourceKey { tenant: self.tenant.clone(), kind: Kind::Announcement, name: name.clone() };
        self.loaded.places.get(&key)
    }

    /// Who uses it, in words.
    fn used_by(&self, name: &ResourceName) -> String {
        used_by(&self.resources().announcement_uses(name))
    }
}

fn used_by(uses: &[AnnouncementUse]) -> String {
    if uses.is_empty() {
        return "not used".to_owned();
    }
    let uses: Vec<String> = uses.iter().map(ToString::to_string).collect();
    format!("used by {}", uses.join(", "))
}

/// `4.2 s`
fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// The file's format, once it was found to be one of the two that can be read.
fn format(bytes: &[u8]) -> &'static str {
    match bytes.first_chunk::<4>() {
        Some(b"RIFF" | b"RF64") => "WAV",
        _ => "MP3",
    }
}
