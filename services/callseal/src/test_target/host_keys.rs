//! Host keys that nobody has pinned yet: shown, and pinned on request.
//!
//! Servers of a tunnel are gone through in their order, since each is reached through the one before
//! it, which must be pinned for that: a login goes to no server that could be anybody's.

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};
use domain::{
    ResourceName,
    resources::{SshServer, SshTunnel, StorageKind},
};
use tunnel::{HostKey, Place, shown_keys};

use super::yaml_edit;

/// How it went.
pub(super) enum Learnt {
    /// Each SSH server of the target has a pinned key, maybe since now.
    AllPinned,
    /// The keys of one that has none were shown.
    Shown,
}

/// An SSH server of a target.
struct Server<'a> {
    /// Where its fields stand in the resource, as a JSON pointer (RFC 6901).
    pointer: String,
    place: Place,
    server: &'a mut SshServer,
}

/// Shows the keys of the first server that has no pin; with `pin`, of all such servers, and pins them
/// in `kind` and in the file: path, and a line of the resource's document.
pub(super) async fn learn(
    name: &ResourceName,
    kind: &mut StorageKind,
    file: Option<&(PathBuf, u64)>,
    pin: bool,
) -> anyhow::Result<Learnt> {
    let mut pinned: Vec<SshServer> = Vec::new();
    for Server { pointer, place, server } in servers(kind) {
        if server.host_keys.is_empty() {
            let keys = shown_keys(server, &place, &pinned).await?;
            show(name, &place, &keys);
            let lines: Vec<String> = keys.into_iter().map(|key| key.line).collect();
            if !pin {
                println!("then pin by --pin, or write into its part of the resource:\n  hostKeys:");
                lines.iter().for_each(|line| println!("    - \"{line}\""));
                return Ok(Learnt::Shown);
            }
            let (path, line) = file.context("it is not known in which file this target stands")?;
            write(path, *line, &pointer, &lines)?;
            println!("{name}: pinned in {}", path.display());
            server.host_keys = lines;
        }
        pinned.push(server.clone());
    }
    Ok(Learnt::AllPinned)
}

/// In the order in which they are reached.
fn servers(kind: &mut StorageKind) -> Vec<Server<'_>> {
    match kind {
        StorageKind::Sftp(sftp) => {
            let place = Place::server("SFTP", &sftp.server.host, sftp.server.port);
            let mut servers = hops("sftp", sftp.tunnel.as_mut());
            servers.push(Server { pointer: "/spec/sftp".into(), place, server: &mut sftp.server });
            servers
        }
        StorageKind::Smb(smb) => hops("smb", smb.tunnel.as_mut()),
        _ => Vec::new(),
    }
}

/// The servers of a tunnel of a target of this kind.
fn hops<'a>(kind: &str, tunnel: Option<&'a mut SshTunnel>) -> Vec<Server<'a>> {
    let hops = tunnel.into_iter().flat_map(|tunnel| tunnel.hops.iter_mut()).enumerate();
    hops.map(|(number, server)| Server {
        pointer: format!("/spec/{kind}/tunnel/hops/{number}"),
        place: Place::hop(number, server),
        server,
    })
    .collect()
}

fn show(name: &ResourceName, place: &Place, keys: &[HostKey]) {
    println!("{name}: {place} is not pinned; nothing was sent to it. It shows these host keys:");
    for key in keys {
        println!("  {} ({})", key.fingerprint, key.algorithm);
    }
    println!(
        "compare one of them with what its administrator sees there: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
    );
}

/// Puts the pins into the file: whole or not at all.
fn write(path: &PathBuf, line: u64, pointer: &str, keys: &[String]) -> anyhow::Result<()> {
    // Not a link to it, but the file itself.
    let path = fs::canonicalize(path).with_context(|| path.display().to_string())?;
    let shown = path.display();
    let permissions = fs::metadata(&path).with_context(|| shown.to_string())?.permissions();
    if permissions.readonly() {
        bail!("{shown} may not be written; pin by hand: write the keys into hostKeys");
    }
    let text = fs::read_to_string(&path).with_context(|| shown.to_string())?;
    let edited = yaml_edit::with_host_keys(&text, line, pointer, keys).with_context(|| {
        format!("the place for hostKeys in {shown} is not plain enough to be found by a program; write the keys into it by hand")
    })?;
    // A name that is no configuration, for the moment that it is there.
    let beside = path.with_extension(format!("callseal-pin-{}", std::process::id()));
    let written = fs::write(&beside, edited)
        .and_then(|()| fs::set_permissions(&beside, permissions))
        .and_then(|()| fs::rename(&beside, &path));
    written
        .inspect_err(|_| drop(fs::remove_file(&beside)))
        .with_context(|| format!("{shown} cannot be written"))
}
