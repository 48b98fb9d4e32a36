//! How to reach a key vault, and as whom.

use std::path::PathBuf;

/// The environment variable that may hold the client secret where there is no file with it.
pub(super) const SECRET_VARIABLE: &str = "AZURE_CLIENT_SECRET";

/// A key vault, and the identity that asks it. The variables are those of all of Azure's programs. With a
/// client secret, that is used; else with a federated token the workload identity (Kubernetes); else the
/// managed identity of the machine.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct AzureOptions {
    /// The key vault or managed HSM: https://acme.vault.azure.net.
    #[arg(long, env = "CALLSEAL_AZURE_KEY_VAULT", value_name = "URL", help_heading = "Azure Key Vault")]
    pub azure_key_vault: Option<String>,
    /// Tenant (directory) of the identity.
    #[arg(long, env = "AZURE_TENANT_ID", value_name = "ID", help_heading = "Azure Key Vault")]
    pub azure_tenant_id: Option<String>,
    /// The identity: client id of an application, or of a user-assigned managed identity.
    #[arg(long, env = "AZURE_CLIENT_ID", value_name = "ID", help_heading = "Azure Key Vault")]
    pub azure_client_id: Option<String>,
    /// File with the client secret. Without it, the environment variable AZURE_CLIENT_SECRET may hold it.
    #[arg(
        long,
        env = "CALLSEAL_AZURE_CLIENT_SECRET_FILE",
        value_name = "FILE",
        help_heading = "Azure Key Vault"
    )]
    pub azure_client_secret_file: Option<PathBuf>,
    /// File with the token of a Kubernetes service account.
    #[arg(long, env = "AZURE_FEDERATED_TOKEN_FILE", value_name = "FILE", help_heading = "Azure Key Vault")]
    pub azure_federated_token_file: Option<PathBuf>,
    /// Where the identity signs in, if not at https://login.microsoftonline.com.
    #[arg(long, env = "AZURE_AUTHORITY_HOST", value_name = "URL", help_heading = "Azure Key Vault")]
    pub azure_authority_host: Option<String>,
    /// Make keys that the vault keeps in software: a vault of the standard tier has no HSM.
    #[arg(long, env = "CALLSEAL_AZURE_SOFTWARE_KEYS", help_heading = "Azure Key Vault")]
    pub azure_software_keys: bool,
}
