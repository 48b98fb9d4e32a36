//! Layers point one way: a crate uses only crates listed above it, services never use each other.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The crates from the lowest up, as in docs/ARCHITECTURE.md. A crate may use those above it here.
const LAYERS: &[&str] = &[
    "domain", "policy", "siprec", "media", "evidence", "wire", "bus", "vault", "config", "keys", "attest",
    "sql", "tunnel", "mail", "drda", "targets", "delivery", "runtime",
];

/// Services: they use crates, never each other.
const SERVICES: &[&str] =
    &["callseal-ingest", "callseal-rules", "callseal-signer", "callseal-shipper", "callseal-journal"];

/// Crates that touch neither network nor clock nor disk: no asynchronous runtime below them.
const CORES: &[&str] = &["domain", "policy", "siprec", "media", "evidence"];

/// The members of the workspace, each with the members it depends on outside of its tests.
fn members() -> BTreeMap<String, Vec<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    let names: Vec<String> = metadata.packages.iter().map(|p| p.name.to_string()).collect();
    metadata
        .packages
        .iter()
        .map(|package| {
            let uses = package
                .dependencies
                .iter()
                .filter(|d| d.kind != DependencyKind::Development && names.contains(&d.name))
                .map(|d| d.name.clone());
            (package.name.to_string(), uses.collect())
        })
        .collect()
}

#[test]
fn every_crate_uses_only_crates_of_lower_layers() {
    for (name, uses) in members() {
        let Some(own) = LAYERS.iter().position(|l| *l == name) else { continue };
        for used in uses {
            let layer = LAYERS.iter().position(|l| *l == used);
            assert!(layer.is_some_and(|l| l < own), "{name} must not use {used}");
        }
    }
}

#[test]
fn services_use_crates_and_never_each_other() {
    for (name, uses) in members() {
        if SERVICES.contains(&name.as_str()) {
            let wrong: Vec<_> = uses.iter().filter(|used| !LAYERS.contains(&used.as_str())).collect();
            assert!(wrong.is_empty(), "{name} must not use {wrong:?}");
        }
    }
}

#[test]
fn every_member_has_its_place() {
    for name in members().keys() {
        let known = LAYERS.contains(&name.as_str())
            || SERVICES.contains(&name.as_str())
            || ["callseal", "harness", "bench", "fuzz"].contains(&name.as_str());
        assert!(known, "{name} stands in no layer: add it to LAYERS and to docs/ARCHITECTURE.md");
    }
}

#[test]
fn the_cores_know_no_asynchronous_runtime() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    for package in metadata.packages.iter().filter(|p| CORES.contains(&p.name.as_str())) {
        for dependency in package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal) {
            let forbidden = ["tokio", "async-nats", "sqlx", "russh", "axum", "nix", "socket2"];
            assert!(
                !forbidden.contains(&dependency.name.as_str()),
                "{} must not use {}",
                package.name,
                dependency.name
            );
        }
    }
}
