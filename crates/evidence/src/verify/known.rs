//! What an earlier run found out about a recording, packed for its journal.

use super::{
    ArchiveFile, Keyring, ProofOutcome, StampOutcome, journal,
    packed::{Packer, Unpacker},
    proof::{LogKeys, Proven},
    recording::Checked,
};
use crate::{ChainLink, chain::Standing, log::Checkpoint};

/// Packs what was found; `None` if something was wrong, or if the files cannot be known again.
pub(super) fn pack(files: &[ArchiveFile], checked: &Checked) -> Option<Vec<u8>> {
    let stamp = journal::stamp(files)?;
    let (signed_by, link) = (checked.signed_by?, checked.link.as_ref()?);
    if !checked.findings.is_empty() {
        return None;
    }
    let packer = Packer::default().hash(&stamp).text(&signed_by.to_string());
    let packer = pack_link(packer, link).option(checked.hash_list.as_ref(), Packer::hash);
    let packer = packer.byte(match checked.proof {
        ProofOutcome::Absent => 0,
        _ => 1,
    });
    let packer = packer.option(checked.proven.as_ref(), |packer, proven| {
        let Checkpoint { origin, size, root } = &proven.checkpoint;
        let packer = packer.text(proven.tenant.as_str()).text(origin).number(*size).hash(root);
        packer.number(proven.index).time(proven.at).text(&proven.vkey)
    });
    let packer = packer.byte(match checked.time_stamp {
        StampOutcome::Absent => 0,
        _ => 1,
    });
    let time = if let StampOutcome::At(time) = checked.time_stamp { Some(time) } else { None };
    Some(packer.option(time, Packer::time).done())
}

/// What stands in the journal, if the files are still the same and nothing more can be judged than
/// could be then.
pub(super) fn unpack(
    known: &[u8],
    files: &[ArchiveFile],
    keys: &Keyring,
    log_keys: &LogKeys,
    stamps_are_judged: bool,
) -> Option<Checked> {
    let mut fields = Unpacker(known);
    if fields.hash()? != journal::stamp(files)? {
        return None;
    }
    let signed_by = fields.text()?.parse().ok()?;
    // A certificate that was trusted then may not be now.
    keys.of_key(signed_by)?;
    let link = unpack_link(&mut fields)?;
    let hash_list = fields.option(Unpacker::hash)?;
    let has_proof = fields.byte()? == 1;
    let proven = fields.option(|fields| {
        let tenant = fields.text()?.parse().ok()?;
        let origin = fields.text()?.to_owned();
        let checkpoint = Checkpoint { origin, size: fields.number()?, root: fields.hash()? };
        let (index, at) = (fields.number()?, fields.time()?);
        Some(Proven { tenant, checkpoint, index, at, vkey: fields.text()?.to_owned() })
    })?;
    let has_stamp = fields.byte()? == 1;
    let stamped = fields.option(Unpacker::time)?;
    let proof = match &proven {
        Some(proven) if log_keys.knows(&proven.vkey) => ProofOutcome::Logged(proven.at),
        Some(_) => return None,
        None if !has_proof => ProofOutcome::Absent,
        None if log_keys.is_empty() => ProofOutcome::NotChecked,
        None => return None,
    };
    let time_stamp = match stamped {
        Some(time) if stamps_are_judged => StampOutcome::At(time),
        _ if !has_stamp => StampOutcome::Absent,
        _ if !stamps_are_judged => StampOutcome::NotChecked,
        _ => return None,
    };
    let (findings, signed_by, link) = (Vec::new(), Some(signed_by), Some(link));
    Some(Checked { findings, signed_by, link, hash_list, proof, proven, time_stamp })
}

/// Lane and position first: links sort along their lanes.
pub(super) fn pack_link(packer: Packer, link: &ChainLink) -> Packer {
    let ChainLink { lane, position, recording, previous, signature } = link;
    let packer = packer.lane(lane).number(*position).recording(*recording);
    let packer = packer.option(previous.as_ref(), |packer, standing| {
        packer.recording(standing.recording).hash(&standing.signature)
    });
    packer.hash(signature)
}

pub(super) fn unpack_link(fields: &mut Unpacker<'_>) -> Option<ChainLink> {
    let (lane, position, recording) = (fields.lane()?, fields.number()?, fields.recording()?);
    let previous = fields
        .option(|fields| Some(Standing { recording: fields.recording()?, signature: fields.hash()? }))?;
    Some(ChainLink { lane, position, recording, previous, signature: fields.hash()? })
}
