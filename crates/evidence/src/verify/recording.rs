//! One recording: its files against its hash list, the list against its signature, its proof against
//! the log's key.

use std::{
    collections::BTreeSet,
    io::{self, Read},
};

use super::{
    Archive, ArchiveFile, Finding, Keyring, ProblemOfFile, ProofOutcome, StampOutcome,
    inventory::Top,
    proof::{self, LogKeys, Proved, Proven},
};
use crate::{
    BaseName, Certificate, ChainLink, HashList, KeyId, ParsedInfo, PublicKey, Section, Sha256Hash, Signature,
    timestamp::{Authorities, TimeStampToken},
};

/// Info, hash list and signature are texts; a larger file is not what it says it is. Ten hours with a
/// gap each second stay below.
const LONGEST_TEXT: u64 = 64 * 1024 * 1024;

/// What recordings are judged with.
pub(super) struct Judges<'a> {
    pub(super) archive: &'a dyn Archive,
    pub(super) keys: &'a Keyring,
    pub(super) log_keys: &'a LogKeys,
    /// Whom time stamps are believed from.
    pub(super) authorities: Option<&'a Authorities>,
}

/// What came out about one recording.
pub(super) struct Checked {
    pub(super) findings: Vec<Finding>,
    /// The key that made the signature, if it is good.
    pub(super) signed_by: Option<KeyId>,
    /// Its place in the chain, if it says so.
    pub(super) link: Option<ChainLink>,
    /// SHA-256 of its `_hash.txt`.
    pub(super) hash_list: Option<Sha256Hash>,
    pub(super) proof: ProofOutcome,
    /// What the proof says, if it is good.
    pub(super) proven: Option<Proven>,
    pub(super) time_stamp: StampOutcome,
}

/// Checks the recording `base`, whose `files` all lie in one folder; `top` is the archive that it is
/// in.
pub(super) fn check(
    judges: &Judges<'_>,
    top: Option<&Top>,
    base: &BaseName,
    files: &[ArchiveFile],
) -> Checked {
    let mut check = Check { archive: judges.archive, keys: judges.keys, base, files, findings: Vec::new() };
    let info = check.text(Section::Info).map(|bytes| ParsedInfo::parse(&bytes));
    let list = check.text(Section::HashList);
    match &list {
        Some(bytes) => check.files_against_list(bytes),
        None => check.findings.push(Finding::NoHashList),
    }
    let signature = check.signature();
    let signed_by = list.as_deref().zip(signature.as_ref()).and_then(|(list, signature)| {
        check.signature_against_list(list, signature, info.as_ref().and_then(ParsedInfo::key_id))
    });
    let link = check.chain_link(info.as_ref(), signature.as_ref());
    if let (Some(link), Some(top)) = (&link, top)
        && top.is_foreign(&link.lane.tenant)
    {
        check.findings.push(Finding::OtherTenant(link.lane.tenant.clone()));
    }
    let hash_list = list.as_deref().map(Sha256Hash::of);
    let (proof, proven) = check.proof(judges.log_keys, link.as_ref(), hash_list, signed_by);
    let time_stamp = check.time_stamp(judges.authorities, hash_list);
    Checked { findings: check.findings, signed_by, link, hash_list, proof, proven, time_stamp }
}

struct Check<'a> {
    archive: &'a dyn Archive,
    keys: &'a Keyring,
    base: &'a BaseName,
    files: &'a [ArchiveFile],
    findings: Vec<Finding>,
}

impl Check<'_> {
    fn find(&self, name: &str) -> Option<&ArchiveFile> {
        self.files.iter().find(|file| file.name() == name)
    }

    fn file_problem(&mut self, name: &str, problem: ProblemOfFile) {
        self.findings.push(Finding::File { name: name.to_owned(), problem });
    }

    /// A text of the recording; `None` if it is not there or cannot be read, which then is a finding.
    fn text(&mut self, section: Section) -> Option<Vec<u8>> {
        let file = self.find(&self.base.file(section))?.clone();
        match self.read(&file) {
            Ok(bytes) => Some(bytes),
            // A file of the list is read once more for its hash, and reported there.
            Err(_) if section.is_hashed() => None,
            Err(error) => {
                self.file_problem(file.name(), ProblemOfFile::Unreadable(error.to_string()));
                None
            }
        }
    }

    fn read(&self, file: &ArchiveFile) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.archive.open(file.path())?.take(LONGEST_TEXT).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn files_against_list(&mut self, list: &[u8]) {
        let list = match HashList::parse(list) {
            Ok(list) => list,
            Err(error) => return self.findings.push(Finding::BadHashList(error)),
        };
        let mut sections = BTreeSet::new();
        for (hash, name) in list.entries() {
            match BaseName::parse_file(name) {
                Some((base, section)) if base == *self.base && section.is_hashed() => {
                    sections.insert(section);
                    self.file_against_hash(name, hash);
                }
                _ => self.file_problem(name, ProblemOfFile::Foreign),
            }
        }
        let has_audio = sections.iter().any(|section| matches!(section, Section::Audio { .. }));
        let named = |section| sections.contains(&section);
        for (there, what) in [
            (has_audio, "audio file"),
            (named(Section::Info), "info file (_info.txt)"),
            (named(Section::Journal), "journal file (_journal.json)"),
        ] {
            if !there {
                self.findings.push(Finding::NotInList(what));
            }
        }
        let listed: BTreeSet<&str> = list.entries().map(|(_, name)| name).collect();
        for file in self.files {
            let beside_list =
                BaseName::parse_file(file.name()).is_some_and(|(_, section)| !section.is_hashed());
            if !listed.contains(file.name()) && !beside_list {
                self.findings
                    .push(Finding::File { name: file.name().to_owned(), problem: ProblemOfFile::Added });
            }
        }
    }

    fn file_against_hash(&mut self, name: &str, expected: &Sha256Hash) {
        let Some(file) = self.find(name) else {
            return self.file_problem(name, ProblemOfFile::Missing);
        };
        // Streamed: an hour of audio is 58 MB, and there may be a hundred hours.
        match self.archive.open(file.path()).and_then(Sha256Hash::of_reader) {
            Ok((hash, _)) if hash == *expected => {}
            Ok(_) => self.file_problem(name, ProblemOfFile::Changed),
            Err(error) => self.file_problem(name, ProblemOfFile::Unreadable(error.to_string())),
        }
    }

    fn signature(&mut self) -> Option<Signature> {
        if self.find(&self.base.file(Section::Signature)).is_none() {
            self.findings.push(Finding::NoSignature);
        }
        let parsed = Signature::parse(&self.text(Section::Signature)?);
        if parsed.is_err() {
            self.findings.push(Finding::BadSignature);
        }
        parsed.ok()
    }

    /// The key that signed the list.
    fn signature_against_list(
        &mut self,
        list: &[u8],
        signature: &Signature,
        named: Option<KeyId>,
    ) -> Option<KeyId> {
        let accepts = |key: &PublicKey| key.verify(list, signature).is_ok();
        let named_key = named.and_then(|id| self.keys.of_key(id)).map(Certificate::public_key);
        if named_key.is_some_and(accepts) {
            return named;
        }
        // Not by the key that is named: say who signed, if anybody we know.
        let mut keys = self.keys.certificates().map(Certificate::public_key);
        let signed = keys.find(|key| accepts(key)).map(PublicKey::id);
        self.findings.extend(match (signed, named) {
            (None, _) if self.keys.is_empty() => Some(Finding::NoCertificates),
            (None, Some(named)) if named_key.is_none() => Some(Finding::NoCertificate(named)),
            (None, key) => Some(Finding::WrongSignature { key }),
            (Some(signed), Some(named)) => Some(Finding::OtherKey { named, signed }),
            // The info does not name one: it was changed or is missing, and that has been said.
            (Some(_), None) => None,
        });
        signed
    }

    fn proof(
        &mut self,
        keys: &LogKeys,
        link: Option<&ChainLink>,
        hash_list: Option<Sha256Hash>,
        key_id: Option<KeyId>,
    ) -> (ProofOutcome, Option<Proven>) {
        if self.find(&self.base.file(Section::LogProof)).is_none() {
            return (ProofOutcome::Absent, None);
        }
        let Some(bytes) = self.text(Section::LogProof) else { return (ProofOutcome::Wrong, None) };
        if keys.is_empty() {
            return (ProofOutcome::NotChecked, None);
        }
        let proved = Proved { link, hash_list, key_id, recording: self.base.recording() };
        match proof::check(&bytes, keys, &proved) {
            Ok(proven) => (ProofOutcome::Logged(proven.at), Some(proven)),
            Err(findings) => {
                self.findings.extend(findings);
                (ProofOutcome::Wrong, None)
            }
        }
    }

    fn time_stamp(
        &mut self,
        authorities: Option<&Authorities>,
        hash_list: Option<Sha256Hash>,
    ) -> StampOutcome {
        if self.find(&self.base.file(Section::TimeStamp)).is_none() {
            return StampOutcome::Absent;
        }
        let Some(authorities) = authorities else { return StampOutcome::NotChecked };
        let Some((bytes, hash)) = self.text(Section::TimeStamp).zip(hash_list) else {
            return StampOutcome::Wrong;
        };
        match TimeStampToken::from_der(&bytes).and_then(|token| token.verify(authorities, &hash)) {
            Ok(stamp) => StampOutcome::At(stamp.time),
            Err(error) => {
                self.findings.push(Finding::BadTimeStamp(error.to_string()));
                StampOutcome::Wrong
            }
        }
    }

    fn chain_link(&mut self, info: Option<&ParsedInfo>, signature: Option<&Signature>) -> Option<ChainLink> {
        let info = info?;
        // What a changed info says of the chain would only blame others.
        let name = self.base.file(Section::Info);
        if self.findings.iter().any(|finding| matches!(finding, Finding::File { name: n, .. } if *n == name))
        {
            return None;
        }
        if info.recording() != Some(self.base.recording()) {
            self.findings.push(Finding::InfoOfOther);
            return None;
        }
        let link = info.chain_link(signature?);
        if link.is_none() {
            self.findings.push(Finding::NoChainPlace);
        }
        link
    }
}
