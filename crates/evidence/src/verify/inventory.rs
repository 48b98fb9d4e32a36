//! First pass: what lies where. Names are sorted by recording outside of memory.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use domain::TenantId;

use super::{
    Archive, ArchiveFile, FileStamp, Keyring, UnusableCertificate, VerifyError,
    journal::Journal,
    keyring::looks_like_certificate,
    log::sizes_now,
    packed::{Packer, Unpacker},
    sorter::{Sorted, Sorter},
    walk,
};
use crate::BaseName;

/// `archive.txt` is a few lines.
const LONGEST_LABEL: u64 = 64 * 1024;
/// The file at an archive's top that says which target it is.
const LABEL: &str = "archive.txt";

/// What kind of record sorts first within a folder: recordings, so that it is known whether there are
/// any when other files come.
const RECORDING: u8 = 0;
const OTHER: u8 = 1;
/// Within a recording: what an earlier run found out about it comes before its files.
const JOURNALLED: u8 = 0;
const FILE: u8 = 1;

/// A folder that is an archive: it holds logs, or says which target it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Top {
    /// Tenants whose logs lie in it.
    pub(super) logs: Vec<TenantId>,
    /// Tenant and target by `archive.txt`.
    pub(super) label: Vec<(TenantId, String)>,
    /// Where its logs lie, if only a part of it is verified: above that part.
    pub(super) above: Option<String>,
}

impl Top {
    /// True if it says whose recordings it holds, and `tenant` is not among them.
    pub(super) fn is_foreign(&self, tenant: &TenantId) -> bool {
        let known = !self.logs.is_empty() || !self.label.is_empty();
        known && !self.logs.contains(tenant) && !self.label.iter().any(|(labelled, _)| labelled == tenant)
    }
}

/// What lies in an archive.
pub struct Inventory {
    names: Sorter,
    certificates: Vec<ArchiveFile>,
    pub(super) tops: BTreeMap<String, Top>,
    recordings: u64,
    bytes: u64,
    pub(super) unfinished: u64,
    pub(super) links_out: u64,
    /// How many entries logs had before the archive was listed: what was sealed after that cannot be
    /// among the names.
    pub(super) sizes: BTreeMap<(String, TenantId), u64>,
}

impl Inventory {
    /// Lists everything; `progress` hears how many files were found, now and then.
    ///
    /// # Errors
    /// A folder cannot be read, or there is no room for temporary files.
    pub fn take(archive: &dyn Archive, mut progress: impl FnMut(u64)) -> Result<Self, VerifyError> {
        let mut inventory = Self {
            names: Sorter::new(),
            certificates: Vec::new(),
            tops: BTreeMap::new(),
            recordings: 0,
            bytes: 0,
            unfinished: 0,
            links_out: 0,
            sizes: sizes_now(archive).map_err(VerifyError::Listing)?,
        };
        let mut found = 0;
        let mut failed = None;
        walk(archive, "", &mut |file| {
            found += 1;
            if found % 1000 == 0 {
                progress(found);
            }
            if failed.is_none() {
                failed = inventory.add(file).err();
            }
        })
        .map_err(VerifyError::Listing)?;
        progress(found);
        match failed {
            Some(error) => Err(VerifyError::Temporary(error)),
            None => {
                inventory.read_labels(archive);
                Ok(inventory)
            }
        }
    }

    /// Trusts every certificate that lies in the archive; see [`Keyring::add_from`].
    pub fn add_certificates(&self, archive: &dyn Archive, keys: &mut Keyring) -> Vec<UnusableCertificate> {
        keys.add_files(archive, &self.certificates)
    }

    /// How many recordings there are, by their hash lists.
    pub const fn recordings(&self) -> u64 {
        self.recordings
    }

    /// How many bytes there are to read, as far as the storage says.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn add(&mut self, file: ArchiveFile) -> io::Result<()> {
        self.links_out += u64::from(file.leads_out());
        if is_unfinished(file.name()) {
            self.unfinished += 1;
            return Ok(());
        }
        if let Some((top, tenant)) = log_of(file.path()) {
            let logs = &mut self.tops.entry(top.to_owned()).or_default().logs;
            if !logs.contains(&tenant) {
                logs.push(tenant);
            }
            return Ok(());
        }
        if file.name() == LABEL {
            self.tops.entry(file.folder().to_owned()).or_default();
        }
        if looks_like_certificate(file.name()) {
            self.certificates.push(file.clone());
        }
        let base = BaseName::split_file(file.name());
        let key = Packer::default().text(file.folder());
        let key = match &base {
            Some((base, ending)) => {
                self.recordings += u64::from(*ending == "_hash.txt");
                self.bytes += file.stamp().map_or(0, |stamp| stamp.size);
                key.byte(RECORDING).text(base.as_str()).byte(FILE)
            }
            None => key.byte(OTHER),
        };
        let stamp = |packer: Packer, stamp: FileStamp| packer.number(stamp.size).time(stamp.modified);
        self.names.push(&key.text(file.name()).option(file.stamp(), stamp).done())
    }

    fn read_labels(&mut self, archive: &dyn Archive) {
        for (folder, top) in &mut self.tops {
            top.label = read_label(archive, folder);
        }
    }

    /// What lies there, recording by recording, with what `journal` knows of each.
    pub(super) fn groups(mut self, journal: Option<&mut Journal>) -> Result<Groups, VerifyError> {
        if let Some(journal) = journal {
            let names = &mut self.names;
            journal.each(|folder, base, known| {
                let key = Packer::default().text(folder).byte(RECORDING).text(base).byte(JOURNALLED);
                let mut record = key.done();
                record.extend_from_slice(known);
                names.push(&record).map_err(VerifyError::Temporary)
            })?;
        }
        let mut sorted = self.names.finish().map_err(VerifyError::Temporary)?;
        let next = sorted.next().map_err(VerifyError::Temporary)?;
        Ok(Groups { sorted, next, with_recordings: None })
    }
}

/// What `archive.txt` in this folder says. One that is not there or not a text says nothing.
pub(super) fn read_label(archive: &dyn Archive, folder: &str) -> Vec<(TenantId, String)> {
    let mut text = String::new();
    let read = archive
        .open(&join(folder, LABEL))
        .and_then(|reader| reader.take(LONGEST_LABEL).read_to_string(&mut text));
    read.map(|_| label(&text)).unwrap_or_default()
}

/// `<folder>/<name>`, also at the top.
pub(super) fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        "/" => format!("/{name}"),
        folder => format!("{folder}/{name}"),
    }
}

/// The archive's folder and the tenant, if `path` is a file of a log: `<folder>/log/<tenant>/…`.
fn log_of(path: &str) -> Option<(&str, TenantId)> {
    let of_log = |file: &str| {
        file == "checkpoint"
            || ["checkpoints/", "tile/", "keys/"].iter().any(|folder| file.starts_with(folder))
    };
    // The last place counts: what is above an archive may be called anything.
    let begins = path.rmatch_indices("log/").map(|(at, _)| at);
    begins.filter(|at| *at == 0 || path.as_bytes()[at - 1] == b'/').find_map(|at| {
        let (tenant, file) = path[at + 4..].split_once('/')?;
        let tenant = tenant.parse().ok().filter(|_| of_log(file))?;
        Some((path[..at].trim_end_matches('/'), tenant))
    })
}

/// `Tenant:` and `Target:` lines, in pairs.
fn label(text: &str) -> Vec<(TenantId, String)> {
    let mut tenant = None;
    let mut pairs = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("Tenant: ") {
            tenant = name.trim().parse::<TenantId>().ok();
        } else if let (Some(target), Some(tenant)) = (line.strip_prefix("Target: "), &tenant) {
            pairs.push((tenant.clone(), target.trim().to_owned()));
        }
    }
    pairs
}

/// The files of one recording in one folder.
pub(super) struct Group {
    pub(super) folder: String,
    pub(super) base: BaseName,
    /// Sorted by name.
    pub(super) files: Vec<ArchiveFile>,
    /// What earlier runs wrote into their journal; several, if files changed between them.
    pub(super) journalled: Vec<Vec<u8>>,
}

/// One recording, or a file that belongs to none and should.
pub(super) enum Next {
    Recording(Group),
    Stray(String),
}

/// Gives recordings one after the other.
pub(super) struct Groups {
    sorted: Sorted,
    next: Option<Vec<u8>>,
    /// The folder that the last recording was in.
    with_recordings: Option<String>,
}

/// One record of the inventory.
struct Named<'a> {
    folder: &'a str,
    /// `None`: belongs to no recording.
    base: Option<&'a str>,
    rest: Rest<'a>,
}

enum Rest<'a> {
    File(ArchiveFile),
    Journalled(&'a [u8]),
}

fn named(record: &[u8]) -> Option<Named<'_>> {
    let mut fields = Unpacker(record);
    let folder = fields.text()?;
    let base = if fields.byte()? == RECORDING { Some(fields.text()?) } else { None };
    if base.is_some() && fields.byte()? == JOURNALLED {
        return Some(Named { folder, base, rest: Rest::Journalled(fields.0) });
    }
    let file = ArchiveFile::new(join(folder, fields.text()?));
    let stamp =
        fields.option(|fields| Some(FileStamp { size: fields.number()?, modified: fields.time()? }))?;
    let file = stamp.map_or(file.clone(), |stamp| file.with_stamp(stamp));
    Some(Named { folder, base, rest: Rest::File(file) })
}

impl Groups {
    /// The next recording or stray file; `None`: that was all.
    pub(super) fn next(&mut self) -> Result<Option<Next>, VerifyError> {
        let mut group: Option<Group> = None;
        while let Some(record) = &self.next {
            let named = named(record).expect("records are read as they were packed");
            match (named.base, &mut group) {
                (None, None) => {
                    let stray = self.stray(&named);
                    self.advance()?;
                    if stray.is_some() {
                        return Ok(stray);
                    }
                    continue;
                }
                (Some(base), None) => {
                    let (folder, base) = (named.folder.to_owned(), base.parse());
                    let base = base.expect("only base names are packed as such");
                    group = Some(Group { folder, base, files: Vec::new(), journalled: Vec::new() });
                    continue;
                }
                (Some(base), Some(group)) if base == group.base.as_str() && named.folder == group.folder => {
                    match named.rest {
                        Rest::File(file) => group.files.push(file),
                        Rest::Journalled(known) => group.journalled.push(known.to_owned()),
                    }
                    self.advance()?;
                    continue;
                }
                _ => {}
            }
            // Another one begins. One that is in the journal alone is gone; that is for chain and log.
            match group.take() {
                Some(done) if !done.files.is_empty() => return Ok(Some(self.recording(done))),
                _ => {}
            }
        }
        Ok(group.filter(|group| !group.files.is_empty()).map(|group| self.recording(group)))
    }

    fn advance(&mut self) -> Result<(), VerifyError> {
        self.next = self.sorted.next().map_err(VerifyError::Temporary)?;
        Ok(())
    }

    fn recording(&mut self, group: Group) -> Next {
        if self.with_recordings.as_deref() != Some(&group.folder) {
            self.with_recordings = Some(group.folder.clone());
        }
        Next::Recording(group)
    }

    /// Only beside recordings a file has to belong to one.
    fn stray(&self, named: &Named<'_>) -> Option<Next> {
        let Rest::File(file) = &named.rest else { return None };
        let beside = self.with_recordings.as_deref() == Some(named.folder);
        (beside && !belongs_to_archive(file.name())).then(|| Next::Stray(file.path().to_owned()))
    }
}

/// `.callseal-<hexadecimal digits>.part`: a delivery that is not done.
fn is_unfinished(name: &str) -> bool {
    let digits = name.strip_prefix(".callseal-").and_then(|rest| rest.strip_suffix(".part"));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What may lie beside recordings: certificates, means of verification, and what file managers leave.
fn belongs_to_archive(name: &str) -> bool {
    let lower = name.to_lowercase();
    looks_like_certificate(name)
        || lower.starts_with("readme")
        || matches!(
            lower.as_str(),
            LABEL | "verify.sh" | "thumbs.db" | "desktop.ini" | ".ds_store" | ".directory"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_log_are_told_by_their_path() {
        for (path, expected) in [
            ("log/acme/checkpoint", Some(("", "acme"))),
            ("/a/b/log/acme/tile/0/000", Some(("/a/b", "acme"))),
            ("a/log/log/acme/keys/0a0b0c0d.txt", Some(("a/log", "acme"))),
            ("log/acme/2026/x.wav", None),
            ("blog/acme/checkpoint", None),
            ("log/acme", None),
        ] {
            let found = log_of(path);
            let found = found.as_ref().map(|(top, tenant)| (*top, tenant.as_str()));
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn a_label_names_tenants_and_targets_in_pairs() {
        let pairs = label("Callseal archive\nTenant: acme\nTarget: vault\nTenant: beta\nTarget: vault-2\n");
        let pairs: Vec<_> = pairs.iter().map(|(tenant, target)| (tenant.as_str(), target.as_str())).collect();
        assert_eq!(pairs, [("acme", "vault"), ("beta", "vault-2")]);
    }
}
