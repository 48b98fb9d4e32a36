//! Ports that no other test process gets, also while nobody listens on them.
//!
//! A port that the system picks is anybody's again as soon as its server stops: a server that is to be
//! stopped and started again may find it taken. So ports come from below the system's own range
//! (`ip_local_port_range`), and each is claimed by a lock on a file that lasts as long as this process.

use std::{
    fs::{self, File, Permissions},
    net::{Ipv4Addr, TcpListener, UdpSocket},
    ops::RangeInclusive,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, bail};

/// For servers. SIPp takes its own from 5060 and 6000 on.
const SERVERS: RangeInclusive<u16> = 7_000..=9_899;
/// For RTP, in blocks.
const RTP: RangeInclusive<u16> = 10_000..=31_999;
/// A block is claimed by this many ports.
const UNIT: u16 = 100;

/// The locks that this process holds; the system lets go of them when it ends, however it does.
static CLAIMED: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port of loopback, for TCP and UDP both, that is this process's until its end.
///
/// # Errors
/// All are taken.
pub fn claim() -> anyhow::Result<u16> {
    let (first, count) = (SERVERS.start(), SERVERS.len());
    // Processes that start together begin their search at different places.
    let begin = process::id() as usize * 31 % count;
    for at in (begin..count).chain(0..begin) {
        let port = first + u16::try_from(at)?;
        if let Some(lock) = lock(&format!("port-{port}"))?
            && is_free(port)
        {
            keep([lock]);
            return Ok(port);
        }
    }
    bail!("no port of {SERVERS:?} is free")
}

/// `count` ports for RTP, a multiple of 100, that are this process's until its end.
///
/// # Errors
/// No block of this size is free.
pub fn claim_rtp(count: u16) -> anyhow::Result<RangeInclusive<u16>> {
    let blocks = RTP.len() / usize::from(count);
    let begin = process::id() as usize * 7 % blocks;
    'blocks: for block in (begin..blocks).chain(0..begin) {
        let first = RTP.start() + u16::try_from(block)? * count;
        let mut locks = Vec::new();
        for unit in (first..first + count).step_by(UNIT.into()) {
            match lock(&format!("rtp-{unit}"))? {
                Some(lock) => locks.push(lock),
                None => continue 'blocks,
            }
        }
        keep(locks);
        return Ok(first..=first + count - 1);
    }
    bail!("no {count} ports of {RTP:?} are free")
}

fn keep(locks: impl IntoIterator<Item = File>) {
    CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).extend(locks);
}

/// The lock of a name; `None` if somebody has it.
fn lock(name: &str) -> anyhow::Result<Option<File>> {
    let folder = std::env::temp_dir().join("callseal-test-ports");
    make_for_everybody(&folder).with_context(|| format!("{} cannot be used", folder.display()))?;
    // A file of another user cannot be opened: its port is taken as that user's.
    let Ok(file) = File::options().create(true).append(true).open(folder.join(name)) else { return Ok(None) };
    Ok(file.try_lock().is_ok().then_some(file))
}

/// Tests of several users share the folder.
fn make_for_everybody(folder: &Path) -> std::io::Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => fs::set_permissions(folder, Permissions::from_mode(0o1777)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether no server of this machine, a test's or not, is on it.
fn is_free(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_claimed_is_claimed_once() -> anyhow::Result<()> {
        let ports: BTreeSet<u16> = (0..20).map(|_| claim()).collect::<anyhow::Result<_>>()?;
        assert_eq!(ports.len(), 20);
        let taken = TcpListener::bind("127.0.0.1:0")?;
        assert!(!is_free(taken.local_addr()?.port()));
        let (one, other) = (claim_rtp(200)?, claim_rtp(200)?);
        assert!(
            one.len() == 200 && (one.end() < other.start() || other.end() < one.start()),
            "{one:?} {other:?}"
        );
        Ok(())
    }
}
