//! What can go wrong with an SMB server, in words. Statuses are those of MS-ERREF 2.3.

use std::{error::Error as StdError, fmt};

use smb2::{Error, types::status::NtStatus};

use super::wire::Speaks;
use crate::{ErrorKind, TargetError};

const QUOTA_EXCEEDED: NtStatus = NtStatus(0xC000_0044);
const NAME_TOO_LONG: NtStatus = NtStatus(0xC000_0106);
const MEDIA_WRITE_PROTECTED: NtStatus = NtStatus(0xC000_00A2);
const NO_LOGON_SERVERS: NtStatus = NtStatus(0xC000_005E);
const WRONG_PASSWORD: NtStatus = NtStatus(0xC000_006A);
const NO_SUCH_USER: NtStatus = NtStatus(0xC000_0064);
const NTLM_BLOCKED: NtStatus = NtStatus(0xC000_0418);
const LOGON_TYPE_NOT_GRANTED: NtStatus = NtStatus(0xC000_015B);
const DISK_QUOTA_EXCEEDED: NtStatus = NtStatus(0xC000_0802);

/// A server by its name, for texts.
#[derive(Debug, Clone)]
pub(super) struct Server(String);

impl Server {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self(format!("{host}:{port}"))
    }

    pub(super) fn unreachable(&self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> TargetError {
        let sentence = format!(
            "the SMB server {} cannot be reached; check that it runs, and host, port and firewall",
            self.0
        );
        TargetError::new(ErrorKind::Unreachable, sentence).caused_by(cause)
    }

    /// The two sides did not agree on a protocol.
    pub(super) fn no_agreement(&self, error: &Error, speaks: Speaks) -> TargetError {
        let server = &self.0;
        let (kind, sentence) = match (speaks, error) {
            (Speaks::Smb1, _) => (
                ErrorKind::Denied,
                format!(
                    "the SMB server {server} speaks SMB 1 only, which is neither safe nor supported; switch SMB 2 or 3 on there"
                ),
            ),
            (Speaks::SomethingElse, _) => {
                (ErrorKind::Denied, format!("what answers at {server} is no SMB server; check host and port"))
            }
            (_, Error::Protocol { status: NtStatus::NOT_SUPPORTED, .. }) => (
                ErrorKind::Denied,
                format!(
                    "the SMB server {server} speaks no version from SMB 2.0.2 to 3.1.1; allow one of them there"
                ),
            ),
            (_, Error::Protocol { status, .. }) => {
                (ErrorKind::Denied, format!("the SMB server {server} refuses to talk: it says \"{status}\""))
            }
            // A server that wants nothing to do with SMB 2 hangs up.
            (Speaks::Nothing, Error::Disconnected) => (
                ErrorKind::Unreachable,
                format!(
                    "the SMB server {server} hangs up at the first word: it allows SMB 1 only, refuses this address, or is just starting"
                ),
            ),
            _ => return self.unreachable(Cause::of(error)),
        };
        TargetError::new(kind, sentence).caused_by(Cause::of(error))
    }

    /// A file cannot take the place of another, although both may be opened.
    pub(super) fn in_use(&self, error: &Error) -> TargetError {
        let sentence = format!(
            "the SMB server {} does not let a file take the place of another: a program has that one open, or this user may not \
             delete in the folder",
            self.0
        );
        TargetError::new(ErrorKind::Io, sentence).caused_by(Cause::of(error))
    }

    pub(super) fn cannot_encrypt(&self) -> TargetError {
        let sentence = format!(
            "the SMB server {} does not encrypt, but the target says encryption: required; nothing was stored. Switch encryption on there \
             (SMB 3, Samba: \"server smb encrypt\")",
            self.0
        );
        TargetError::new(ErrorKind::Denied, sentence)
    }

    pub(super) fn does_not_sign(&self) -> TargetError {
        let sentence = format!(
            "the SMB server {} lets this user in without signing, as a guest, but the target says signing: required; nothing was stored. \
             Use an account with a password",
            self.0
        );
        TargetError::new(ErrorKind::Denied, sentence)
    }

    pub(super) fn login_refused(&self, error: &Error) -> TargetError {
        let why = match error {
            Error::Protocol { status, .. } => match *status {
                NtStatus::LOGON_FAILURE | WRONG_PASSWORD | NO_SUCH_USER => {
                    "user name or password is wrong; check them, and domain"
                }
                NtStatus::ACCOUNT_LOCKED_OUT => {
                    "the account is locked, as after too many wrong passwords; unlock it there"
                }
                NtStatus::ACCOUNT_DISABLED => "the account is switched off; switch it on there",
                NtStatus::ACCOUNT_EXPIRED => "the account has expired; prolong it there",
                NtStatus::PASSWORD_EXPIRED => {
                    "the password has expired; set a new one there and in the Secret"
                }
                NtStatus::PASSWORD_MUST_CHANGE => {
                    "the password must be changed at the next login; set a new one there and in the Secret"
                }
                NtStatus::INVALID_LOGON_HOURS => "the account may not log in at this time of the day",
                NtStatus::INVALID_WORKSTATION => "the account may not log in from this machine",
                NtStatus::ACCOUNT_RESTRICTION => {
                    "a rule for this account forbids it, such as that an empty password is only for the console"
                }
                LOGON_TYPE_NOT_GRANTED => "the account has no right to log in over the network",
                NtStatus::NOT_SUPPORTED | NTLM_BLOCKED => {
                    "it does not allow NTLM; allow NTLMv2 for this account, Kerberos is not supported"
                }
                NtStatus::ACCESS_DENIED => {
                    "it demands something of the session, such as encryption or signing, that was not agreed on"
                }
                NO_LOGON_SERVERS => {
                    let sentence = format!(
                        "the SMB server {} cannot reach its domain controller to check the login",
                        self.0
                    );
                    return TargetError::new(ErrorKind::Unreachable, sentence).caused_by(Cause::of(error));
                }
                NtStatus::REQUEST_NOT_ACCEPTED
                | NtStatus::INSUFFICIENT_RESOURCES
                | NtStatus::INSUFF_SERVER_RESOURCES => return self.fault("logging in", error),
                status => {
                    let sentence =
                        format!("the SMB server {} refuses the login: it says \"{status}\"", self.0);
                    return TargetError::new(ErrorKind::LoginRefused, sentence);
                }
            },
            Error::GuestSessionRefused { .. } => {
                "it would only let us in as a guest, which it does where user name or password is wrong"
            }
            Error::Auth { .. } => {
                "it does not allow NTLM; allow NTLMv2 for this account, Kerberos is not supported"
            }
            _ => return self.fault("logging in", error),
        };
        let sentence = format!("the SMB server {} refuses the login: {why}", self.0);
        TargetError::new(ErrorKind::LoginRefused, sentence).caused_by(Cause::of(error))
    }

    pub(super) fn no_share(&self, error: &Error) -> TargetError {
        let (kind, why) = match error.status() {
            Some(NtStatus::BAD_NETWORK_NAME | NtStatus::NOT_FOUND) => (
                ErrorKind::Incomplete,
                "has no share of this name; check share. A DFS name is not followed: give the server and the share that lie behind it",
            ),
            Some(NtStatus::ACCESS_DENIED) => {
                (ErrorKind::Denied, "does not let this user into the share; check the rights of the share")
            }
            _ => return self.fault("opening the share", error),
        };
        TargetError::new(kind, format!("the SMB server {} {why}", self.0)).caused_by(Cause::of(error))
    }

    /// A fault while `doing` something in the share.
    pub(super) fn fault(&self, doing: &str, error: &Error) -> TargetError {
        let (kind, sentence) = match error {
            Error::Protocol { status, .. } => self.refusal(doing, *status),
            Error::DfsReferralRequired { .. } => self.dfs(doing),
            Error::SignatureInvalid { .. } => (
                ErrorKind::Denied,
                format!(
                    "an answer of the SMB server {} while {doing} is not signed as it must be; the server is broken, or somebody stands between",
                    self.0
                ),
            ),
            Error::InvalidData { .. } => (
                ErrorKind::Io,
                format!("{doing} on the SMB server {} failed: what it answers makes no sense", self.0),
            ),
            _ => (
                ErrorKind::Unreachable,
                format!("the connection to the SMB server {} broke while {doing}", self.0),
            ),
        };
        TargetError::new(kind, sentence).caused_by(Cause::of(error))
    }

    fn refusal(&self, doing: &str, status: NtStatus) -> (ErrorKind, String) {
        let server = &self.0;
        match status {
            NtStatus::ACCESS_DENIED | NtStatus::CANNOT_DELETE => (
                ErrorKind::Denied,
                format!(
                    "the SMB server {server} denies {doing}; check the rights of the user in the share and in the folder"
                ),
            ),
            MEDIA_WRITE_PROTECTED => {
                (ErrorKind::Denied, format!("the SMB server {server} denies {doing}: the share is read-only"))
            }
            NtStatus::DISK_FULL | QUOTA_EXCEEDED | DISK_QUOTA_EXCEEDED => (
                ErrorKind::Full,
                format!(
                    "the disk of the SMB server {server} is full, or the user's quota is used up; make space"
                ),
            ),
            NtStatus::SHARING_VIOLATION | NtStatus::FILE_LOCK_CONFLICT | NtStatus::DELETE_PENDING => (
                ErrorKind::Io,
                format!(
                    "{doing} on the SMB server {server} failed: another program has the file open there, such as a virus scanner or a backup"
                ),
            ),
            NtStatus::OBJECT_NAME_INVALID | NAME_TOO_LONG => (
                ErrorKind::Name,
                format!("the SMB server {server} cannot have a file of this name, or its path is too long"),
            ),
            NtStatus::OBJECT_NAME_NOT_FOUND | NtStatus::OBJECT_PATH_NOT_FOUND | NtStatus::NO_SUCH_FILE => (
                ErrorKind::Io,
                format!(
                    "{doing} on the SMB server {server} failed: it is gone, somebody else works in the folder"
                ),
            ),
            NtStatus::NOT_A_DIRECTORY => (
                ErrorKind::Denied,
                format!(
                    "{doing} on the SMB server {server} failed: a file has the name of a folder; move it away"
                ),
            ),
            NtStatus::PATH_NOT_COVERED => self.dfs(doing),
            NtStatus::REQUEST_NOT_ACCEPTED
            | NtStatus::INSUFFICIENT_RESOURCES
            | NtStatus::INSUFF_SERVER_RESOURCES => (
                ErrorKind::Busy,
                format!("the SMB server {server} takes no more connections or requests at the moment"),
            ),
            NtStatus::NETWORK_NAME_DELETED
            | NtStatus::USER_SESSION_DELETED
            | NtStatus::NETWORK_SESSION_EXPIRED
            | NtStatus::FILE_CLOSED => {
                (ErrorKind::Unreachable, format!("the SMB server {server} ended the session while {doing}"))
            }
            status => {
                (ErrorKind::Io, format!("{doing} on the SMB server {server} failed: it says \"{status}\""))
            }
        }
    }

    fn dfs(&self, doing: &str) -> (ErrorKind, String) {
        let sentence = format!(
            "the SMB server {} sends us to another server by DFS while {doing}, which is not supported; give the server and the share \
             that the files really lie on",
            self.0
        );
        (ErrorKind::Incomplete, sentence)
    }
}

/// What an error of `smb2` says without the path that it may hold.
#[derive(Debug)]
struct Cause(String);

impl Cause {
    fn of(error: &Error) -> Self {
        Self(match error {
            Error::Protocol { .. }
            | Error::Auth { .. }
            | Error::InvalidData { .. }
            | Error::SignatureInvalid { .. }
            | Error::Timeout
            | Error::Disconnected
            | Error::Io(_)
            | Error::CreditStarvation { .. }
            | Error::SendTimeout { .. }
            | Error::SendFailed { .. }
            | Error::ServerUnresponsive { .. } => error.to_string(),
            _ => format!("{:?}", error.kind()),
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Cause {}
