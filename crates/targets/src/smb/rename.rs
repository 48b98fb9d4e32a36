//! A new name for a file, made durable, in one round trip.

use smb2::{
    CompoundOp, Error, FileAttributes, Frame, Tree,
    client::connection::Connection,
    msg::{
        create::{CreateDisposition, CreateRequest, CreateResponse, ImpersonationLevel, ShareAccess},
        flush::FlushRequest,
        set_info::{InfoType, SetInfoRequest},
    },
    pack::{ReadCursor, Unpack as _},
    types::{Command, CreditCharge, FileId, OplockLevel, flags::FileAccessMask, status::NtStatus},
};

/// `FileRenameInformation` (MS-FSCC 2.4.43).
const RENAME: u8 = 10;
/// `FILE_NON_DIRECTORY_FILE` (MS-SMB2 2.2.13).
const NO_FOLDER: u32 = 0x40;

/// What a file that has the new name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// The rename fails with `STATUS_OBJECT_NAME_COLLISION`.
    Refuse,
    /// Its place is taken, in one step.
    Replace,
}

/// Gives the file `from` the name `to` and has the server flush it (MS-SMB2 2.2.17), which brings the
/// new name to the disk as well: the change of name is part of what the file system knows of the file.
/// Open, rename and flush travel together; nobody waits for the close.
pub(super) async fn rename(
    smb: &Connection,
    tree: &Tree,
    from: &str,
    to: &str,
    taken: Taken,
) -> smb2::Result<()> {
    let open = CreateRequest {
        requested_oplock_level: OplockLevel::None,
        impersonation_level: ImpersonationLevel::Impersonation,
        desired_access: FileAccessMask::new(
            FileAccessMask::DELETE | FileAccessMask::FILE_WRITE_DATA | FileAccessMask::FILE_READ_ATTRIBUTES,
        ),
        file_attributes: FileAttributes::NORMAL,
        share_access: ShareAccess(
            ShareAccess::FILE_SHARE_READ | ShareAccess::FILE_SHARE_WRITE | ShareAccess::FILE_SHARE_DELETE,
        ),
        create_disposition: CreateDisposition::FileOpen,
        create_options: NO_FOLDER,
        name: on_the_wire(tree, from),
        create_contexts: vec![],
    };
    let rename = SetInfoRequest {
        info_type: InfoType::File,
        file_info_class: RENAME,
        additional_information: 0,
        file_id: FileId::SENTINEL,
        buffer: new_name(&smb2::encode_path(to), taken),
    };
    let flush = FlushRequest { file_id: FileId::SENTINEL };
    let step = |command, body| CompoundOp {
        command,
        body,
        tree_id: Some(tree.tree_id),
        credit_charge: CreditCharge(1),
    };
    let steps =
        [step(Command::Create, &open as _), step(Command::SetInfo, &rename), step(Command::Flush, &flush)];
    let answers = smb.execute_compound(&steps).await?;
    let mut answers = answers.into_iter();
    let mut next = |command| succeeded(answers.next(), command);
    let opened = CreateResponse::unpack(&mut ReadCursor::new(&next(Command::Create)?.body))?;
    let renamed = next(Command::SetInfo).and_then(|_| next(Command::Flush));
    let (mut smb, tree) = (smb.clone(), tree.clone());
    tokio::spawn(async move {
        // What is left open ends with the session.
        let _ = tree.close_handle(&mut smb, opened.file_id).await;
    });
    renamed.map(|_| ())
}

fn succeeded(answer: Option<smb2::Result<Frame>>, command: Command) -> smb2::Result<Frame> {
    let answer = answer.ok_or_else(|| Error::invalid_data("the server answers only half a request"))??;
    match (answer.header.status, command) {
        (NtStatus::SUCCESS, _) => Ok(answer),
        // A server that knows no flush has no better way either.
        (NtStatus::NOT_SUPPORTED | NtStatus::NOT_IMPLEMENTED, Command::Flush) => Ok(answer),
        (status, _) => Err(Error::Protocol { status, command }),
    }
}

/// A path as a request to open it has it: in a share that is the root of a DFS tree with server and
/// share before it (MS-SMB2 3.2.4.3).
fn on_the_wire(tree: &Tree, path: &str) -> String {
    let path = smb2::encode_path(path);
    if tree.is_dfs { format!(r"{}\{}\{path}", tree.server, tree.share_name) } else { path }
}

/// The body of a rename (MS-FSCC 2.4.43.2).
fn new_name(path: &str, taken: Taken) -> Vec<u8> {
    let name: Vec<u8> = path.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut body = vec![u8::from(taken == Taken::Replace)];
    body.extend([0; 7 + 8]);
    body.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
    body.extend(name);
    body
}
