//! One run of a program, with everything that it starts.

use std::{
    io,
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use super::{allowed::of_system, tail::Tail};
use crate::TargetError;

/// Between the wish that it ends and its end.
const GRACE: Duration = Duration::from_secs(5);
/// For what was said and not yet heard, once nobody is there any more. A child that left the process group
/// may hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A file that is being written cannot be executed (ETXTBSY): who has just copied a script here is done in
/// a moment.
const BUSY_FOR: Duration = Duration::from_millis(200);

/// What is to be run.
pub(super) struct Run {
    pub(super) program: PathBuf,
    pub(super) arguments: [PathBuf; 2],
    /// Where it is run, and where it may write.
    pub(super) room: PathBuf,
    pub(super) limit: Duration,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Code(i32),
    Signal(i32),
    /// It was ended, at its time limit.
    TooSlow,
}

/// A program and whatever it has started: a process group. Dropped, it is killed.
struct Group {
    id: Pid,
}

impl Group {
    fn signal(&self, signal: Signal) {
        // ESRCH: nobody is left.
        let _gone = killpg(self.id, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

impl Run {
    /// Runs it; how it ended, and the last it said. Broken off, nothing of it is left running.
    pub(super) async fn until_it_ends(self) -> Result<(Ended, String), TargetError> {
        let mut child =
            self.start().await.map_err(|error| of_system("the script cannot be started", error))?;
        let tail = Tail::default();
        let out = child.stdout.take().map(|out| tokio::spawn(tail.clone().listen(out)));
        let err = child.stderr.take().map(|err| tokio::spawn(tail.clone().listen(err)));
        let mut listening = Listening([out, err]);
        let group =
            child.id().and_then(|id| i32::try_from(id).ok()).map(|id| Group { id: Pid::from_raw(id) });
        let ended = match timeout(self.limit, child.wait()).await {
            Ok(status) => of(status.map_err(|error| of_system("the script's end was missed", error))?),
            Err(_) => {
                if let Some(group) = &group {
                    group.signal(Signal::SIGTERM);
                }
                let _patience = timeout(GRACE, child.wait()).await;
                Ended::TooSlow
            }
        };
        // What it left behind would work on files that are removed now.
        drop(group);
        listening.hear_out().await;
        Ok((ended, tail.text()))
    }

    async fn start(&self) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.room).env_clear();
        for name in ["PATH", "LANG", "LC_ALL", "TZ"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", &self.room).env("TMPDIR", &self.room);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                tokio::time::sleep(BUSY_FOR).await;
                command.spawn()
            }
            started => started,
        }
    }
}

/// The two ways out of a program. Dropped, nobody listens any more.
struct Listening([Option<JoinHandle<()>>; 2]);

impl Listening {
    async fn hear_out(&mut self) {
        let heard = async {
            for task in self.0.iter_mut().flatten() {
                let _panicked = task.await;
            }
        };
        let _still_open = timeout(LAST_WORDS, heard).await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.iter().flatten().for_each(JoinHandle::abort);
    }
}

fn of(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    }
}
