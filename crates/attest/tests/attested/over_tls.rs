//! Authorities and witnesses over TLS, with certificates of a CA that only the operator knows.

use std::{env, fs, path::Path, process::Command, sync::Arc};

use attest::{AttestError, TimeStampAuthority};
use evidence::{Sha256Hash, log::witness::answer};
use harness::{
    http_answers::{Answer, HttpAnswers},
    time_stamp_authority::{self as real, KeyKind},
};
use jiff::Timestamp;

use crate::{
    cosignatures::{Cosigner, checkpoint, client},
    stamps::configured,
};

/// Set where this test runs once more, in a process whose environment names the CAs.
const FOLDER: &str = "CALLSEAL_TEST_OVER_TLS";

const NAME: &str = "over_tls::a_ca_of_ones_own_is_believed_where_the_environment_names_it_and_nowhere_else";

#[tokio::test]
async fn a_ca_of_ones_own_is_believed_where_the_environment_names_it_and_nowhere_else() {
    if let Some(folder) = env::var_os(FOLDER) {
        let (stamped, cosigned) = asked(Path::new(&folder)).await;
        stamped.unwrap();
        return cosigned.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let (stamped, cosigned) = asked(folder.path()).await;
    for refused in [stamped, cosigned] {
        assert!(matches!(refused, Err(AttestError::Unreachable(_))), "{refused:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new(env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(FOLDER, folder.path())
        .env("SSL_CERT_FILE", folder.path().join("both.pem"))
        .output()
        .unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

/// What an authority and a witness answer whose CAs stand in `both.pem` of the folder.
async fn asked(folder: &Path) -> (Result<(), AttestError>, Result<(), AttestError>) {
    let (one, other) = (folder.join("authority"), folder.join("witness"));
    [&one, &other].into_iter().for_each(|folder| fs::create_dir(folder).unwrap());
    let authority = Arc::new(real::TimeStampAuthority::new(KeyKind::P256).unwrap());
    let stamps = authority.serve_tls(&one).unwrap();
    let cosigner = Cosigner::new(2);
    let key = cosigner.key.clone();
    let body = checkpoint(5).checkpoint.body();
    let witness = HttpAnswers::start_tls(&other, move |_| {
        Answer::ok(answer(&[cosigner.cosign(&body, Timestamp::now())]))
    });
    let witness = witness.unwrap();
    let cas = [&one, &other].map(|folder| fs::read_to_string(folder.join("ca.pem")).unwrap());
    fs::write(folder.join("both.pem"), cas.concat()).unwrap();

    assert!(stamps.url().starts_with("https://") && witness.url().starts_with("https://"));
    let configured = configured(format!("{}/tsr", stamps.url()), authority.root_pem().unwrap());
    let stamped = TimeStampAuthority::new(&configured).unwrap().stamp(&Sha256Hash::of(b"x")).await;
    let cosigned = client(witness.url(), &key).cosign(0, &[], &checkpoint(5)).await;
    (stamped.map(drop), cosigned.map(drop))
}
