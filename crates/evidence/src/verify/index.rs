//! Archive and log, brought together recording by recording.
//!
//! What lies here comes in the order of folders, what the log says in the order of time. Both become
//! records that sort by archive and recording; then each recording is looked at with all that is known
//! of it, and what stands at a place of a lane is handed on, to be sorted along the lanes
//! ([`super::lanes`]). What is held is one recording, and a few numbers for each tenant.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use domain::{Lane, RecordingId, TenantId};
use jiff::Timestamp;

use super::{
    ArchiveFinding, FirstOf, ProofOutcome, VerifyError,
    known::{pack_link, unpack_link},
    packed::{Packer, Unpacker},
    recording::Checked,
    sorter::{Sorted, Sorter},
};
use crate::{BaseName, ChainLink, ChainProblem, Sha256Hash, chain::Standing, log::SealedEntry};

/// Archives by number; this one is for recordings that are in none.
pub(super) const NO_ARCHIVE: u64 = 0;

// Kinds of records, in the order they are wanted in.
const SEALED: u8 = 0;
const HERE: u8 = 1;
const NAMED: u8 = 2;
const DELETED: u8 = 3;

/// A `sealed` entry of a log.
#[derive(Debug, Clone)]
pub(super) struct Logged {
    pub(super) lane: Lane,
    pub(super) position: u64,
    pub(super) standing: Standing,
    pub(super) hash_list: Sha256Hash,
    pub(super) started: Timestamp,
    pub(super) at: Timestamp,
    pub(super) targets: Vec<String>,
    /// Filled in when the entries of the recording come together.
    pub(super) deletions: Vec<Deleted>,
    pub(super) is_here: bool,
}

/// A `deleted` entry of a log.
#[derive(Debug, Clone)]
pub(super) struct Deleted {
    pub(super) at: Timestamp,
    pub(super) targets: Vec<String>,
    pub(super) reason: String,
    pub(super) by: String,
}

/// A recording that lies here and says where it stands.
#[derive(Debug, Clone)]
pub(super) struct Here {
    pub(super) link: ChainLink,
    pub(super) started: Timestamp,
    pub(super) has_proof: bool,
    /// Some `sealed` entry names it.
    pub(super) is_logged: bool,
}

/// What is known of a place of a lane.
#[derive(Debug, Clone)]
pub(super) enum Known {
    Here(Here),
    Logged(Logged),
    /// It is here and says nothing reliable; others place it here.
    Unplaced(RecordingId),
}

fn texts(packer: Packer, texts: &[String]) -> Packer {
    texts.iter().fold(packer.number(texts.len() as u64), |packer, text| packer.text(text))
}

fn read_texts(fields: &mut Unpacker<'_>) -> Option<Vec<String>> {
    (0..fields.number()?).map(|_| fields.text().map(str::to_owned)).collect()
}

fn pack_logged(packer: Packer, logged: &Logged) -> Packer {
    let Logged { lane, position, standing, hash_list, started, at, targets, deletions, is_here } = logged;
    let packer = packer.lane(lane).number(*position).recording(standing.recording).hash(&standing.signature);
    let packer = texts(packer.hash(hash_list).time(*started).time(*at), targets).byte(u8::from(*is_here));
    deletions.iter().fold(packer.number(deletions.len() as u64), pack_deleted)
}

fn unpack_logged(fields: &mut Unpacker<'_>) -> Option<Logged> {
    let (lane, position) = (fields.lane()?, fields.number()?);
    let standing = Standing { recording: fields.recording()?, signature: fields.hash()? };
    let (hash_list, started, at) = (fields.hash()?, fields.time()?, fields.time()?);
    let (targets, is_here) = (read_texts(fields)?, fields.byte()? == 1);
    let deletions = (0..fields.number()?).map(|_| unpack_deleted(fields)).collect::<Option<_>>()?;
    Some(Logged { lane, position, standing, hash_list, started, at, targets, deletions, is_here })
}

fn pack_deleted(packer: Packer, deleted: &Deleted) -> Packer {
    texts(packer.time(deleted.at), &deleted.targets).text(&deleted.reason).text(&deleted.by)
}

fn unpack_deleted(fields: &mut Unpacker<'_>) -> Option<Deleted> {
    let (at, targets) = (fields.time()?, read_texts(fields)?);
    Some(Deleted { at, targets, reason: fields.text()?.to_owned(), by: fields.text()?.to_owned() })
}

/// Takes what is known, in any order.
pub(super) struct Index {
    records: Sorter,
}

impl Index {
    pub(super) fn new() -> Self {
        Self { records: Sorter::new() }
    }

    fn push(&mut self, record: Packer) -> Result<(), VerifyError> {
        self.records.push(&record.done()).map_err(VerifyError::Temporary)
    }

    /// A recording that lies in the archive of this number.
    pub(super) fn here(
        &mut self,
        archive: u64,
        base: &BaseName,
        checked: &Checked,
    ) -> Result<(), VerifyError> {
        let record = Packer::default().number(archive).recording(base.recording()).byte(HERE);
        let record = record
            .time(base.started())
            .byte(u8::from(checked.proof != ProofOutcome::Absent))
            .option(checked.hash_list.as_ref(), Packer::hash)
            .option(checked.link.as_ref(), pack_link);
        self.push(record)?;
        let Some(ChainLink { lane, position, recording, previous: Some(previous), .. }) = &checked.link
        else {
            return Ok(());
        };
        let record = Packer::default().number(archive).recording(previous.recording).byte(NAMED);
        self.push(record.lane(lane).number(*position).recording(*recording))
    }

    /// A `sealed` entry of a log in the archive of this number.
    pub(super) fn sealed(
        &mut self,
        archive: u64,
        tenant: &TenantId,
        at: Timestamp,
        entry: &SealedEntry,
    ) -> Result<(), VerifyError> {
        let logged = Logged {
            lane: Lane { tenant: tenant.clone(), class: entry.class },
            position: entry.position,
            standing: Standing { recording: entry.recording, signature: entry.signature },
            hash_list: entry.hash_list,
            started: entry.started,
            at,
            targets: entry.targets.clone(),
            deletions: Vec::new(),
            is_here: false,
        };
        let record = Packer::default().number(archive).recording(entry.recording).byte(SEALED);
        self.push(pack_logged(record, &logged))
    }

    /// A `deleted` entry of a log in the archive of this number.
    pub(super) fn deleted(
        &mut self,
        archive: u64,
        recording: RecordingId,
        deleted: &Deleted,
    ) -> Result<(), VerifyError> {
        let record = Packer::default().number(archive).recording(recording).byte(DELETED);
        self.push(pack_deleted(record, deleted))
    }

    /// Looks at each recording.
    pub(super) fn join(self) -> Result<Joined, VerifyError> {
        let mut sorted = self.records.finish().map_err(VerifyError::Temporary)?;
        let mut joined = Joined::new();
        let mut one: Option<One> = None;
        while let Some(record) = sorted.next().map_err(VerifyError::Temporary)? {
            let mut fields = Unpacker(&record);
            let (archive, recording) = fields.number().zip(fields.recording()).expect(PACKED);
            if one.as_ref().is_none_or(|one| (one.archive, one.recording) != (archive, recording)) {
                if let Some(done) = one.take() {
                    joined.add(done)?;
                }
                one = Some(One::new(archive, recording));
            }
            let one = one.as_mut().expect("it was just made");
            one.take(&mut fields).expect(PACKED);
        }
        if let Some(done) = one {
            joined.add(done)?;
        }
        Ok(joined)
    }
}

const PACKED: &str = "records are read as they were packed";

/// Everything known of one recording, in one archive.
struct One {
    archive: u64,
    recording: RecordingId,
    sealed: Vec<Logged>,
    /// Each copy: start, whether it has a proof, hash list, link.
    here: Vec<(Timestamp, bool, Option<Sha256Hash>, Option<ChainLink>)>,
    /// Who names it as the one before: lane, position, recording.
    named: BTreeSet<(Lane, u64, RecordingId)>,
    deleted: Vec<Deleted>,
}

impl One {
    fn new(archive: u64, recording: RecordingId) -> Self {
        let (sealed, here, named, deleted) = Default::default();
        Self { archive, recording, sealed, here, named, deleted }
    }

    fn take(&mut self, fields: &mut Unpacker<'_>) -> Option<()> {
        match fields.byte()? {
            SEALED => self.sealed.push(unpack_logged(fields)?),
            HERE => {
                let (started, has_proof) = (fields.time()?, fields.byte()? == 1);
                let hash_list = fields.option(Unpacker::hash)?;
                self.here.push((started, has_proof, hash_list, fields.option(unpack_link)?));
            }
            NAMED => {
                self.named.insert((fields.lane()?, fields.number()?, fields.recording()?));
            }
            _ => self.deleted.push(unpack_deleted(fields)?),
        }
        Some(())
    }
}

/// What came out of looking at each recording.
pub(super) struct Joined {
    places: Sorter,
    /// Forks, by archive and lane.
    pub(super) forks: BTreeMap<(u64, Lane), FirstOf<ChainProblem>>,
    /// By archive and tenant.
    pub(super) meant: BTreeMap<(u64, TenantId), Meant>,
    /// The earliest start of what is here, by archive and tenant.
    pub(super) oldest: BTreeMap<(u64, TenantId), Timestamp>,
}

/// What is known of the recordings of one tenant in one archive.
#[derive(Debug, Default)]
pub(super) struct Meant {
    /// The targets that all recordings which are here were meant for; `None`: no entry of such a one.
    pub(super) targets: Option<BTreeSet<String>>,
    /// One for each set of targets of recordings that are here, to name those which do not fit.
    pub(super) of_here: BTreeMap<Vec<String>, FirstOf<RecordingId>>,
    /// Recordings that are here and were deleted, with the targets they were deleted from.
    pub(super) deleted_and_here: FirstOf<(RecordingId, Vec<String>)>,
    pub(super) findings: FirstOf<ArchiveFinding>,
    /// How many recordings have a log proof.
    pub(super) proofs: u64,
}

impl Joined {
    fn new() -> Self {
        let (forks, meant, oldest) = Default::default();
        Self { places: Sorter::new(), forks, meant, oldest }
    }

    fn add(&mut self, mut one: One) -> Result<(), VerifyError> {
        self.find_forks(&one);
        if !one.here.is_empty() {
            self.compare(&one);
        }
        let (is_here, is_logged) = (!one.here.is_empty(), !one.sealed.is_empty());
        let mut placed = false;
        for logged in &mut one.sealed {
            logged.is_here = is_here;
            logged.deletions.clone_from(&one.deleted);
            let key = Packer::default().number(one.archive);
            let (lane, position) = (&logged.lane, logged.position);
            let place = pack_logged(key.lane(lane).number(position).byte(SEALED), logged);
            self.place(place)?;
        }
        for (started, has_proof, _, link) in &one.here {
            let Some(link) = link else { continue };
            placed = true;
            let oldest = self.oldest.entry((one.archive, link.lane.tenant.clone())).or_insert(*started);
            *oldest = (*oldest).min(*started);
            let place = Packer::default().number(one.archive).lane(&link.lane).number(link.position);
            let place = pack_link(place.byte(HERE), link).time(*started);
            self.place(place.byte(u8::from(*has_proof)).byte(u8::from(is_logged)))?;
        }
        if is_here && !placed {
            let by_log = one.sealed.iter().map(|logged| (logged.lane.clone(), logged.position));
            let by_successor = one.named.iter().map(|(lane, position, _)| (lane.clone(), position - 1));
            for (lane, position) in by_log.chain(by_successor).collect::<BTreeSet<_>>() {
                let place = Packer::default().number(one.archive).lane(&lane).number(position);
                self.place(place.byte(NAMED).recording(one.recording))?;
            }
        }
        Ok(())
    }

    fn place(&mut self, place: Packer) -> Result<(), VerifyError> {
        self.places.push(&place.done()).map_err(VerifyError::Temporary)
    }

    /// Two recordings at different places of a lane that follow the same one. At one place it is
    /// reported as such.
    fn find_forks(&mut self, one: &One) {
        let mut first: Option<&(Lane, u64, RecordingId)> = None;
        for named in &one.named {
            match first {
                Some(first) if first.0 == named.0 => {
                    if first.1 != named.1 {
                        let fork =
                            ChainProblem::Fork { previous: one.recording, first: first.2, second: named.2 };
                        self.forks.entry((one.archive, named.0.clone())).or_default().push(fork);
                    }
                }
                _ => first = Some(named),
            }
        }
    }

    /// A recording that is here, with what the log says of it.
    fn compare(&mut self, one: &One) {
        let links = one.here.iter().filter_map(|(_, has_proof, _, link)| Some((has_proof, link.as_ref()?)));
        let by_info = links.clone().next().map(|(_, link)| &link.lane);
        let Some(lane) = one.sealed.first().map(|logged| &logged.lane).or(by_info) else { return };
        let archive = self.meant.entry((one.archive, lane.tenant.clone())).or_default();
        archive.proofs += u64::from(links.clone().any(|(has_proof, _)| *has_proof));
        let Some(logged) = one.sealed.first() else { return };
        let recording = one.recording;
        let mut differs = |same: bool, what| {
            if !same {
                archive.findings.push(ArchiveFinding::Differs { recording, what });
            }
        };
        for (_, _, hash_list, link) in &one.here {
            differs(hash_list.is_none_or(|hash| hash == logged.hash_list), "hash list");
            if let Some(link) = link {
                differs(link.signature == logged.standing.signature, "signature");
                let same = (&link.lane, link.position) == (&logged.lane, logged.position);
                differs(same, "place in the chain");
            }
        }
        if one.here.iter().any(|(_, has_proof, ..)| !has_proof) {
            archive.findings.push(ArchiveFinding::NoProof(recording));
        }
        let targets: BTreeSet<String> = logged.targets.iter().cloned().collect();
        archive.of_here.entry(targets.iter().cloned().collect()).or_default().push(recording);
        archive.targets = Some(match archive.targets.take() {
            None => targets,
            Some(common) => common.intersection(&targets).cloned().collect(),
        });
        for deleted in &one.deleted {
            archive.deleted_and_here.push((recording, deleted.targets.clone()));
        }
    }

    /// What is known of each place, along the lanes.
    pub(super) fn take_places(&mut self) -> Result<Places, VerifyError> {
        let places = std::mem::replace(&mut self.places, Sorter::new());
        places.finish().map(Places).map_err(VerifyError::Temporary)
    }
}

/// Gives what is known of each place: by archive, lane and position.
pub(super) struct Places(Sorted);

impl Places {
    /// The next one.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Lane, u64, Known)>> {
        Ok(self.0.next()?.map(|record| read_place(&record).expect(PACKED)))
    }
}

fn read_place(record: &[u8]) -> Option<(u64, Lane, u64, Known)> {
    let mut fields = Unpacker(record);
    let (archive, lane, position) = (fields.number()?, fields.lane()?, fields.number()?);
    let known = match fields.byte()? {
        SEALED => Known::Logged(unpack_logged(&mut fields)?),
        HERE => Known::Here(Here {
            link: unpack_link(&mut fields)?,
            started: fields.time()?,
            has_proof: fields.byte()? == 1,
            is_logged: fields.byte()? == 1,
        }),
        _ => Known::Unplaced(fields.recording()?),
    };
    Some((archive, lane, position, known))
}
