//! `verify.sh` in the shells and with the tools of Linux, small Linux and BSD: what is good passes, and
//! each kind of damage is found and named.

mod provable;
mod signed;
mod systems;

use std::fs;

use evidence::Section;
use provable::{Kind, Provable, TestLogKey, state};
use signed::TestKey;
use systems::{Said, System};

/// What is done to a good archive, in which recording it shows (from 1; 0: in none), and the words.
struct Damage {
    name: &'static str,
    recording: usize,
    words: &'static str,
    done: fn(&Provable, &TestKey),
}

fn damage(
    name: &'static str,
    recording: usize,
    words: &'static str,
    done: fn(&Provable, &TestKey),
) -> Damage {
    Damage { name, recording, words, done }
}

fn flip(archive: &Provable, number: usize, section: Section, at: usize) {
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

fn damages() -> Vec<Damage> {
    vec![
        damage("audio changed", 2, ".wav: changed since it was signed", |a, _| {
            flip(a, 2, Section::STEREO, 44)
        }),
        damage("info changed", 2, "_info.txt: changed", |a, _| flip(a, 2, Section::Info, 300)),
        damage("journal changed", 2, "_journal.json: changed", |a, _| flip(a, 2, Section::Journal, 100)),
        damage("hash list changed", 2, "signature does not fit", |a, _| {
            // Audio and list changed together, as one would who knows how the list is made.
            fs::write(a.file(2, Section::STEREO), "other").unwrap();
            let old = fs::read_to_string(a.file(2, Section::HashList)).unwrap();
            let new = evidence::Sha256Hash::of(b"other").to_string();
            fs::write(a.file(2, Section::HashList), old.replacen(&old[..64], &new, 1)).unwrap();
        }),
        damage("hash list with a foreign line", 2, "not in the format", |a, _| {
            let mut list = fs::read_to_string(a.file(2, Section::HashList)).unwrap();
            list += "# a remark\n";
            fs::write(a.file(2, Section::HashList), list).unwrap();
        }),
        damage("hash list names a file elsewhere", 2, "not in the format", |a, _| {
            a.change(&a.file(2, Section::HashList), "  2026", "  ../2026");
        }),
        damage("hash list names less", 2, "names no audio file", |a, _| {
            let list = fs::read_to_string(a.file(2, Section::HashList)).unwrap();
            fs::write(a.file(2, Section::HashList), list.split_once('\n').unwrap().1).unwrap();
        }),
        damage("signature changed", 2, "signature does not fit", |a, _| flip(a, 2, Section::Signature, 20)),
        damage("signature empty", 2, "holds no signature", |a, _| {
            fs::write(a.file(2, Section::Signature), "").unwrap();
        }),
        damage("audio removed", 2, ".wav: is missing", |a, _| remove(a, Section::STEREO)),
        damage("info removed", 2, "_info.txt: is missing", |a, _| remove(a, Section::Info)),
        damage("hash list removed", 2, "the hash list (_hash.txt) is missing", |a, _| {
            remove(a, Section::HashList);
        }),
        damage("signature removed", 2, "signature (_hash.SHA256withRSA.sig) is missing", |a, _| {
            remove(a, Section::Signature);
        }),
        damage("a file added", 2, "_caller.wav: is not in the hash list", |a, _| {
            fs::write(a.file(2, Section::wav(Some(domain::Side::Caller), 1)), "x").unwrap();
        }),
        damage("audio swapped", 3, ".wav: changed", |a, _| {
            // Only the audio of the third is touched, so that one recording shows it.
            fs::copy(a.file(2, Section::Info), a.file(3, Section::STEREO)).unwrap();
        }),
        damage("signatures swapped", 2, "signature does not fit", |a, _| swap(a, Section::Signature)),
        damage("proofs swapped", 2, "another entry than the sealing of this recording", |a, _| {
            swap(a, Section::LogProof);
        }),
        damage("signed by another key", 2, "signature does not fit", |a, _| {
            let list = fs::read(a.file(2, Section::HashList)).unwrap();
            fs::write(a.file(2, Section::Signature), TestKey::new().sign(&list).to_file()).unwrap();
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
        }),
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
        }),
        damage("another place in the log", 2, "does not lead to the root", |a, _| {
            a.change(&a.file(2, Section::LogProof), "index 3", "index 2");
        }),
        damage("another size of the log", 2, "log", |a, _| {
            a.change(&a.file(2, Section::LogProof), "\n7\n", "\n8\n");
        }),
        damage("a proof that is none", 2, "the log proof cannot be read", |a, _| {
            fs::write(a.file(2, Section::LogProof), "proof\n").unwrap();
        }),
        damage("a checkpoint signed by nobody", 2, "not signed by its log", |a, _| {
            a.change(&a.file(2, Section::LogProof), "\u{2014} callseal.io", "\u{2014} example.com");
        }),
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
        }),
        damage("moved to another tenant", 2, "_info.txt: changed", |a, _| {
            a.change(&a.file(2, Section::Info), "Tenant: acme", "Tenant: evil");
        }),
        damage("a stray file", 0, "notes.txt: belongs to no recording", |a, _| {
            fs::write(a.folder().join("notes.txt"), "x").unwrap();
        }),
        damage("certificate of somebody else", 1, "there is no certificate of the key", |a, _| {
            fs::write(a.path().join("callseal.pem"), TestKey::new().pem).unwrap();
        }),
    ]
}

/// Good archives with both kinds of log keys pass; then each damage.
fn judge(system: &System) {
    let key = TestKey::new();
    let good = [Kind::Ed25519, Kind::P256].map(|kind| Provable::new(kind, &key));
    for archive in &good {
        let said = system.verify(&[archive.path()]);
        assert_eq!(said.code, 0, "{said}");
        for number in 1..=3 {
            assert!(said.has(&format!("ok     {}\n", archive.base(number))), "{said}");
        }
        assert!(said.has("chain  acme/regulated: 3 recordings, from position 1 to 3\n"), "{said}");
        assert!(said.has(&fingerprint(&key)) && said.has("3 recordings verified: all good\n"), "{said}");
    }
    for (damage, archive) in damages().into_iter().zip(good.iter().cycle()) {
        let archive = archive.copy();
        (damage.done)(&archive, &key);
        let said = system.verify(&[archive.path()]);
        let Damage { name, recording, words, .. } = damage;
        assert_eq!(said.code, 1, "{name}: {said}");
        let line = match recording {
            0 => said.line(&|line| line.starts_with("WRONG ")),
            number => said.line(&|line| line.starts_with(&format!("WRONG  {}: ", archive.base(number)))),
        };
        assert!(line.contains(words), "{name}: {said}");
        // Nobody else is blamed: only what is done to all concerns the first.
        for number in 1..recording {
            assert!(said.has(&format!("ok     {}\n", archive.base(number))), "{name}: {said}");
        }
        assert!(said.has("SOMETHING IS WRONG"), "{name}: {said}");
    }
}

/// As openssl shows it.
fn fingerprint(key: &TestKey) -> String {
    let hex = key.certificate.fingerprint().to_string().to_uppercase();
    let pairs: Vec<&str> = hex.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap()).collect();
    pairs.join(":")
}

#[test]
fn each_damage_is_found_in_dash() {
    judge(&System::shell(&["dash"]));
}

#[test]
fn each_damage_is_found_in_bash() {
    judge(&System::shell(&["bash", "--posix"]));
}

#[test]
fn each_damage_is_found_in_busybox_with_its_own_tools() {
    judge(&System::busybox());
}

#[test]
fn each_damage_is_found_with_the_tools_of_bsd_and_macos() {
    judge(&System::bsd());
}

#[test]
fn an_openssl_that_cannot_ed25519_says_so_and_does_not_pass() {
    let key = TestKey::new();
    let system = System::old_openssl();
    let said = system.verify(&[Provable::new(Kind::Ed25519, &key).path()]);
    assert_eq!(said.code, 2, "{said}");
    assert!(said.has("part   ") && said.has("use OpenSSL 3") && !said.has("all good"), "{said}");
    // It can what a log key of the other kind needs.
    let said = system.verify(&[Provable::new(Kind::P256, &key).path()]);
    assert_eq!(said.code, 0, "{said}");
}

#[test]
fn recordings_away_from_the_log_are_judged_by_what_they_hold_and_what_was_not_checked_is_said() {
    let key = TestKey::new();
    let archive = Provable::new(Kind::P256, &key);
    let system = System::shell(&["dash"]);
    fs::remove_dir_all(archive.path().join("log")).unwrap();
    let said = system.verify(&[archive.path()]);
    assert_eq!(said.code, 2, "{said}");
    assert!(said.has("log/acme/keys") && said.has("of 3 not everything could be checked"), "{said}");
    // archive.txt still says that there was one, and so that there have to be proofs.
    fs::remove_file(archive.file(1, Section::LogProof)).unwrap();
    let said = system.verify(&[archive.path()]);
    assert!(said.code == 1 && said.has("(_log-proof.txt) is missing"), "{said}");
    // Without anything that speaks of a log there need not be any.
    fs::remove_file(archive.path().join("archive.txt")).unwrap();
    for number in 2..=3 {
        fs::remove_file(archive.file(number, Section::LogProof)).unwrap();
    }
    let said = system.verify(&[archive.path()]);
    assert_eq!(said.code, 0, "{said}");
    assert!(said.has(&format!("ok     {} (without log proof)\n", archive.base(2))), "{said}");
}

#[test]
fn a_hole_in_a_chain_is_never_all_good() {
    let key = TestKey::new();
    for system in [System::shell(&["dash"]), System::busybox(), System::bsd()] {
        let archive = Provable::new(Kind::P256, &key);
        for file in fs::read_dir(archive.folder()).unwrap() {
            let file = file.unwrap();
            if file.file_name().to_str().unwrap().starts_with(archive.base(2)) {
                fs::remove_file(file.path()).unwrap();
            }
        }
        let said = system.verify(&[archive.path()]);
        assert_eq!(said.code, 2, "{said}");
        assert!(said.has("1 from position 2 are not here") && said.has("a chain has holes"), "{said}");
        assert!(said.has("use callseal verify") && !said.has("all good"), "{said}");
        // Two kinds of doubt are both said; what is wrong outweighs them.
        fs::remove_dir_all(archive.path().join("log")).unwrap();
        let said = system.verify(&[archive.path()]);
        assert_eq!(said.code, 2, "{said}");
        assert!(said.has("of 2 not everything could be checked, and a chain has holes"), "{said}");
        flip(&archive, 3, Section::STEREO, 44);
        assert_eq!(system.verify(&[archive.path()]).code, 1);
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let key = TestKey::new();
    // Who waits for ever is killed, and has no exit code.
    let system = System::shell(&["timeout", "-s", "KILL", "60", "dash"]);
    let good = Provable::new(Kind::Ed25519, &key);
    let pipe = |path: &std::path::Path| {
        let _absent = fs::remove_file(path);
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    };
    for section in [Section::STEREO, Section::Info, Section::HashList, Section::Signature, Section::LogProof]
    {
        let archive = good.copy();
        pipe(&archive.file(2, section));
        let said = system.verify(&[archive.path()]);
        assert_eq!(said.code, 1, "{said}");
        let line = said.line(&|line| line.starts_with(&format!("WRONG  {}: ", archive.base(2))));
        assert!(line.contains("is no regular file"), "{said}");
        assert!(said.has(&format!("ok     {}\n", archive.base(3))), "{said}");
        let said = system.verify(&[&archive.file(2, Section::Journal)]);
        assert!(said.code == 1 && said.has("is no regular file"), "{said}");
    }
    let archive = good.copy();
    pipe(&archive.path().join("other.pem"));
    pipe(&archive.path().join("archive.txt"));
    let said = system.verify(&[archive.path()]);
    assert_eq!(said.code, 0, "{said}");
    pipe(archive.statement().with_extension("txt.SHA256withRSA.sig").as_path());
    let said = system.verify(&[archive.path()]);
    assert!(said.code == 1 && said.has("not signed by the key that it names"), "{said}");
    pipe(&archive.statement());
    let said = system.verify(&[archive.path()]);
    assert!(said.code == 2 && said.has("the statement of the log's key"), "{said}");
}

#[test]
fn archives_below_one_folder_have_chains_of_their_own() {
    // Two installations: the same tenant and class, other keys and recordings.
    let keys = [TestKey::new(), TestKey::new()];
    let top = tempfile::tempdir().unwrap();
    for (name, key) in ["one", "two"].iter().zip(&keys) {
        let archive = Provable::new(Kind::P256, key);
        signed::run("cp", &["-R", ".", top.path().join(name).to_str().unwrap()], archive.path());
    }
    for system in [System::shell(&["dash"]), System::busybox(), System::bsd()] {
        let said = system.verify(&[top.path()]);
        assert_eq!(said.code, 0, "{said}");
        for name in ["one", "two"] {
            let folder = top.path().canonicalize().unwrap().join(name);
            let chain = format!(
                "chain  acme/regulated in {}: 3 recordings, from position 1 to 3\n",
                folder.display()
            );
            assert!(said.has(&chain), "{said}");
        }
    }
    // What was mixed up is still found: a recording of the one in a folder of the other.
    let (from, to) = (top.path().join("one").join(provable::FOLDER), top.path().join("two/2026 12"));
    signed::run("cp", &["-R", ".", to.to_str().unwrap()], &from);
    let said = System::shell(&["dash"]).verify(&[top.path()]);
    assert!(said.code == 1 && said.has("the chain was forked"), "{said}");
}

#[test]
fn only_certificates_that_were_given_are_trusted() {
    let (key, other) = (TestKey::new(), TestKey::new());
    let archive = Provable::new(Kind::Ed25519, &key);
    let system = System::shell(&["dash"]);
    let pem = tempfile::tempdir().unwrap();
    let (right, wrong) = (pem.path().join("the right.pem"), pem.path().join("wrong.pem"));
    fs::write(&right, &key.pem).unwrap();
    fs::write(&wrong, &other.pem).unwrap();
    let with = |certificate: &std::path::Path| {
        system.run(&["-c".as_ref(), certificate.as_os_str(), archive.path().as_os_str()])
    };
    let said = with(&wrong);
    assert!(said.code == 1 && said.has("there is no certificate of the key"), "{said}");
    let said = with(&right);
    assert!(said.code == 0 && !said.has("found beside the archive"), "{said}");
    let said = with(&archive.file(1, Section::Info));
    assert!(said.code == 2 && said.error.contains("is no certificate"), "{said}");
}

#[test]
fn one_recording_can_be_checked_by_any_of_its_files_and_holes_are_said() {
    let key = TestKey::new();
    let archive = Provable::new(Kind::Ed25519, &key);
    let system = System::shell(&["dash"]);
    let said = system.verify(&[&archive.file(3, Section::STEREO)]);
    assert_eq!(said.code, 0, "{said}");
    assert!(said.has("1 recordings verified: all good") && said.has("2 before them are not here"), "{said}");
    let said = system.verify(&[&archive.file(1, Section::Info), &archive.file(3, Section::Info)]);
    assert!(said.code == 2 && said.has("1 from position 2 are not here"), "{said}");
}

#[test]
fn a_chain_that_does_not_continue_is_wrong() {
    let key = TestKey::new();
    let archive = Provable::new(Kind::Ed25519, &key);
    // Another second recording, sealed after the first by the same key: the chain is forked, and the
    // third continues only one of them.
    let folder = archive.path().join("fork");
    fs::create_dir(&folder).unwrap();
    let first = evidence::ParsedInfo::parse(&fs::read(archive.file(1, Section::Info)).unwrap());
    let signature = fs::read(archive.file(1, Section::Signature)).unwrap();
    let head = evidence::LaneHead {
        position: 1,
        recording: first.recording().unwrap(),
        signature: evidence::Signature::parse(&signature).unwrap(),
    };
    let mut info = signed::info(2, &key, Some(head));
    info.recording = signed::recording(9);
    signed::seal(&folder, &info, &key);
    let said = System::shell(&["dash"]).verify(&[archive.path()]);
    assert!(said.code == 1 && said.has("claims the same place in the chain as"), "{said}");
    assert!(said.has("does not continue the chain after"), "{said}");
}

#[test]
fn wrong_usage_is_code_2_and_says_how() {
    let system = System::shell(&["dash"]);
    let dir = tempfile::tempdir().unwrap();
    let none: Said = system.run(&[]);
    assert!(none.code == 2 && none.error.contains("usage: "), "{none}");
    let empty = system.verify(&[dir.path()]);
    assert!(empty.code == 2 && empty.error.contains("there is no recording"), "{empty}");
    let missing = system.verify(&[&dir.path().join("nothing")]);
    assert!(missing.code == 2 && missing.error.contains("is not there"), "{missing}");
}
