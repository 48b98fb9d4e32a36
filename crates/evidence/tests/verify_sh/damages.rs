//! What is done to a good archive, and what `verify.sh` has to say of it.

use std::fs;

use evidence::Section;

use crate::{
    provable::{Kind, Provable, TestLogKey, state},
    signed::TestKey,
};

/// What is done to a good archive, in which recording it shows (from 1; 0: in none), and the words.
pub struct Damage {
    pub name: &'static str,
    pub recording: usize,
    pub words: &'static str,
    pub done: fn(&Provable, &TestKey),
    /// Found by a tool that differs between systems: tried on each of them, not in one shell alone.
    pub everywhere: bool,
}

impl Damage {
    fn everywhere(self) -> Self {
        Self { everywhere: true, ..self }
    }
}

fn damage(
    name: &'static str,
    recording: usize,
    words: &'static str,
    done: fn(&Provable, &TestKey),
) -> Damage {
    Damage { name, recording, words, done, everywhere: false }
}

/// Changes a bit.
pub fn flip(archive: &Provable, number: usize, section: Section, at: usize) {
    let path = archive.file(number, section);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn remove(archive: &Provable, section: Section) {
    fs::remove_file(archive.file(2, section)).unwrap();
}

fn swap(archive: &Provable, section: Section) {
    let (a, b) = (archive.file(2, section), archive.file(3, section));
    let aside = archive.path().join("aside");
    fs::rename(&a, &aside).unwrap();
    fs::rename(&b, &a).unwrap();
    fs::rename(&aside, &b).unwrap();
}

/// Files and hash lists.
pub fn files() -> Vec<Damage> {
    vec![
        damage("audio changed", 2, ".wav: changed since it was signed", |a, _| {
            flip(a, 2, Section::STEREO, 44)
        })
        .everywhere(),
        damage("info changed", 2, "_info.txt: changed", |a, _| flip(a, 2, Section::Info, 300)),
        damage("journal changed", 2, "_journal.json: changed", |a, _| flip(a, 2, Section::Journal, 100)),
        damage("hash list with a foreign line", 2, "not in the format", |a, _| {
            let mut list = fs::read_to_string(a.file(2, Section::HashList)).unwrap();
            list += "# a remark\n";
            fs::write(a.file(2, Section::HashList), list).unwrap();
        })
        .everywhere(),
        damage("hash list names a file elsewhere", 2, "not in the format", |a, _| {
            a.change(&a.file(2, Section::HashList), "  2026", "  ../2026");
        })
        .everywhere(),
        damage("hash list names less", 2, "names no audio file", |a, _| {
            let list = fs::read_to_string(a.file(2, Section::HashList)).unwrap();
            fs::write(a.file(2, Section::HashList), list.split_once('\n').unwrap().1).unwrap();
        }),
        damage("audio removed", 2, ".wav: is missing", |a, _| remove(a, Section::STEREO)),
        damage("info removed", 2, "_info.txt: is missing", |a, _| remove(a, Section::Info)),
        damage("hash list removed", 2, "the hash list (_hash.txt) is missing", |a, _| {
            remove(a, Section::HashList);
        }),
        damage("a file added", 2, "_caller.wav: is not in the hash list", |a, _| {
            fs::write(a.file(2, Section::wav(Some(domain::Side::Caller), 1)), "x").unwrap();
        })
        .everywhere(),
        damage("audio swapped", 3, ".wav: changed", |a, _| {
            // Only the audio of the third is touched, so that one recording shows it.
            fs::copy(a.file(2, Section::Info), a.file(3, Section::STEREO)).unwrap();
        }),
        damage("a stray file", 0, "notes.txt: belongs to no recording", |a, _| {
            fs::write(a.folder().join("notes.txt"), "x").unwrap();
        })
        .everywhere(),
    ]
}

/// Signatures, keys and certificates.
pub fn signatures() -> Vec<Damage> {
    vec![
        damage("hash list changed", 2, "signature does not fit", |a, _| {
            // Audio and list changed together, as one would who knows how the list is made.
            fs::write(a.file(2, Section::STEREO), "other").unwrap();
            let old = fs::read_to_string(a.file(2, Section::HashList)).unwrap();
            let new = evidence::Sha256Hash::of(b"other").to_string();
            fs::write(a.file(2, Section::HashList), old.replacen(&old[..64], &new, 1)).unwrap();
        })
        .everywhere(),
        damage("signature changed", 2, "signature does not fit", |a, _| flip(a, 2, Section::Signature, 20)),
        damage("signature empty", 2, "holds no signature", |a, _| {
            fs::write(a.file(2, Section::Signature), "").unwrap();
        })
        .everywhere(),
        damage("signature removed", 2, "signature (_hash.SHA256withRSA.sig) is missing", |a, _| {
            remove(a, Section::Signature);
        }),
        damage("signatures swapped", 2, "signature does not fit", |a, _| swap(a, Section::Signature)),
        damage("signed by another key", 2, "signature does not fit", |a, _| {
            let list = fs::read(a.file(2, Section::HashList)).unwrap();
            fs::write(a.file(2, Section::Signature), TestKey::new().sign(&list).to_file()).unwrap();
        }),
        damage("moved to another tenant", 2, "_info.txt: changed", |a, _| {
            a.change(&a.file(2, Section::Info), "Tenant: acme", "Tenant: evil");
        }),
        damage("certificate of somebody else", 1, "there is no certificate of the key", |a, _| {
            fs::write(a.path().join("callseal.pem"), TestKey::new().pem).unwrap();
        })
        .everywhere(),
    ]
}

/// The log: proofs, checkpoints, the statement of its key.
pub fn log() -> Vec<Damage> {
    vec![
        damage("proofs swapped", 2, "another entry than the sealing of this recording", |a, _| {
            swap(a, Section::LogProof);
        }),
        damage("signed again after a change", 2, "another hash list or signature", |a, key| {
            // Who has the key can sign anything; the log still knows what was sealed.
            let path = a.file(2, Section::Journal);
            let changed = fs::read_to_string(&path).unwrap().replace("Müller", "Meier");
            let list = fs::read_to_string(a.file(2, Section::HashList)).unwrap();
            let (old, new) = (fs::read(&path).unwrap(), changed.as_bytes());
            let [old, new] = [old.as_slice(), new].map(|b| evidence::Sha256Hash::of(b).to_string());
            assert_ne!(old, new);
            let list = list.replace(&old, &new);
            fs::write(&path, changed).unwrap();
            fs::write(a.file(2, Section::HashList), &list).unwrap();
            fs::write(a.file(2, Section::Signature), key.sign(list.as_bytes()).to_file()).unwrap();
        })
        .everywhere(),
        damage("log proof removed", 2, "log proof (_log-proof.txt) is missing", |a, _| {
            remove(a, Section::LogProof);
        }),
        damage("log proof and archive.txt removed", 2, "log proof (_log-proof.txt) is missing", |a, _| {
            remove(a, Section::LogProof);
            fs::remove_file(a.path().join("archive.txt")).unwrap();
        }),
        damage("a byte of the proof", 2, "does not lead to the root", |a, _| {
            let text = fs::read_to_string(a.file(2, Section::LogProof)).unwrap();
            let hash = text.lines().nth(3).unwrap().to_owned();
            let other = if hash.starts_with('A') { "B" } else { "A" };
            a.change(&a.file(2, Section::LogProof), &hash, &format!("{other}{}", &hash[1..]));
        }),
        damage("a hash of the proof gone", 2, "does not lead to the root", |a, _| {
            let text = fs::read_to_string(a.file(2, Section::LogProof)).unwrap();
            let hash = format!("{}\n", text.lines().nth(3).unwrap());
            a.change(&a.file(2, Section::LogProof), &hash, "");
        })
        .everywhere(),
        damage("another place in the log", 2, "does not lead to the root", |a, _| {
            a.change(&a.file(2, Section::LogProof), "index 3", "index 2");
        }),
        damage("another size of the log", 2, "log", |a, _| {
            a.change(&a.file(2, Section::LogProof), "\n7\n", "\n8\n");
        }),
        damage("a proof that is none", 2, "the log proof cannot be read", |a, _| {
            fs::write(a.file(2, Section::LogProof), "proof\n").unwrap();
        })
        .everywhere(),
        damage("a checkpoint signed by nobody", 2, "not signed by its log", |a, _| {
            a.change(&a.file(2, Section::LogProof), "\u{2014} callseal.io", "\u{2014} example.com");
        })
        .everywhere(),
        damage("a statement that was changed", 1, "not signed by the key that it names", |a, _| {
            a.change(&a.statement(), "08:00:00", "07:00:00");
        }),
        damage("a statement for another log key", 1, "another log or key", |a, key| {
            // Signed by the right key, but put in the place of another.
            let other = TestLogKey::new(Kind::P256, "callseal.io/acme-1/acme/0a1b2c3d");
            let stated = state(a.path(), &other, key);
            let stated = a.path().join("log/acme").join(stated);
            fs::copy(&stated, a.statement()).unwrap();
            let signature = |path: &std::path::Path| format!("{}.SHA256withRSA.sig", path.display());
            fs::copy(signature(&stated), signature(&a.statement())).unwrap();
        })
        .everywhere(),
    ]
}
