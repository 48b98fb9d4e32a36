//! Files of a recording.

use crate::deeds::{change_letter, flip, swap};
use crate::logged::{seal, write};
use crate::scene::whole;
use crate::signed::{info, recording, run};
use evidence::Section;
use std::fs;
use std::path::Path;

use super::Row;

pub(super) const ROWS: &[Row] = &[
    ("a byte of the audio", |copy| flip(&copy.file(1, Section::STEREO)), "changed since it was signed"),
    (
        "a byte of the info",
        |copy| flip(&copy.file(3, Section::Info)),
        "_info.txt: changed since it was signed",
    ),
    (
        "a byte of the journal text",
        |copy| flip(&copy.file(3, Section::Journal)),
        "changed since it was signed",
    ),
    (
        "a byte of the hash list",
        |copy| flip(&copy.file(3, Section::HashList)),
        "signature does not fit to the hash list",
    ),
    (
        "a byte of the signature",
        |copy| change_letter(&copy.file(3, Section::Signature)),
        "signature does not fit to the hash list",
    ),
    (
        "a byte of the proof",
        |copy| flip(&copy.file(3, Section::LogProof)),
        "the log proof (_log-proof.txt) is wrong",
    ),
    (
        "swapped audio",
        |copy| swap(&copy.file(1, Section::STEREO), &copy.file(3, Section::Info)),
        "changed since it was signed",
    ),
    (
        "swapped signatures",
        |copy| swap(&copy.file(1, Section::Signature), &copy.file(3, Section::Signature)),
        "changed or swapped",
    ),
    (
        "swapped proofs",
        |copy| swap(&copy.file(1, Section::LogProof), &copy.file(3, Section::LogProof)),
        "the entry in the log proof (_log-proof.txt) names another recording",
    ),
    (
        "a renamed file",
        |copy| fs::rename(copy.file(1, Section::STEREO), copy.path("2025/call.wav")).unwrap(),
        "call.wav: belongs to no recording",
    ),
    (
        "a renamed recording",
        |copy| {
            for path in copy.sealed(1).files() {
                let name = path.file_name().unwrap().to_str().unwrap().replace("_in_", "_out_");
                fs::rename(&path, path.with_file_name(name)).unwrap();
            }
        },
        "stands in the hash list, but is no file of this recording",
    ),
    (
        "an added file",
        |copy| write(&copy.file(5, Section::wav(None, 2)), b"x"),
        "added: the hash list does not name it",
    ),
    ("removed audio", |copy| fs::remove_file(copy.file(5, Section::STEREO)).unwrap(), ".wav: missing"),
    (
        "a removed hash list",
        |copy| fs::remove_file(copy.file(5, Section::HashList)).unwrap(),
        "the hash list (_hash.txt) is missing",
    ),
    (
        "a removed signature",
        |copy| fs::remove_file(copy.file(5, Section::Signature)).unwrap(),
        "the signature (_hash.SHA256withRSA.sig) is missing",
    ),
    (
        "a removed proof",
        |copy| fs::remove_file(copy.file(5, Section::LogProof)).unwrap(),
        "its log proof (_log-proof.txt) is missing",
    ),
    (
        "a recording signed anew by another key",
        |copy| {
            let list = copy.file(5, Section::HashList);
            let signature = whole().other_key.sign(&fs::read(&list).unwrap());
            fs::write(copy.file(5, Section::Signature), signature.to_file()).unwrap();
            write(&copy.path("callseal (2).pem"), whole().other_key.pem.as_bytes());
        },
        "signed by the key",
    ),
    (
        "a recording made anew by the right key",
        |copy| {
            let sealed = copy.sealed(5);
            let mut forged = info(5, &whole().key, Some(whole().sealed[2].head.clone()));
            forged.started = sealed.base.started().to_zoned(jiff::tz::TimeZone::UTC);
            forged.previous.as_mut().unwrap().position = 3;
            forged.previous.as_mut().unwrap().recording = recording(4);
            forged.rule = "another".into();
            let proof = fs::read(sealed.file(Section::LogProof)).unwrap();
            seal(&sealed.folder, &forged, &whole().key);
            fs::write(sealed.file(Section::LogProof), proof).unwrap();
        },
        "names another hash list",
    ),
    (
        "the same without its proof",
        |copy| {
            let sealed = copy.sealed(5);
            let mut forged = info(5, &whole().key, Some(whole().sealed[3].head.clone()));
            forged.started = sealed.base.started().to_zoned(jiff::tz::TimeZone::UTC);
            forged.rule = "another".into();
            seal(&sealed.folder, &forged, &whole().key);
            fs::remove_file(sealed.file(Section::LogProof)).unwrap();
        },
        "the log's entry names another signature: the recording was changed or replaced",
    ),
    (
        "a pipe in the place of a file",
        |copy| {
            let path = copy.file(5, Section::STEREO);
            fs::remove_file(&path).unwrap();
            run("mkfifo", &[path.to_str().unwrap()], Path::new("/"));
        },
        "cannot be read (it is no regular file)",
    ),
];
