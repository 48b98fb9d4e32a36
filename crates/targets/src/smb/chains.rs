//! Chains of requests that travel together (MS-SMB2 3.2.4.1.4), each ending with a flush: a file that is
//! written whole, and a new name for a file. And a look at a file, which is no more than opening it. One
//! round trip each; nobody waits for the close.
//!
//! Other than `smb2`'s own, they open a file so that others may open it as well: what comes next need
//! not wait until the server has closed it.

use smb2::{
    CompoundOp, Error, FileAttributes, Frame, Tree,
    client::connection::Connection,
    msg::{
        create::{CreateDisposition, CreateRequest, CreateResponse, ImpersonationLevel, ShareAccess},
        flush::FlushRequest,
        set_info::{InfoType, SetInfoRequest},
        write::{WriteRequest, WriteResponse},
    },
    pack::{Pack, ReadCursor, Unpack as _},
    types::{Command, CreditCharge, FileId, OplockLevel, flags::FileAccessMask, status::NtStatus},
};

/// `FileRenameInformation` (MS-FSCC 2.4.43).
const RENAME: u8 = 10;
/// `FILE_NON_DIRECTORY_FILE` (MS-SMB2 2.2.13).
const NO_FOLDER: u32 = 0x40;
/// Bytes that one credit is good for (MS-SMB2 3.1.5.2).
const CREDIT: usize = 65_536;

/// What a file that has the new name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// The rename fails with `STATUS_OBJECT_NAME_COLLISION`.
    Refuse,
    /// Its place is taken, in one step.
    Replace,
}

/// The length of a file in bytes, or of a folder, whatever that is. Half the work for the server that
/// asking for all it knows of the file is.
pub(super) async fn size_of(smb: &Connection, tree: &Tree, path: &str) -> smb2::Result<u64> {
    let mut open = open(tree, path, 0, CreateDisposition::FileOpen);
    open.create_options = 0;
    let answer = smb.execute(Command::Create, &open, Some(tree.tree_id)).await;
    let opened = opened(&succeeded(Some(answer), Command::Create)?)?;
    close(smb, tree, opened.file_id);
    Ok(opened.end_of_file)
}

/// Makes a file and fills it, durably. Fails with `STATUS_OBJECT_NAME_COLLISION` where there is one.
pub(super) async fn write_new(smb: &Connection, tree: &Tree, path: &str, bytes: Vec<u8>) -> smb2::Result<()> {
    let length = bytes.len();
    let write = WriteRequest {
        // Behind the header and the fixed part of the request.
        data_offset: 64 + 48,
        offset: 0,
        file_id: FileId::SENTINEL,
        channel: 0,
        remaining_bytes: 0,
        write_channel_info_offset: 0,
        write_channel_info_length: 0,
        flags: 0,
        data: bytes,
    };
    let charge = u16::try_from(length.div_ceil(CREDIT).max(1)).unwrap_or(u16::MAX);
    let access = FileAccessMask::FILE_WRITE_DATA | FileAccessMask::FILE_WRITE_ATTRIBUTES;
    let open = open(tree, path, access, CreateDisposition::FileCreate);
    let written = chain(smb, tree, &open, (Command::Write, &write, charge)).await?;
    match WriteResponse::unpack(&mut ReadCursor::new(&written.body))?.count {
        count if count as usize == length => Ok(()),
        _ => Err(Error::invalid_data("the server takes only a part of a message")),
    }
}

/// Gives the file `from` the name `to`. The flush brings the new name to the disk: the change of its
/// name is part of what a file system knows of a file.
pub(super) async fn rename(
    smb: &Connection,
    tree: &Tree,
    from: &str,
    to: &str,
    taken: Taken,
) -> smb2::Result<()> {
    let rename = SetInfoRequest {
        info_type: InfoType::File,
        file_info_class: RENAME,
        additional_information: 0,
        file_id: FileId::SENTINEL,
        buffer: new_name(&smb2::encode_path(to), taken),
    };
    let access = FileAccessMask::DELETE | FileAccessMask::FILE_WRITE_DATA;
    let open = open(tree, from, access, CreateDisposition::FileOpen);
    chain(smb, tree, &open, (Command::SetInfo, &rename, 1)).await.map(|_| ())
}

/// Opens a file, does the one thing, and flushes; the answer to the one thing.
async fn chain(
    smb: &Connection,
    tree: &Tree,
    open: &CreateRequest,
    (doing, request, charge): (Command, &dyn Pack, u16),
) -> smb2::Result<Frame> {
    let flush = FlushRequest { file_id: FileId::SENTINEL };
    let step = |command, body, charge| CompoundOp {
        command,
        body,
        tree_id: Some(tree.tree_id),
        credit_charge: CreditCharge(charge),
    };
    // The flush may take its time, which only the last of a chain may (MS-SMB2 3.3.5.2.7.2).
    let steps =
        [step(Command::Create, open as _, 1), step(doing, request, charge), step(Command::Flush, &flush, 1)];
    let mut answers = smb.execute_compound(&steps).await?.into_iter();
    let mut next = |command| succeeded(answers.next(), command);
    let opened = opened(&next(Command::Create)?)?;
    let (done, flushed) = (next(doing), next(Command::Flush));
    close(smb, tree, opened.file_id);
    let done = done?;
    flushed?;
    Ok(done)
}

fn opened(answer: &Frame) -> smb2::Result<CreateResponse> {
    CreateResponse::unpack(&mut ReadCursor::new(&answer.body))
}

/// Closes a file without waiting for it.
fn close(smb: &Connection, tree: &Tree, file: FileId) {
    let (mut smb, tree) = (smb.clone(), tree.clone());
    tokio::spawn(async move {
        // What is left open ends with the session.
        let _ = tree.close_handle(&mut smb, file).await;
    });
}

fn open(tree: &Tree, path: &str, access: u32, disposition: CreateDisposition) -> CreateRequest {
    let everything =
        ShareAccess::FILE_SHARE_READ | ShareAccess::FILE_SHARE_WRITE | ShareAccess::FILE_SHARE_DELETE;
    CreateRequest {
        requested_oplock_level: OplockLevel::None,
        impersonation_level: ImpersonationLevel::Impersonation,
        desired_access: FileAccessMask::new(access | FileAccessMask::FILE_READ_ATTRIBUTES),
        file_attributes: FileAttributes::NORMAL,
        share_access: ShareAccess(everything),
        create_disposition: disposition,
        create_options: NO_FOLDER,
        name: on_the_wire(tree, path),
        create_contexts: vec![],
    }
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
