//! JSON for other programs: one object, written while it is verified, so that it may be of any length.

use std::io::{self, Write};

use evidence::verify::{
    AbsentRecording, ArchiveReport, FirstOf, LaneReport, LogReport, ProofOutcome, RecordingReport,
    StampOutcome,
};
use serde_json::{Value, json};

use super::{output::Output, verdict::Verdict};

/// Writes the object.
pub(super) struct Json<W> {
    out: W,
    /// Something stands in the list of recordings.
    begun: bool,
    strays: FirstOf<String>,
}

impl<W: Write> Json<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, begun: false, strays: FirstOf::default() }
    }

    /// What comes before a recording, or before the end of their list.
    fn begin(&mut self) -> io::Result<()> {
        self.out.write_all(if self.begun { b"" } else { b"{\"recordings\":[" })
    }
}

impl<W: Write> Output for Json<W> {
    fn recording(&mut self, report: &RecordingReport) -> io::Result<()> {
        self.begin()?;
        if std::mem::replace(&mut self.begun, true) {
            self.out.write_all(b",")?;
        }
        self.out.write_all(b"\n")?;
        serde_json::to_writer(&mut self.out, &recording(report)).map_err(io::Error::from)
    }

    fn stray(&mut self, path: &str) -> io::Result<()> {
        self.strays.push(path.to_owned());
        Ok(())
    }

    fn finish(&mut self, verdict: &Verdict<'_>) -> io::Result<()> {
        self.begin()?;
        self.out.write_all(b"\n],\n")?;
        let summary = verdict.summary;
        let (began, ended) = verdict.times;
        let certificates = verdict.keys.certificates().map(|certificate| {
            let id = certificate.public_key().id();
            json!({
                "subject": certificate.subject(),
                "sha256Fingerprint": certificate.fingerprint().to_string(),
                "keyId": id.to_string(),
                "recordings": summary.signed_by.get(&id).copied().unwrap_or_default(),
                "given": verdict.certificates_given,
            })
        });
        for (key, value) in [
            ("strays", json!(self.strays.first)),
            ("lanes", summary.lanes.iter().map(lane).collect()),
            ("archives", summary.archives.iter().map(archive).collect()),
            ("logsNotHere", json!(summary.logs_not_here)),
            ("certificates", certificates.collect()),
            (
                "summary",
                json!({
                    "recordings": summary.recordings,
                    "wrong": summary.wrong,
                    "verifiedBefore": summary.verified_before,
                    "strays": summary.strays,
                    "proofsNotJudged": summary.proofs_not_checked,
                    "timeStampsGood": summary.stamps_good,
                    "timeStampsNotJudged": summary.stamps_not_checked,
                    "chainsWithoutLog": verdict.without_log().count(),
                    "unfinished": summary.unfinished,
                    "linksOut": summary.links_out,
                    "began": began,
                    "ended": ended,
                }),
            ),
        ] {
            writeln!(self.out, "\"{key}\":{value},")?;
        }
        writeln!(self.out, "\"good\":{}}}", verdict.is_good())?;
        self.out.flush()
    }
}

fn texts<T: ToString>(list: &FirstOf<T>) -> Value {
    json!({ "count": list.count(), "first": list.first.iter().map(ToString::to_string).collect::<Vec<_>>() })
}

fn recording(report: &RecordingReport) -> Value {
    let (logged, logged_at) = match report.proof {
        ProofOutcome::Absent => ("none", None),
        ProofOutcome::NotChecked => ("not-judged", None),
        ProofOutcome::Logged(at) => ("good", Some(at)),
        ProofOutcome::Wrong => ("wrong", None),
    };
    let (stamp, stamped_at) = match report.time_stamp {
        StampOutcome::Absent => ("none", None),
        StampOutcome::NotChecked => ("not-judged", None),
        StampOutcome::At(at) => ("good", Some(at)),
        StampOutcome::Wrong => ("wrong", None),
    };
    json!({
        "recording": report.recording.to_string(),
        "baseName": report.base.as_str(),
        "folder": report.folder,
        "good": report.findings.is_empty(),
        "findings": report.findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "tenant": report.place.as_ref().map(|(lane, _)| lane.tenant.to_string()),
        "class": report.place.as_ref().map(|(lane, _)| lane.class.to_string()),
        "position": report.place.as_ref().map(|(_, position)| position),
        "keyId": report.signed_by.map(|key| key.to_string()),
        "logProof": logged,
        "logged": logged_at,
        "timeStamp": stamp,
        "timeStamped": stamped_at,
        "verifiedBefore": report.verified_before,
    })
}

fn absent(absent: &AbsentRecording) -> Value {
    let AbsentRecording { recording, position, started } = absent;
    json!({ "recording": recording.to_string(), "position": position, "started": started })
}

fn lane(report: &LaneReport) -> Value {
    let gone = &report.absent;
    json!({
        "archive": report.archive,
        "tenant": report.lane.tenant.to_string(),
        "class": report.lane.class.to_string(),
        "good": report.is_good(),
        "recordings": report.recordings,
        "positions": [report.positions.0, report.positions.1],
        "started": [report.started.0, report.started.1],
        "missingBefore": report.missing_before,
        "problems": texts(&report.problems),
        "missing": { "count": gone.missing.count(), "first": gone.missing.first.iter().map(absent).collect::<Value>() },
        "elsewhere": gone.elsewhere,
        "deleted": {
            "count": gone.deleted.count(),
            "first": gone.deleted.first.iter().map(|deletion| json!({
                "recording": absent(&deletion.what),
                "at": deletion.at,
                "reason": deletion.reason,
                "by": deletion.by,
            })).collect::<Value>(),
        },
        "expired": gone.expired.as_ref().map(|expired| json!({
            "recordings": expired.recordings,
            "toPosition": expired.to_position,
            "to": expired.to,
        })),
        "outside": gone.outside,
        "onTheWay": gone.on_the_way,
        "notInLog": texts(&report.not_in_log),
        "beforeLog": report.before_log,
        "hasLog": report.has_log,
    })
}

fn archive(report: &ArchiveReport) -> Value {
    json!({
        "folder": report.folder,
        "good": report.is_good(),
        "findings": texts(&report.findings),
        "logs": report.logs.iter().map(log).collect::<Value>(),
    })
}

fn log(report: &LogReport) -> Value {
    json!({
        "tenant": report.tenant.to_string(),
        "good": report.is_good(),
        "target": report.target,
        "origin": report.head.as_ref().map(|head| head.origin.clone()),
        "size": report.head.as_ref().map(|head| head.size),
        "root": report.head.as_ref().map(|head| head.root.to_string()),
        "times": report.times.map(|(first, last)| [first, last]),
        "cosignatures": report.head.as_ref().map(|head| head.cosignatures),
        "witnessed": report.head.iter().flat_map(|head| &head.witnessed)
            .map(|(name, at)| json!({ "witness": name, "at": at })).collect::<Value>(),
        "continuesGiven": report.continues,
        "timeStampsGood": report.stamps.good,
        "timeStampsNotJudged": report.stamps.not_checked,
        "newestTimeStamp": report.stamps.newest.as_ref().map(|(size, at, authority)| json!({
            "size": size, "at": at, "authority": authority,
        })),
        "newerThanLog": report.newer_than_log,
        "findings": texts(&report.findings),
        "stopped": report.deeds.stopped,
        "played": report.deeds.played,
        "exported": report.deeds.exported,
        "deleted": report.deeds.deleted,
        "notes": report.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
