//! The exact bytes that are signed: made once, and completed when the signature before is known.
//!
//! Info and journal text name the recording before and its signature. Of a batch that is fixed in one
//! transaction only the first one knows that signature; the others hold a placeholder. PKCS#1 v1.5 is
//! deterministic, so the bytes are determined all the same: whoever signs the batch again gets the same
//! signatures, and with them the same texts.

use domain::{
    RecordingId,
    resources::{KeptUntil, Retention},
};
use evidence::{BaseName, Documents, HashList, HashedFile, KeyId, LaneHead, Section, Sha256Hash, Signature};
use jiff::{Timestamp, tz::TimeZone};
use wire::recording_v1::{JournalRow, RecordingSealed, SealedFile};

use super::{
    audio,
    describe::{self, Surroundings, Terms, Unusable},
    layout,
};
use crate::{
    context::{Context, unix_us},
    state::{call_record::CallRecord, seal_queue::Prepared},
};

/// A recording with everything that is read and written before its turn in the chain.
pub struct Ready {
    /// Which one.
    pub id: RecordingId,
    /// Its record.
    pub call: CallRecord,
    /// Its decision.
    pub terms: Terms,
    /// Its audio files as planned.
    pub plans: Vec<layout::FilePlan>,
    /// The same as they were written.
    pub audio: Vec<HashedFile>,
    /// What was fixed by an earlier attempt.
    pub prepared: Option<Prepared>,
    /// Since when it waits. Unix time, milliseconds.
    pub queued_ms: i64,
}

/// The recording that the next one of a lane names as its previous.
#[derive(Debug, Clone)]
pub struct Before {
    /// Its place.
    pub position: u64,
    /// Which one.
    pub recording: RecordingId,
    /// Its signature; `None`: it is not signed yet.
    pub signature: Option<Signature>,
}

/// Name of a recording's files.
pub fn base_name(id: RecordingId, call: &CallRecord, terms: &Terms) -> BaseName {
    let number = |party: Option<&wire::call_v1::Party>| party.map(|p| p.number.clone()).unwrap_or_default();
    let facts = call.facts.as_ref();
    let caller = number(facts.and_then(|facts| facts.caller.as_ref()));
    let callee = number(facts.and_then(|facts| facts.callee.as_ref()));
    BaseName::new(describe::started(call), terms.direction, &caller, &callee, id)
}

/// Fixes everything that is signed. What follows a recording that is not signed yet gets a placeholder
/// for its signature; see [`complete`].
pub fn prepare(context: &Context, ready: &Ready, key_id: KeyId, before: Option<&Before>) -> Prepared {
    let awaits_previous = before.is_some_and(|before| before.signature.is_none());
    let previous = before.map(|before| LaneHead {
        position: before.position,
        recording: before.recording,
        signature: before.signature.clone().unwrap_or_else(|| placeholder(before.recording)),
    });
    let time_zone = (context.of_tenants.time_zone)(&ready.terms.lane.tenant);
    let kept = kept_until(context, ready, &time_zone);
    let zone_name = time_zone.iana_name().unwrap_or("UTC").to_owned();
    let around =
        Surroundings { time_zone, installation: context.options.installation.to_string(), key_id, previous };
    let info = describe::info(ready.id, &ready.call, &ready.terms, &ready.plans, &around);
    let documents = Documents::new(&info, ready.audio.clone());
    let duration_ms = u64::try_from(info.duration.as_millis()).unwrap_or(u64::MAX);
    let row = JournalRow {
        base_file_name: documents.base.as_str().to_owned(),
        direction: evidence::journal_json::journal_direction(info.direction).to_owned(),
        time_unix_ms: documents.base.started().as_millisecond(),
        call_id: info.call_id.clone(),
        caller_name: info.caller.name.expose().clone(),
        caller: info.caller.number.expose().clone(),
        callee: info.callee.number.expose().clone(),
        setting: info.rule.clone(),
        signature: String::new(),
        recording_id: ready.id.to_string(),
        tenant: ready.call.tenant.clone(),
        duration_ms,
        sha256: ready.audio.iter().map(|file| file.sha256.to_string()).collect::<Vec<_>>().join(" "),
        interrupted: info.interrupted.clone().unwrap_or_default(),
    };
    let sealed = RecordingSealed {
        recording_id: ready.id.to_string(),
        tenant: ready.call.tenant.clone(),
        class: ready.terms.lane.class.to_string(),
        chain_position: info.position(),
        base_name: documents.base.as_str().to_owned(),
        files: documents.hashed.iter().map(sealed_file).collect(),
        staging_prefix: audio::folder(&ready.call.tenant, &ready.id),
        targets: ready.terms.targets.clone(),
        journals: ready.terms.journals.clone(),
        started_unix_ms: documents.base.started().as_millisecond(),
        duration_ms,
        time_zone: zone_name,
        row: Some(row),
        sealed_unix_ms: unix_us() / 1_000,
        rule: ready.terms.rule.clone(),
        keep_until_unix_ms: kept.until.map_or(0, Timestamp::as_millisecond),
        erasable: kept.erasable,
    };
    Prepared {
        position: info.position(),
        previous_recording: info.previous.as_ref().map(|p| p.recording.to_string()).unwrap_or_default(),
        info: documents.info,
        journal: documents.journal,
        hash_list: documents.hash_list,
        signature_file: Vec::new(),
        sealed: Some(sealed),
        key_id: key_id.to_string(),
        awaits_previous,
    }
}

/// Until when it is kept, as its rule says now (F-84). Counted from its end.
fn kept_until(context: &Context, ready: &Ready, time_zone: &TimeZone) -> KeptUntil {
    let Terms { lane, rule, .. } = &ready.terms;
    let retention = (context.of_tenants.retention)(&lane.tenant, rule, lane.class);
    let length = ready.call.laid.as_ref().map(describe::duration).unwrap_or_default();
    let started = describe::started(&ready.call);
    let ended = started.checked_add(length).unwrap_or(started);
    Retention::terms(retention, lane.class, ended, time_zone)
}

/// Puts the signature of the recording before where the placeholder stands, and what follows from it:
/// the hashes of info and journal text, and the hash list. The same bytes come out whenever it is done.
///
/// # Errors
/// The stored bytes do not hold the placeholder.
pub fn complete(prepared: &mut Prepared, previous: Option<&Signature>) -> Result<(), Unusable> {
    if !prepared.awaits_previous {
        return Ok(());
    }
    let damaged = Unusable("its stored texts do not fit each other");
    let recording = prepared.previous_recording.parse().map_err(|_| damaged.clone())?;
    let (wanted, known) = (placeholder(recording).to_base64(), previous.ok_or(damaged.clone())?.to_base64());
    let before = Sha256Hash::of(&prepared.info).to_string();
    let line = |signature: &str| format!("\nPreviousSignature: {signature}\n");
    let member = |signature: &str| format!("\"previousSignature\": \"{signature}\"");
    let info = replace_once(&prepared.info, &line(&wanted), &line(&known)).ok_or(damaged.clone())?;
    let after = Sha256Hash::of(&info).to_string();
    let journal = replace_once(&prepared.journal, &member(&wanted), &member(&known))
        .and_then(|journal| replace_once(&journal, &before, &after))
        .ok_or(damaged.clone())?;
    let sealed = prepared.sealed.as_mut().ok_or(damaged.clone())?;
    let texts = [(Section::Info, &info), (Section::Journal, &journal)];
    for (section, content) in texts {
        let name = format!("{}{section}", sealed.base_name);
        let file = sealed.files.iter_mut().find(|file| file.name == name).ok_or(damaged.clone())?;
        *file = sealed_file(&HashedFile::of(name, content));
    }
    let hashed = sealed.files.iter().map(hashed_file).collect::<Option<Vec<_>>>().ok_or(damaged)?;
    prepared.hash_list = HashList::new(&hashed).to_bytes();
    (prepared.info, prepared.journal, prepared.awaits_previous) = (info, journal, false);
    Ok(())
}

/// The signature's file, and its place and the hash list's in the announcement.
pub fn finish(prepared: &mut Prepared, signature: &Signature) {
    prepared.signature_file = signature.to_file();
    if let Some(sealed) = &mut prepared.sealed {
        let name = |section: Section| format!("{}{section}", sealed.base_name);
        let files = [
            HashedFile::of(name(Section::HashList), &prepared.hash_list),
            HashedFile::of(name(Section::Signature), &prepared.signature_file),
        ];
        // A replay may find the list already: it was announced with it by an earlier version.
        sealed.files.retain(|file| files.iter().all(|new| new.name != file.name));
        sealed.files.extend(files.iter().map(sealed_file));
        if let Some(row) = &mut sealed.row {
            row.signature = signature.to_base64();
        }
    }
}

/// Stands where a signature will: no signature has its length, and the text is found nowhere else.
fn placeholder(recording: RecordingId) -> Signature {
    let text = format!("the signature of {recording}");
    Signature::new(Sha256Hash::of(text.as_bytes()).as_bytes().to_vec())
}

/// `None` unless `old` stands in `bytes` exactly once.
fn replace_once(bytes: &[u8], old: &str, new: &str) -> Option<Vec<u8>> {
    let text = str::from_utf8(bytes).ok()?;
    let (before, after) = text.split_once(old)?;
    (!after.contains(old)).then(|| [before, new, after].concat().into_bytes())
}

fn sealed_file(file: &HashedFile) -> SealedFile {
    SealedFile { name: file.name.clone(), size: file.size, sha256: file.sha256.as_bytes().to_vec() }
}

fn hashed_file(file: &SealedFile) -> Option<HashedFile> {
    let sha256: [u8; 32] = file.sha256.as_slice().try_into().ok()?;
    Some(HashedFile { name: file.name.clone(), size: file.size, sha256: sha256.into() })
}
