//! Keys in Azure Key Vault and in Azure Managed HSM, which speak the same.

mod connect;
mod fault;
mod options;
mod public_key;
mod vault;

pub(crate) use self::connect::connect;
pub use self::options::AzureOptions;
