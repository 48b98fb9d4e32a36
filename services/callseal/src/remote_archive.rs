//! A storage target as an archive to verify: listed and read where it lies, over its own protocol.

use std::{
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use domain::resources::StorageTarget;
use evidence::verify::{Archive, ArchiveFile, FileStamp, Listed};
use targets::{Kind, Place, Reader, Surroundings, Target, TargetError};
use tokio::{
    io::AsyncReadExt as _,
    runtime::{Builder, Handle, Runtime},
};

/// Bytes fetched at once: a target has many requests of it under way.
const BLOCK: usize = 256 * 1024;

/// An [`Archive`] over a storage target. Paths start at the target's own folder.
///
/// It blocks, as verification does, and keeps a runtime of its own for that: it is not to be used, nor
/// dropped, on a thread of an async runtime.
pub struct RemoteArchive {
    target: Arc<dyn Target>,
    runtime: Runtime,
}

impl RemoteArchive {
    /// The target that a resource describes; relative folder paths lie under `base`. Nothing is
    /// contacted yet.
    ///
    /// # Errors
    /// The target keeps nothing, or the system gives no threads.
    pub fn new(target: &StorageTarget, base: &Path) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let Place::Storage(target) = targets::open(target, &Surroundings::new(base)) else {
            return Err(io::Error::other(
                "a mailbox or a script keeps no recordings: there is nothing to verify",
            ));
        };
        Ok(Self { target, runtime })
    }

    fn wait<T>(&self, work: impl Future<Output = Result<T, TargetError>>) -> io::Result<T> {
        self.runtime.block_on(work).map_err(io::Error::other)
    }
}

impl Archive for RemoteArchive {
    fn list(&self, folder: &str, visit: &mut dyn FnMut(Listed)) -> io::Result<()> {
        for listed in self.wait(self.target.list(folder))? {
            let path = if folder.is_empty() { listed.name } else { format!("{folder}/{}", listed.name) };
            visit(match listed.kind {
                Kind::Folder => Listed::Folder(path),
                Kind::File { size, modified } => {
                    let file = ArchiveFile::new(path);
                    Listed::File(match modified {
                        Some(modified) => file.with_stamp(FileStamp { size, modified }),
                        None => file,
                    })
                }
            });
        }
        Ok(())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let opened = self.wait(self.target.open(folder, name))?;
        let reader = opened.ok_or(io::ErrorKind::NotFound)?;
        let blocking = Blocking { reader, handle: self.runtime.handle() };
        Ok(Box::new(io::BufReader::with_capacity(BLOCK, blocking)))
    }
}

struct Blocking<'a> {
    reader: Reader,
    handle: &'a Handle,
}

impl Read for Blocking<'_> {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        self.handle.block_on(self.reader.read(block))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use domain::resources::{FolderTarget, SftpTarget, SshAuth, SshServer, StorageKind};
    use evidence::verify::walk;
    use harness::sshd::Sshd;

    use super::*;

    fn described(kind: StorageKind) -> StorageTarget {
        StorageTarget {
            name: "archive".parse().unwrap(),
            sub_folder: String::new(),
            transfer: domain::resources::Transfer::default(),
            deletion: domain::resources::Deletion::Never,
            kind,
        }
    }

    /// Lists and reads what [`fill`] has written.
    fn reads_everything(archive: &RemoteArchive) {
        let mut files = Vec::new();
        walk(archive, "", &mut |file| files.push(file)).unwrap();
        files.sort();
        let found: Vec<_> = files.iter().map(|file| (file.path(), file.stamp().unwrap().size)).collect();
        assert_eq!(found, [("2026/11/a +b.wav", 1_000_000), ("callseal.pem", 3)]);
        let mut bytes = Vec::new();
        archive.open("2026/11/a +b.wav").unwrap().read_to_end(&mut bytes).unwrap();
        assert!(bytes == vec![7; 1_000_000]);
        let missing = archive.open("2026/nothing").err().map(|error| error.kind());
        assert_eq!(missing, Some(io::ErrorKind::NotFound));
        archive.list("not/there", &mut |_| panic!("nothing is there")).unwrap();
    }

    fn fill(folder: &Path) {
        fs::create_dir_all(folder.join("2026/11")).unwrap();
        fs::write(folder.join("2026/11/a +b.wav"), vec![7; 1_000_000]).unwrap();
        fs::write(folder.join("callseal.pem"), "pem").unwrap();
    }

    #[test]
    fn a_folder_target_is_read_as_an_archive() {
        let dir = tempfile::tempdir().unwrap();
        fill(&dir.path().join("archive"));
        let target = described(StorageKind::Folder(FolderTarget { path: "archive".into() }));
        reads_everything(&RemoteArchive::new(&target, dir.path()).unwrap());
    }

    #[test]
    fn an_sftp_server_is_read_as_an_archive_from_several_threads() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let sshd = runtime.block_on(Sshd::start(dir.path())).unwrap();
        fill(&sshd.home().join("archive"));
        let target = described(StorageKind::Sftp(SftpTarget {
            server: SshServer {
                host: "127.0.0.1".into(),
                port: sshd.port(),
                user: sshd.user().unwrap(),
                auth: SshAuth::Key { private_key: sshd.client_key().unwrap().into(), passphrase: None },
                host_keys: vec![sshd.host_key("ed25519").unwrap()],
            },
            tunnel: None,
            path: "archive".into(),
        }));
        let archive = RemoteArchive::new(&target, dir.path()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| reads_everything(&archive));
            }
        });
    }
}
