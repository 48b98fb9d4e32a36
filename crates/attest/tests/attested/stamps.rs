//! F-58: tokens of `openssl ts` as authority, judged by us and by `openssl ts -verify`.

use std::{sync::Arc, time::Duration};

use attest::{AttestError, TimeStampAuthority};
use domain::resources::tenant::evidence::{Stamp, TimeStamps};
use evidence::{
    Sha256Hash,
    timestamp::{Authorities, TimeStampError, TimeStampToken, token_of_response},
};
use harness::{
    http_answers::{Answer, HttpAnswers},
    time_stamp_authority::{self as real, KeyKind, StampingCertificate},
};
use jiff::{SignedDuration, Timestamp};

/// An authority as a tenant configures it.
pub fn configured(url: String, authorities: String) -> TimeStamps {
    TimeStamps { url, authorities, stamp: Stamp::Checkpoints, every: Duration::from_secs(1) }
}

fn client(server: &HttpAnswers, root_pem: String) -> TimeStampAuthority {
    TimeStampAuthority::new(&configured(format!("{}/tsr", server.url()), root_pem)).unwrap()
}

async fn stamped(authority: &Arc<real::TimeStampAuthority>, hash: &Sha256Hash) -> TimeStampToken {
    let server = authority.serve().unwrap();
    client(&server, authority.root_pem().unwrap()).stamp(hash).await.unwrap()
}

#[tokio::test]
async fn f58_rsa_and_ec_authorities_are_believed_and_openssl_agrees() {
    let hash = Sha256Hash::of(b"a checkpoint");
    for kind in [KeyKind::Rsa, KeyKind::P256, KeyKind::P384] {
        let authority = Arc::new(real::TimeStampAuthority::new(kind).unwrap());
        let token = stamped(&authority, &hash).await;
        authority.verified_by_openssl(token.as_der(), &hash.to_string()).unwrap();
        let authorities = Authorities::from_pem(&authority.root_pem().unwrap()).unwrap();
        let stamp = token.verify(&authorities, &hash).unwrap();
        assert_eq!(stamp.authority, "CN=Stamp,O=Callseal test", "{kind:?}");
        assert_eq!((stamp.accuracy, stamp.serial.as_str()), (Duration::from_millis(1500), "02"), "{kind:?}");
        assert!(Timestamp::now().duration_since(stamp.time).abs() < SignedDuration::from_mins(1));
        // Kept raw: what is read again is the same.
        assert_eq!(TimeStampToken::from_der(token.as_der()).unwrap(), token);
    }
}

#[tokio::test]
async fn an_authority_that_names_its_certificate_by_sha1_is_believed_too() {
    let old = StampingCertificate { named_by: "sha1", ..Default::default() };
    let authority = Arc::new(real::TimeStampAuthority::with(KeyKind::Rsa, &old).unwrap());
    let hash = Sha256Hash::of(b"a checkpoint");
    let token = stamped(&authority, &hash).await;
    authority.verified_by_openssl(token.as_der(), &hash.to_string()).unwrap();
}

#[tokio::test]
async fn a_certificate_in_between_may_be_the_one_that_is_believed() {
    let authority = Arc::new(real::TimeStampAuthority::new(KeyKind::P256).unwrap());
    let between = std::fs::read_to_string(authority.folder().join("ca.pem")).unwrap();
    let server = authority.serve().unwrap();
    client(&server, between).stamp(&Sha256Hash::of(b"x")).await.unwrap();
}

#[tokio::test]
async fn each_wrong_token_is_refused_by_name() {
    let hash = Sha256Hash::of(b"a checkpoint");
    let good = Arc::new(real::TimeStampAuthority::new(KeyKind::P256).unwrap());
    let authorities = Authorities::from_pem(&good.root_pem().unwrap()).unwrap();
    let token = stamped(&good, &hash).await;
    assert_eq!(token.verify(&authorities, &Sha256Hash::of(b"other")), Err(TimeStampError::OtherHash));

    let elsewhere = real::TimeStampAuthority::new(KeyKind::P256).unwrap();
    let others = Authorities::from_pem(&elsewhere.root_pem().unwrap()).unwrap();
    assert_eq!(token.verify(&others, &hash), Err(TimeStampError::UnknownAuthority));

    // The same statement, signed under certificates that openssl ts would not stamp with.
    let signed_by = |stamping: StampingCertificate| {
        let authority = real::TimeStampAuthority::with(KeyKind::P256, &stamping).unwrap();
        let anew = authority.sign_anew(token.as_der()).unwrap();
        let authorities = Authorities::from_pem(&authority.root_pem().unwrap()).unwrap();
        let ours = TimeStampToken::from_der(&anew).unwrap().verify(&authorities, &hash).map(drop);
        (ours, authority.verified_by_openssl(&anew, &hash.to_string()).is_ok())
    };
    let default = StampingCertificate::default;
    assert_eq!(signed_by(default()), (Ok(()), true));
    for (stamping, error) in [
        (StampingCertificate { usage: "serverAuth", ..default() }, TimeStampError::NotForTimeStamps),
        (StampingCertificate { usage: "", ..default() }, TimeStampError::NotForTimeStamps),
        (
            StampingCertificate { usage: "critical,timeStamping,codeSigning", ..default() },
            TimeStampError::NotForTimeStamps,
        ),
        (StampingCertificate { usage: "timeStamping", ..default() }, TimeStampError::NotForTimeStamps),
        (
            StampingCertificate { to: Some("20210101000000Z".into()), ..default() },
            TimeStampError::CertificateExpired,
        ),
    ] {
        assert_eq!(signed_by(stamping.clone()), (Err(error), false), "{stamping:?}");
    }
    let later = StampingCertificate { from: Some("20480101000000Z".into()), ..default() };
    assert_eq!(signed_by(later), (Err(TimeStampError::CertificateNotValidYet), false));
}

#[tokio::test]
async fn no_changed_byte_makes_a_token_say_something_else() {
    let hash = Sha256Hash::of(b"a checkpoint");
    let authority = Arc::new(real::TimeStampAuthority::new(KeyKind::P256).unwrap());
    let authorities = Authorities::from_pem(&authority.root_pem().unwrap()).unwrap();
    let token = stamped(&authority, &hash).await;
    let said = token.verify(&authorities, &hash).unwrap();
    let mut unnoticed = 0;
    for at in 0..token.as_der().len() {
        for bit in [0x01, 0x80] {
            let mut changed = token.as_der().to_vec();
            changed[at] ^= bit;
            let judged =
                TimeStampToken::from_der(&changed).and_then(|token| token.verify(&authorities, &hash));
            if let Ok(stamp) = judged {
                assert_eq!(stamp, said, "byte {at}");
                unnoticed += 1;
            }
        }
    }
    // Only what nobody signs can change unnoticed: parameters of algorithms.
    assert!(unnoticed < 60, "{unnoticed} of {}", 2 * token.as_der().len());
}

#[tokio::test]
async fn an_old_answer_and_one_for_other_data_are_refused() {
    let authority = Arc::new(real::TimeStampAuthority::new(KeyKind::P256).unwrap());
    let root = authority.root_pem().unwrap();
    let hash = Sha256Hash::of(b"a checkpoint");
    // What it was asked first is what it answers for ever.
    let replayed = {
        let (authority, first) = (authority.clone(), std::sync::OnceLock::new());
        HttpAnswers::start(move |asked| {
            let first: &Vec<u8> = first.get_or_init(|| authority.answer(&asked.body).unwrap());
            Answer::ok(first.clone())
        })
        .unwrap()
    };
    let client = client(&replayed, root);
    client.stamp(&hash).await.unwrap();
    let error = |result: Result<TimeStampToken, AttestError>| match result {
        Err(AttestError::TimeStamp(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error(client.stamp(&hash).await), TimeStampError::OtherNonce);
    assert_eq!(error(client.stamp(&Sha256Hash::of(b"other")).await), TimeStampError::OtherHash);
}

#[tokio::test]
async fn an_authority_whose_clock_is_wrong_is_refused_although_it_signs() {
    let authority = Arc::new(real::TimeStampAuthority::new(KeyKind::P256).unwrap());
    let root = authority.root_pem().unwrap();
    let server = HttpAnswers::start(move |asked| {
        let token = token_of_response(&authority.answer(&asked.body).unwrap()).unwrap();
        let token = authority.sign_changed(token.as_der(), one_year_earlier).unwrap();
        // PKIStatusInfo "granted", then the token; a length of two bytes.
        let inner = [&[0x30, 3, 2, 1, 0][..], &token].concat();
        let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
        Answer::ok([&[0x30, 0x82], &length[..], &inner].concat())
    })
    .unwrap();
    let error = client(&server, root).stamp(&Sha256Hash::of(b"x")).await.unwrap_err();
    assert!(matches!(error, AttestError::Clock(off) if off.as_hours() / 24 >= 365), "{error}");
}

/// Changes the year of the GeneralizedTime (tag 24, 15 characters) in a statement.
fn one_year_earlier(statement: &mut [u8]) {
    let at = statement.windows(3).position(|bytes| bytes[..2] == [24, 15] && bytes[2] == b'2').unwrap() + 2;
    let year: u32 = std::str::from_utf8(&statement[at..at + 4]).unwrap().parse().unwrap();
    statement[at..at + 4].copy_from_slice((year - 1).to_string().as_bytes());
}
