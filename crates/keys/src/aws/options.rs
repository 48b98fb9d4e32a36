//! How to reach AWS KMS, and as whom.

use std::path::PathBuf;

/// The KMS of a region, and the identity that asks it: as all of AWS' programs find it (variables,
/// profile, token of a pod, role of the machine). The variables are AWS' own.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct AwsOptions {
    /// Region of the keys; without it, the one of the profile or the machine.
    #[arg(long, env = "AWS_REGION", value_name = "REGION", help_heading = "AWS KMS")]
    pub aws_region: Option<String>,
    /// Another address of KMS: a private endpoint, or a KMS of one's own.
    #[arg(long, env = "AWS_ENDPOINT_URL_KMS", value_name = "URL", help_heading = "AWS KMS")]
    pub aws_endpoint: Option<String>,
    /// Profile in the files of credentials and settings.
    #[arg(long, env = "AWS_PROFILE", value_name = "NAME", help_heading = "AWS KMS")]
    pub aws_profile: Option<String>,
    /// File with credentials, in place of ~/.aws/credentials.
    #[arg(long, env = "AWS_SHARED_CREDENTIALS_FILE", value_name = "FILE", help_heading = "AWS KMS")]
    pub aws_credentials_file: Option<PathBuf>,
}
