//! The report that an auditor files: one HTML page that needs nothing else, and a signature beside it.
//!
//! Recordings stand in it by their ids: no numbers, no names, but where a finding names a file.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Seek, Write},
    path::{Path, PathBuf},
};

use evidence::verify::{FirstOf, ProofOutcome, RecordingReport};
use jiff::Timestamp;

use super::{
    ReportKey,
    output::Output,
    verdict::{Outcome, Said, Verdict, stamped, start},
};
use crate::terminal::printable;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:75em;margin:2em auto;padding:0 1em;color:#111}\
h1{font-size:1.6em}h2{font-size:1.2em;margin-top:2em;border-bottom:1px solid #999}\
.verdict{padding:.8em 1em;font-weight:bold;border:2px solid}.good{color:#060;background:#efe}.wrong{color:#900;background:#fee}\
table{border-collapse:collapse;font-size:.85em}td,th{border:1px solid #bbb;padding:.2em .5em;text-align:left;vertical-align:top}\
ul{list-style:none;padding:0}li.detail{margin-left:2em}li.wrong,td.wrong{color:#900;background:#fee}\
pre{background:#f4f4f4;padding:.6em;overflow:auto}code{font-size:.95em}@media print{body{max-width:none;margin:0}}";

/// What was checked, in the words of docs/evidence.md.
const HOW: &[&str] = &[
    "Each recording: the SHA-256 hashes of its files are those in its hash list, which names exactly these files; the hash list's signature is good by the certificate of the key that the recording names.",
    "Each chain: every recording names the one before it in its tenant and class, and that one's signature.",
    "Each log: its key is certified by the signing key, its newest checkpoint is signed by that key, and its entries, read one by one, hash to the root in the checkpoint.",
    "Each log proof: the log holds an entry that names exactly this recording, hash list, signature, key and place, under a signed checkpoint which the log here continues.",
    "Log against archive: each recording that the log says was sealed for this archive is here, was deleted with a reason, or belongs to a beginning that is gone as a whole.",
    "Time stamps, where authorities were given: each is of these bytes and by one of the authorities; no entry of the log claims a time that contradicts them by more than ten minutes.",
];

/// Collects, and writes the page at the end.
pub(super) struct Html {
    path: PathBuf,
    key: Option<ReportKey>,
    /// One row a recording, on disk: there may be a hundred thousand.
    rows: BufWriter<File>,
    wrong: FirstOf<(String, Vec<String>)>,
    strays: FirstOf<String>,
}

impl Html {
    /// A report at `path`; one that is there already is replaced when all is known.
    ///
    /// # Errors
    /// There is no room for temporary files, or no such folder.
    pub(super) fn new(path: &Path, key: Option<ReportKey>) -> io::Result<Self> {
        let rows = BufWriter::new(tempfile::tempfile_in(folder(path))?);
        let (wrong, strays) = (FirstOf::default(), FirstOf::default());
        Ok(Self { path: path.to_owned(), key, rows, wrong, strays })
    }

    fn page(&mut self, out: &mut impl Write, verdict: &Verdict<'_>) -> io::Result<()> {
        let (class, word) = match verdict.outcome() {
            Outcome::Good if verdict.without_log().next().is_some() => ("good", "Good as far as checked"),
            Outcome::Good => ("good", "All good"),
            Outcome::Wrong => ("wrong", "Something is wrong"),
            Outcome::Nothing => ("wrong", "Nothing was verified"),
        };
        write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Verification of recordings</title>\
             <style>{STYLE}</style></head><body>\n<h1>Verification of recordings</h1>\n<p class=\"verdict {class}\">{word}. {}</p>\n",
            escaped(&verdict.conclusion())
        )?;
        self.circumstances(out, verdict)?;
        list(out, "Recordings in their chains", &verdict.lanes())?;
        list(out, "Archives and their logs", &verdict.archives())?;
        list(out, "Certificates that the recordings were signed by", &verdict.certificates())?;
        self.findings(out)?;
        writeln!(out, "<h2>How it was verified</h2>\n<ol>")?;
        for how in HOW {
            writeln!(out, "<li>{}</li>", escaped(how))?;
        }
        writeln!(out, "</ol>\n<h2>This report</h2>")?;
        self.signature(out)?;
        writeln!(
            out,
            "<h2>Every recording</h2>\n<details><summary>{} recordings</summary>\n<table><tr><th>Recording</th><th>Began</th>\
             <th>Chain</th><th>Position</th><th>Logged</th><th>Time stamp</th><th>Verdict</th></tr>",
            verdict.summary.recordings
        )?;
        self.rows.flush()?;
        self.rows.get_mut().rewind()?;
        io::copy(&mut BufReader::new(self.rows.get_mut()), out)?;
        writeln!(out, "</table></details>\n</body></html>")
    }

    fn circumstances(&self, out: &mut impl Write, verdict: &Verdict<'_>) -> io::Result<()> {
        let row = |out: &mut dyn Write, name: &str, value: &str| {
            writeln!(out, "<tr><th>{name}</th><td>{}</td></tr>", escaped(value))
        };
        let (began, ended) = verdict.times;
        writeln!(out, "<table>")?;
        row(out, "Verified", &verdict.what.join(", "))?;
        row(out, "From, to", &format!("{}, {}", start(Some(began)), start(Some(ended))))?;
        row(out, "By", concat!("callseal verify ", env!("CARGO_PKG_VERSION")))?;
        let certificates = match verdict.certificates_given {
            true => "given by the auditor",
            false => {
                "found beside the archive: their fingerprints have to be compared with ones that came another way"
            }
        };
        row(out, "Certificates", certificates)?;
        let beginning = match verdict.complete {
            true => "every chain has to begin with its first recording",
            false => "the beginning of a chain may have expired",
        };
        row(out, "Beginnings", beginning)?;
        writeln!(out, "</table>")
    }

    fn findings(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "<h2>Recordings with findings</h2>")?;
        if self.wrong.is_empty() && self.strays.is_empty() {
            return writeln!(out, "<p>None.</p>");
        }
        writeln!(out, "<table><tr><th>Recording</th><th>Finding</th></tr>")?;
        for (recording, findings) in &self.wrong.first {
            writeln!(out, "<tr><td>{recording}</td><td class=\"wrong\">{}</td></tr>", findings.join("<br>"))?;
        }
        for stray in &self.strays.first {
            writeln!(
                out,
                "<tr><td>{}</td><td class=\"wrong\">belongs to no recording</td></tr>",
                escaped(stray)
            )?;
        }
        writeln!(out, "</table>")?;
        match self.wrong.more + self.strays.more {
            0 => Ok(()),
            more => writeln!(out, "<p>… and {more} more, see the list of every recording.</p>"),
        }
    }

    fn signature(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(key) = &self.key else {
            return writeln!(
                out,
                "<p>It is <strong>not signed</strong>: whoever files it vouches for it otherwise.</p>"
            );
        };
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        writeln!(
            out,
            "<p>It is signed by its auditor; the signature lies beside it. With this public key in the file <code>public.pem</code>, \
             compared with the auditor's, it is verified by</p>\n<pre>{}</pre>\n<pre>{}</pre>",
            escaped(&key.command(&name)),
            key.public_pem()
        )
    }
}

impl Output for Html {
    fn recording(&mut self, report: &RecordingReport) -> io::Result<()> {
        let good = report.findings.is_empty();
        let (lane, position) = match &report.place {
            Some((lane, position)) => (lane.to_string(), position.to_string()),
            None => ("?".into(), "?".into()),
        };
        let logged = match report.proof {
            ProofOutcome::Absent => String::new(),
            ProofOutcome::NotChecked => "not judged".into(),
            ProofOutcome::Logged(at) => start(Some(at)),
            ProofOutcome::Wrong => "WRONG".into(),
        };
        let (class, verdict) = if good { ("", "good") } else { (" class=\"wrong\"", "WRONG") };
        let began: Timestamp = report.base.started();
        let stamp = stamped(report.time_stamp);
        writeln!(
            self.rows,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{position}</td><td>{logged}</td><td>{stamp}</td><td{class}>{verdict}</td></tr>",
            report.recording,
            start(Some(began)),
            escaped(&lane)
        )?;
        if !good {
            let findings = report.findings.iter().map(|finding| escaped(&finding.to_string())).collect();
            self.wrong.push((report.recording.to_string(), findings));
        }
        Ok(())
    }

    fn stray(&mut self, path: &str) -> io::Result<()> {
        self.strays.push(path.to_owned());
        Ok(())
    }

    fn finish(&mut self, verdict: &Verdict<'_>) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder(&self.path))?;
        let mut out = BufWriter::new(file.as_file_mut());
        self.page(&mut out, verdict)?;
        out.flush()?;
        drop(out);
        file.as_file().sync_all()?;
        // A signature beside a report that it is not of would be worse than none.
        let beside = beside(&self.path);
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        file.persist(&self.path).map_err(|error| error.error)?;
        if let Some(key) = &self.key {
            let signature = key.sign(&fs::read(&self.path)?).map_err(io::Error::other)?;
            fs::write(beside, signature)?;
        }
        Ok(())
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `<report>.sig`.
fn beside(path: &Path) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

fn list(out: &mut impl Write, title: &str, all: &[Said]) -> io::Result<()> {
    writeln!(out, "<h2>{title}</h2>\n<ul>")?;
    for Said { wrong, detail, text } in all {
        let class = match (wrong, detail) {
            (false, false) => "",
            (true, false) => " class=\"wrong\"",
            (false, true) => " class=\"detail\"",
            (true, true) => " class=\"detail wrong\"",
        };
        writeln!(out, "<li{class}>{}</li>", escaped(text))?;
    }
    writeln!(out, "</ul>")
}

/// Text of others as text.
fn escaped(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
