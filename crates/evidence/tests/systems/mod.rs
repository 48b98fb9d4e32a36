//! Shells and tools that `verify.sh` meets: those of Linux, of BusyBox, and of the BSDs with macOS.

use std::{
    ffi::OsStr,
    fmt, fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

/// What `verify.sh` needs, apart from openssl and one of sha256sum and shasum.
const TOOLS: &[&str] = &[
    "awk", "cat", "cmp", "cp", "cut", "dd", "find", "fold", "grep", "head", "mkdir", "mktemp", "mv", "od",
    "rm", "sed", "sort", "tail", "tr",
];

/// A shell, and the only programs that it finds.
pub struct System {
    shell: Vec<String>,
    /// `None`: what this machine has.
    programs: Option<tempfile::TempDir>,
    script: tempfile::TempDir,
}

impl System {
    /// A shell with the tools of this machine.
    pub fn shell(shell: &[&str]) -> Self {
        let script = tempfile::tempdir().unwrap();
        fs::write(script.path().join("verify.sh"), evidence::VERIFY_SH).unwrap();
        Self { shell: shell.iter().map(|word| (*word).to_owned()).collect(), programs: None, script }
    }

    /// BusyBox: its shell and all its tools; openssl is the only program beside them.
    pub fn busybox() -> Self {
        let mut system = Self::shell(&["busybox", "sh"]);
        let folder = tempfile::tempdir().unwrap();
        for tool in TOOLS.iter().chain(&["busybox", "sha256sum"]) {
            symlink(program("busybox"), folder.path().join(tool)).unwrap();
        }
        symlink(program("openssl"), folder.path().join("openssl")).unwrap();
        system.programs = Some(folder);
        system
    }

    /// What macOS and the BSDs have: no sha256sum; the awk of Kernighan; sed without GNU's extensions; a
    /// find that wants a folder; od that writes wide; a base64 and a stat with options of their own,
    /// which are better not used at all.
    pub fn bsd() -> Self {
        let mut system = Self::shell(&["dash"]);
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for tool in TOOLS.iter().filter(|tool| !["awk", "find", "mktemp", "od", "sed"].contains(tool)) {
            symlink(program(tool), path(tool)).unwrap();
        }
        symlink(program("original-awk"), path("awk")).unwrap();
        for name in ["dash", "openssl", "perl", "shasum"] {
            symlink(program(name), path(name)).unwrap();
        }
        let refuse = "echo \"$0: illegal option -- $*\" >&2; exit 64";
        for (name, text) in [
            (
                "sed",
                format!("case \"$1\" in -n) ;; -*) {refuse};; esac\nexec {} --posix \"$@\"", shown("sed")),
            ),
            ("find", format!("[ -e \"$1\" ] || {{ {refuse}; }}\nexec {} \"$@\"", shown("find"))),
            (
                "mktemp",
                format!(
                    "[ \"$1\" = -d ] && [ $# -eq 2 ] || {{ {refuse}; }}\nexec {} \"$@\"",
                    shown("mktemp")
                ),
            ),
            (
                "od",
                // Offsets off, bytes in hexadecimal: spread out as BSD does, with blanks at the end.
                format!(
                    "[ \"$*\" = '-A n -t x1' ] || {{ {refuse}; }}\n{} -A n -t x1 | {} -e 's/ /           /g' -e 's/$/    /'",
                    shown("od"),
                    shown("sed")
                ),
            ),
            ("base64", refuse.to_owned()),
            ("stat", refuse.to_owned()),
        ] {
            write_program(&path(name), &text);
        }
        system.programs = Some(folder);
        system
    }

    /// As [`bsd`](Self::bsd), with an openssl as LibreSSL and OpenSSL 1.1.1 are: no `pkeyutl -rawin`.
    pub fn old_openssl() -> Self {
        let system = Self::bsd();
        let path = system.programs.as_ref().unwrap().path().join("openssl");
        fs::remove_file(&path).unwrap();
        let text = format!(
            "case \" $* \" in\n\
             *' -help '*) {0} \"$@\" 2>&1 | {1} -v -e -rawin >&2; exit 0;;\n\
             *' -rawin '*) echo 'unknown option -rawin' >&2; exit 1;;\n\
             esac\nexec {0} \"$@\"",
            shown("openssl"),
            shown("grep")
        );
        write_program(&path, &text);
        system
    }

    pub fn verify(&self, paths: &[&Path]) -> Said {
        self.run(&paths.iter().map(|path| path.as_os_str()).collect::<Vec<_>>())
    }

    pub fn run(&self, arguments: &[&OsStr]) -> Said {
        let mut command = Command::new(program(&self.shell[0]));
        command.args(&self.shell[1..]).arg(self.script.path().join("verify.sh")).args(arguments);
        if let Some(programs) = &self.programs {
            command.env("PATH", programs.path());
        }
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (out, error) = (text(output.stdout), text(output.stderr));
        // A shell or a tool that stumbles says so here.
        assert!(
            error.lines().all(|line| line.starts_with("error: ") || line.starts_with("usage: ")),
            "{error}"
        );
        Said { code: output.status.code().unwrap(), out, error }
    }
}

/// What it said.
pub struct Said {
    pub code: i32,
    out: String,
    pub error: String,
}

impl Said {
    pub fn has(&self, words: &str) -> bool {
        self.out.contains(words)
    }

    /// The first line of that kind; empty if there is none.
    pub fn line(&self, is: &dyn Fn(&str) -> bool) -> &str {
        self.out.lines().find(|line| is(line)).unwrap_or_default()
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}\n{}{}", self.code, self.out, self.error)
    }
}

/// Where a program lies; a missing one is not skipped.
fn program(name: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut found =
        std::env::split_paths(&folders).map(|folder| folder.join(name)).filter(|path| path.exists());
    found.next().unwrap_or_else(|| panic!("{name} is missing: scripts/install-tools.sh test"))
}

fn shown(name: &str) -> String {
    program(name).display().to_string()
}

fn write_program(path: &Path, text: &str) {
    fs::write(path, format!("#!{}\n{text}\n", shown("dash"))).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
