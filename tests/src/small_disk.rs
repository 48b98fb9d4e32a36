//! A disk of a stated size, to be filled for real.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};

/// A file system in memory, mounted on a folder. Mounting takes root, or sudo without a password.
#[derive(Debug)]
pub struct SmallDisk {
    mount_point: PathBuf,
}

impl SmallDisk {
    /// Mounts a file system of `bytes` on `mount_point`, which is made.
    ///
    /// # Errors
    /// The test may not mount.
    pub fn mount(mount_point: &Path, bytes: u64) -> anyhow::Result<Self> {
        std::fs::create_dir_all(mount_point)?;
        let size = format!("size={bytes},mode=0777");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(mount_point)).context(
            "a small disk cannot be mounted: run the tests as root, or allow sudo without a password",
        )?;
        Ok(Self { mount_point: mount_point.to_owned() })
    }

    /// Gives it another size.
    ///
    /// # Errors
    /// The test may not mount.
    pub fn resize(&self, bytes: u64) -> anyhow::Result<()> {
        run(Command::new("mount").args(["-o", &format!("remount,size={bytes}")]).arg(&self.mount_point))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server may still have files open.
        let _gone_already = run(Command::new("umount").arg("-l").arg(&self.mount_point));
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let mut command = if nix::unistd::geteuid().is_root() {
        std::mem::replace(command, Command::new("true"))
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("-n").arg(command.get_program()).args(command.get_args());
        sudo
    };
    let done = command.output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}
