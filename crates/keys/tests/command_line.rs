//! What the pages for administrators say on the command line is understood.

use clap::{CommandFactory, Parser};
use keys::{KeyName, KeyOptions, KeyProvider};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    keys: KeyOptions,
}

#[test]
fn providers_are_chosen_and_reached_by_options() {
    Line::command().debug_assert();
    let line = "callseal --key-provider azure --azure-key-vault https://acme.vault.azure.net \
                --key-certificates /etc/callseal/keys --azure-tenant-id t --azure-client-id c \
                --azure-client-secret-file /run/secret --key-service-patience 10 --key acme-2026";
    let keys = Line::parse_from(line.split_whitespace()).keys;
    assert_eq!(keys.key_provider, KeyProvider::Azure);
    assert_eq!(keys.key, KeyName::label("acme-2026"));
    assert_eq!(keys.azure.azure_key_vault.as_deref(), Some("https://acme.vault.azure.net"));
    assert!(!keys.azure.azure_software_keys && !keys.cloud.key_adopt);

    let line = "callseal --key-provider aws --aws-region eu-central-1 --aws-endpoint https://kms.example \
                --key-certificates /etc/callseal/keys --key-log-key checkpoints --key-adopt";
    let keys = Line::parse_from(line.split_whitespace()).keys;
    assert_eq!((keys.key_provider, keys.key), (KeyProvider::Aws, KeyName::label("callseal")));
    assert_eq!(keys.cloud.key_log_key.as_deref(), Some("checkpoints"));
}

/// The secret of an identity is no option: options stand in the list of processes.
#[test]
fn what_is_missing_is_named_before_anything_is_asked() {
    for (line, missing) in [
        ("callseal --key-provider azure --key-certificates /x", "--azure-key-vault"),
        ("callseal --key-provider azure --azure-key-vault http://x --key-certificates /x", "https://"),
        (
            "callseal --key-provider azure --azure-key-vault https://acme.vault.azure.net",
            "--key-certificates",
        ),
        ("callseal --key-provider aws --aws-region eu-central-1", "--key-certificates"),
        ("callseal --key-provider aws --aws-region x --key-certificates /x --key id:0a", "instead of id:"),
    ] {
        let keys = Line::parse_from(line.split_whitespace()).keys;
        let error = keys::open(&keys, &keys.key).unwrap_err();
        assert!(error.to_string().contains(missing), "{line}: {error}");
    }
}
