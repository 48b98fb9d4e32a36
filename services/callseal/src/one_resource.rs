//! Commands about one resource of a configuration: finding it, and saying how it went.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use domain::{
    ResourceName, TenantId,
    resources::{Kind, ResourceKey, Resources, TenantResources},
};

/// Exit code for a wrong call.
const USAGE: u8 = 2;

/// Which resource.
#[derive(Debug, clap::Args)]
pub struct OneResourceArgs {
    /// Folder with the configuration.
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    pub config: PathBuf,
    /// Folder that relative paths of targets and SQLite journals start from.
    #[arg(long, env = "CALLSEAL_DATA", default_value = ".", value_name = "DIR")]
    pub data: PathBuf,
    /// File with the key that opens sealed values of Secrets; vault.key in --data without it.
    #[arg(long, env = "CALLSEAL_VAULT_KEY", value_name = "FILE")]
    pub vault_key: Option<PathBuf>,
    /// The tenant, where several have one of this name.
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<TenantId>,
    /// Its name.
    pub name: ResourceName,
}

impl OneResourceArgs {
    /// The resource; what is wrong with the configuration is said. The error is the exit code when
    /// there is none, or several: that was said, too.
    pub fn find<T: Clone>(
        &self,
        kind: &str,
        of: fn(&TenantResources) -> &BTreeMap<ResourceName, T>,
    ) -> Result<T, ExitCode> {
        self.look_up(kind, of).map(|(_, resource, _)| resource)
    }

    /// The same, and where it stands.
    pub fn find_with_place<T: Clone>(
        &self,
        kind: Kind,
        of: fn(&TenantResources) -> &BTreeMap<ResourceName, T>,
    ) -> Result<(T, Option<config::Place>), ExitCode> {
        let (tenant, resource, loaded) = self.look_up(&kind.to_string(), of)?;
        let key = ResourceKey { tenant, kind, name: self.name.clone() };
        Ok((resource, loaded.places.get(&key).cloned()))
    }

    fn look_up<T: Clone>(
        &self,
        kind: &str,
        of: fn(&TenantResources) -> &BTreeMap<ResourceName, T>,
    ) -> Result<(TenantId, T, config::Loaded), ExitCode> {
        let key = self.vault_key.clone().unwrap_or_else(|| self.data.join("vault.key"));
        let loaded = config::load_with_key(&self.config, &key)
            .context("the configuration cannot be read")
            .map_err(usage)?;
        for problem in loaded.problems.iter() {
            eprintln!("{problem}");
        }
        let (tenant, resource) = self.only(&loaded.resources, kind, of).map_err(usage)?;
        let (tenant, resource) = (tenant.clone(), resource.clone());
        Ok((tenant, resource, loaded))
    }

    fn only<'a, T>(
        &self,
        resources: &'a Resources,
        kind: &str,
        of: fn(&TenantResources) -> &BTreeMap<ResourceName, T>,
    ) -> anyhow::Result<(&'a TenantId, &'a T)> {
        let name = &self.name;
        let mut found = resources
            .tenants
            .iter()
            .filter(|(id, _)| self.tenant.as_ref().is_none_or(|tenant| tenant == *id))
            .filter_map(|(id, resources)| Some((id, of(resources).get(name)?)));
        let resource =
            found.next().with_context(|| format!("there is no {kind} {name} in this configuration"))?;
        if found.next().is_some() {
            bail!("several tenants have a {kind} {name}: say which by --tenant");
        }
        Ok(resource)
    }

    /// Says how it went. Exit code 0: `good` is true of it, 1: it failed, and why.
    pub fn say<E: std::error::Error>(&self, outcome: Result<(), E>, good: &str) -> ExitCode {
        let Err(error) = outcome else {
            println!("{}: {good}", self.name);
            return ExitCode::SUCCESS;
        };
        println!("{}: {error}", self.name);
        if let Some(cause) = error.source() {
            println!("  cause: {cause}");
        }
        ExitCode::FAILURE
    }
}

fn usage(error: anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(USAGE)
}
