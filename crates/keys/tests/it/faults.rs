//! Each fault of PIN, token, key and integrity, provoked for real, and what a person reads then.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use keys::{KeyError, KeyFault, KeyName, KeyOptions, RsaBits, softhsm};

use crate::token_process::{
    again, files, new_key, options, prepared, run, step, text, with_token_folder, words,
};

/// One way to go wrong.
struct Case {
    name: &'static str,
    /// Done to a token that holds the key `callseal` with its log key.
    harm: fn(&Path),
    /// How the options differ then.
    with: fn(&Path, KeyOptions) -> KeyOptions,
    fault: KeyFault,
    /// Both what is wrong, and what is to be done.
    says: [&'static str; 2],
}

fn nothing(_: &Path) {}

fn as_they_are(_: &Path, options: KeyOptions) -> KeyOptions {
    options
}

fn pin(folder: &Path) -> String {
    fs::read_to_string(folder.join("pin")).unwrap()
}

fn pkcs11_tool(folder: &Path, arguments: &[&str]) {
    let (module, pin) = (softhsm::find_module().unwrap(), pin(folder));
    let token = ["--module", module.to_str().unwrap(), "--token-label", "callseal", "--login", "--pin", &pin];
    run("pkcs11-tool", &[&token[..], arguments].concat(), folder);
}

const CASES: [Case; 17] = [
    Case {
        name: "library missing",
        harm: nothing,
        with: |_, options| KeyOptions { pkcs11_module: Some("/no/such/library.so".into()), ..options },
        fault: KeyFault::Setup,
        says: ["/no/such/library.so cannot be loaded", "install the HSM's software or correct the path"],
    },
    Case {
        name: "a file that is no library",
        harm: nothing,
        with: |_, options| KeyOptions { pkcs11_module: Some("/etc/hostname".into()), ..options },
        fault: KeyFault::Setup,
        says: ["/etc/hostname cannot be loaded", "correct the path"],
    },
    Case {
        name: "a library that is not PKCS#11",
        harm: nothing,
        with: |_, options| KeyOptions { pkcs11_module: Some(another_library()), ..options },
        fault: KeyFault::Setup,
        says: ["cannot be loaded", "correct the path"],
    },
    Case {
        name: "the folder of the tokens is away",
        harm: |folder| fs::rename(folder.join("tokens"), folder.join("away")).unwrap(),
        with: as_they_are,
        fault: KeyFault::Token,
        says: ["does not start", "the folder of its tokens"],
    },
    Case {
        name: "token missing",
        harm: nothing,
        with: |_, options| KeyOptions { pkcs11_token: "nobody".into(), ..options },
        fault: KeyFault::Token,
        says: ["no token with the label 'nobody'", "is the HSM connected"],
    },
    Case {
        name: "two tokens of one label",
        harm: |folder| {
            let made = [
                "--init-token",
                "--free",
                "--label",
                "callseal",
                "--so-pin",
                "12345678",
                "--pin",
                "12345678",
            ];
            run("softhsm2-util", &made, folder);
        },
        with: as_they_are,
        fault: KeyFault::Token,
        says: ["2 tokens have the label 'callseal'", "give each its own label"],
    },
    Case {
        name: "PIN file missing",
        harm: |folder| fs::remove_file(folder.join("pin")).unwrap(),
        with: as_they_are,
        fault: KeyFault::Pin,
        says: ["the file with the PIN", "No such file"],
    },
    Case {
        name: "PIN file empty",
        harm: |folder| fs::write(folder.join("pin"), "\n").unwrap(),
        with: as_they_are,
        fault: KeyFault::Pin,
        says: ["the file with the PIN", "the file is empty"],
    },
    Case {
        name: "no PIN at all",
        harm: nothing,
        with: |_, options| KeyOptions { pkcs11_pin_file: None, ..options },
        fault: KeyFault::Setup,
        says: ["the HSM's PIN is needed", "--pkcs11-pin-file"],
    },
    Case {
        name: "wrong PIN",
        harm: |folder| fs::write(folder.join("pin"), "not-the-pin").unwrap(),
        with: as_they_are,
        fault: KeyFault::Pin,
        says: ["the token 'callseal' refused the PIN", "correct the PIN"],
    },
    Case {
        name: "key missing",
        harm: nothing,
        with: |_, options| KeyOptions { key: "other".into(), ..options },
        fault: KeyFault::Key,
        says: ["holds no RSA key 'other'", "No key is made unasked"],
    },
    Case {
        name: "two keys of one label",
        harm: |folder| {
            let made = ["--keypairgen", "--key-type", "rsa:2048", "--label", "callseal", "--id", "99"];
            pkcs11_tool(folder, &made);
        },
        with: as_they_are,
        fault: KeyFault::Key,
        says: ["several keys 'callseal'", "one label, one key"],
    },
    Case {
        name: "log key missing",
        harm: |folder| {
            for kind in ["privkey", "pubkey"] {
                pkcs11_tool(folder, &["--delete-object", "--type", kind, "--label", "callseal-log"]);
            }
        },
        with: as_they_are,
        fault: KeyFault::Key,
        says: ["no log key beside it", "callseal key init --log"],
    },
    Case {
        name: "certificate missing",
        harm: |folder| pkcs11_tool(folder, &["--delete-object", "--type", "cert", "--label", "callseal"]),
        with: as_they_are,
        fault: KeyFault::Key,
        says: ["holds the key 'callseal' but no certificate", "start it again to finish it"],
    },
    Case {
        name: "private key missing, the rest is there",
        harm: |folder| pkcs11_tool(folder, &["--delete-object", "--type", "privkey", "--label", "callseal"]),
        with: as_they_are,
        fault: KeyFault::Integrity,
        says: ["not a usable key", "restore it from the HSM's backup"],
    },
    Case {
        name: "certificate of another key",
        harm: |folder| {
            let id = id_of_the_key(folder);
            pkcs11_tool(folder, &["--delete-object", "--type", "cert", "--label", "callseal"]);
            let made = "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=other -keyout other.key -outform DER -out other.der";
            run("openssl", &made.split(' ').collect::<Vec<_>>(), folder);
            let store = ["--write-object", "other.der", "--type", "cert", "--label", "callseal", "--id", &id];
            pkcs11_tool(folder, &store);
        },
        with: as_they_are,
        fault: KeyFault::Integrity,
        says: ["not a usable key with its certificate", "No key is made in its place"],
    },
    Case {
        name: "the file of the private key cannot be read",
        harm: |folder| fs::write(private_key_file(folder), "").unwrap(),
        with: as_they_are,
        fault: KeyFault::Integrity,
        says: ["not a usable key", "restore it from the HSM's backup"],
    },
];

/// Some library that every system has, and that has no tokens.
fn another_library() -> std::path::PathBuf {
    let places = [
        "/usr/lib/x86_64-linux-gnu/libz.so.1",
        "/usr/lib/aarch64-linux-gnu/libz.so.1",
        "/usr/lib64/libz.so.1",
    ];
    places.iter().map(Into::into).find(|path: &std::path::PathBuf| path.exists()).expect("zlib is installed")
}

fn id_of_the_key(folder: &Path) -> String {
    let (module, pin) = (softhsm::find_module().unwrap(), pin(folder));
    let list = ["--module", module.to_str().unwrap(), "--login", "--pin", &pin, "-O", "--type", "privkey"];
    let listed = run("pkcs11-tool", &list, folder);
    let key = listed.split("label:      callseal\n").nth(1).expect("the key is there");
    key.split("ID:         ").nth(1).unwrap().lines().next().unwrap().to_owned()
}

/// The largest object: RSA with its primes.
fn private_key_file(folder: &Path) -> std::path::PathBuf {
    let objects = files(&folder.join("tokens"), ".object");
    objects.into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

#[test]
fn each_fault_is_told_apart_in_words_a_person_can_act_on() {
    with_token_folder(|folder| {
        if let Ok(number) = step().parse::<usize>() {
            let case = &CASES[number];
            let options = (case.with)(folder, options(folder));
            let error = keys::open(&options, &options.key).expect_err(case.name);
            let (read, fault) = (words(&error), error.fault());
            println!("{}: ({fault}) {read}", case.name);
            assert_eq!(fault, case.fault, "{}: {read}", case.name);
            for said in case.says {
                assert!(read.contains(said), "{}: '{said}' is not in: {read}", case.name);
            }
            for secret in ["not-the-pin", "12345678"] {
                assert!(!read.contains(secret), "{}: a PIN is in: {read}", case.name);
            }
            return;
        }
        let options = prepared(folder);
        keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap();
        for (number, case) in CASES.iter().enumerate() {
            let copy = tempfile::tempdir().unwrap();
            copy_folder(folder, copy.path());
            softhsm::write_conf(copy.path()).unwrap();
            (case.harm)(copy.path());
            // A library is loaded, and a PIN accepted, once in a process.
            let output = again(copy.path(), &number.to_string());
            println!("{}", text(&output));
            assert!(output.status.success(), "{}: {}", case.name, text(&output));
        }
    });
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            fs::set_permissions(&target, Permissions::from_mode(0o700)).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_wrong_pin_is_taken_back_when_the_file_holds_the_right_one() {
    with_token_folder(|folder| {
        if step() == "wrong" {
            let options = options(folder);
            let right = pin(folder);
            fs::write(folder.join("pin"), "not-the-pin").unwrap();
            for _ in 0..3 {
                let error = keys::open(&options, &options.key).unwrap_err();
                assert!(matches!(error, KeyError::PinWrong(_)), "{error}");
            }
            fs::write(folder.join("pin"), right).unwrap();
            keys::open(&options, &options.key).unwrap();
            return;
        }
        let options = prepared(folder);
        keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap();
        let output = again(folder, "wrong");
        assert!(output.status.success(), "{}", text(&output));
    });
}

#[test]
fn the_pin_may_stand_in_the_environment() {
    with_token_folder(|folder| {
        if step() == "open" {
            let without_file = KeyOptions { pkcs11_pin_file: None, ..options(folder) };
            // The variable is set by whoever started this process.
            match std::env::var_os(keys::options::PIN_VARIABLE) {
                Some(_) => drop(keys::open(&without_file, &without_file.key).unwrap()),
                None => panic!("the variable is not set"),
            }
            return;
        }
        let options = prepared(folder);
        keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap();
        let output = crate::token_process::again_with(
            folder,
            "open",
            &[(keys::options::PIN_VARIABLE, &fs::read_to_string(folder.join("pin")).unwrap())],
        );
        assert!(output.status.success(), "{}", text(&output));
    });
}

#[test]
fn a_key_of_another_token_is_never_taken_for_the_missing_one() {
    with_token_folder(|folder| {
        let options = prepared(folder);
        keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap();
        let error = keys::open(&options, &KeyName::label("callsea")).unwrap_err();
        assert!(matches!(error, KeyError::KeyMissing { .. }), "{error}");
    });
}
