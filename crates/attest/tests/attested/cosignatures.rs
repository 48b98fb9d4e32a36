//! F-58: what a witness answers is believed only when it is its own signature over this checkpoint.

use attest::{AttestError, WitnessClient};
use domain::resources::tenant::evidence::Witness;
use evidence::{
    Sha256Hash,
    log::{
        Checkpoint, LogKey, LogPublicKey, NoteSignature, SignedCheckpoint, WitnessKey,
        witness::{AddCheckpoint, answer},
    },
};
use harness::http_answers::{Answer, Asked, HttpAnswers};
use jiff::{SignedDuration, Timestamp};
use ring::signature::{Ed25519KeyPair, KeyPair};

pub struct Cosigner {
    pair: Ed25519KeyPair,
    pub key: WitnessKey,
}

impl Cosigner {
    pub fn new(seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let key = WitnessKey::new("audit.example/w", pair.public_key().as_ref().try_into().unwrap()).unwrap();
        Self { pair, key }
    }

    pub fn cosign(&self, body: &str, at: Timestamp) -> NoteSignature {
        let signature = self.pair.sign(WitnessKey::message(body, at).as_bytes());
        self.key.note_signature(at, signature.as_ref().try_into().unwrap())
    }
}

pub fn checkpoint(size: u64) -> SignedCheckpoint {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let public = LogPublicKey::Ed25519(pair.public_key().as_ref().try_into().unwrap());
    let checkpoint = Checkpoint { origin: "log.example".into(), size, root: Sha256Hash::of(b"root") };
    let signature = pair.sign(checkpoint.body().as_bytes()).as_ref().to_vec();
    SignedCheckpoint::new(checkpoint, &LogKey { name: "log.example".into(), public }, signature).unwrap()
}

pub fn client(url: String, key: &WitnessKey) -> WitnessClient {
    let configured = Witness { name: "auditor".parse().unwrap(), url, key: key.vkey() };
    WitnessClient::new(&configured).unwrap()
}

async fn answered(
    answer: impl Fn(Asked) -> Answer + Send + 'static,
) -> Result<Vec<NoteSignature>, AttestError> {
    let server = HttpAnswers::start(answer).unwrap();
    client(server.url(), &Cosigner::new(2).key).cosign(0, &[], &checkpoint(5)).await
}

#[tokio::test]
async fn f58_a_cosignature_comes_back_and_makes_the_checkpoint_cosigned() {
    let proof = [Sha256Hash::of(b"left"), Sha256Hash::of(b"right")];
    let server = HttpAnswers::start(move |asked| {
        let request = AddCheckpoint::parse(&asked.body).unwrap();
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/add-checkpoint"));
        assert_eq!((request.old_size, &*request.proof), (3, proof.as_slice()));
        let signed = SignedCheckpoint::parse(&request.checkpoint).unwrap();
        let body = signed.checkpoint.body();
        // A witness may sign with several keys; ours is the second.
        let now = Timestamp::now();
        let lines = [Cosigner::new(9).cosign(&body, now), Cosigner::new(2).cosign(&body, now)];
        Answer::ok(answer(&lines))
    })
    .unwrap();
    let key = Cosigner::new(2).key;
    let mut signed = checkpoint(5);
    let lines = client(server.url(), &key).cosign(3, &proof, &signed).await.unwrap();
    assert_eq!(lines.len(), 1);
    lines.into_iter().for_each(|line| signed.add(line));
    let by = signed.cosigned_by(&[key]);
    assert!(matches!(&*by, [(name, _)] if name == "audit.example/w"), "{by:?}");
}

#[tokio::test]
async fn a_witness_that_saw_another_tree_says_which() {
    let conflict = answered(|_| Answer::status(409, b"17\n".to_vec())).await;
    assert!(matches!(conflict, Err(AttestError::Conflict { size: 17 })), "{conflict:?}");
    let unreadable = answered(|_| Answer::status(409, b"many".to_vec())).await;
    assert!(matches!(unreadable, Err(AttestError::NotWitness)), "{unreadable:?}");
}

#[tokio::test]
async fn what_is_no_cosignature_over_this_checkpoint_is_refused() {
    let now = Timestamp::now;
    let body = |size| checkpoint(size).checkpoint.body();
    let of_another_key =
        answered(move |_| Answer::ok(answer(&[Cosigner::new(3).cosign(&body(5), now())]))).await;
    assert!(matches!(of_another_key, Err(AttestError::NotCosigned)), "{of_another_key:?}");
    let over_another =
        answered(move |_| Answer::ok(answer(&[Cosigner::new(2).cosign(&body(6), now())]))).await;
    assert!(matches!(over_another, Err(AttestError::NotCosigned)), "{over_another:?}");
    let yesterday = move || now().checked_sub(SignedDuration::from_hours(24)).unwrap();
    let old = answered(move |_| Answer::ok(answer(&[Cosigner::new(2).cosign(&body(5), yesterday())]))).await;
    assert!(matches!(old, Err(AttestError::Clock(_))), "{old:?}");
    let nothing = answered(|_| Answer::ok(Vec::new())).await;
    assert!(matches!(nothing, Err(AttestError::NotWitness)), "{nothing:?}");
    let page = answered(|_| Answer::ok(b"<html>\n".to_vec())).await;
    assert!(matches!(page, Err(AttestError::NotWitness)), "{page:?}");
    let endless = answered(|_| Answer::ok(vec![b'a'; 100_000])).await;
    assert!(matches!(endless, Err(AttestError::TooLong)), "{endless:?}");
    let wrong = answered(|_| Answer::status(422, Vec::new())).await;
    assert!(matches!(wrong, Err(AttestError::Status(422))), "{wrong:?}");
}

#[test]
fn a_key_that_was_copied_with_an_error_is_told_at_once() {
    let good = Cosigner::new(2).key.vkey();
    let changed = good.replacen("audit", "audlt", 1);
    let configured =
        Witness { name: "auditor".parse().unwrap(), url: "http://127.0.0.1:1".into(), key: changed };
    assert!(matches!(WitnessClient::new(&configured), Err(AttestError::WitnessKey(_))));
}
