use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;
use crate::{
    Sha256Hash,
    log::{Checkpoint, LogKey, LogPublicKey, NoteSignature},
};

struct Cosigner {
    pair: Ed25519KeyPair,
    key: WitnessKey,
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn cosigner(name: &str, seed: u8) -> Cosigner {
    let pair = pair(seed);
    let key = WitnessKey::new(name, pair.public_key().as_ref().try_into().unwrap()).unwrap();
    Cosigner { pair, key }
}

impl Cosigner {
    fn cosign(&self, body: &str) -> NoteSignature {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let signature = self.pair.sign(WitnessKey::message(body, at).as_bytes());
        self.key.note_signature(at, signature.as_ref().try_into().unwrap())
    }
}

fn checkpoint(size: u64) -> SignedCheckpoint {
    let pair = pair(1);
    let public = LogPublicKey::Ed25519(pair.public_key().as_ref().try_into().unwrap());
    let checkpoint = Checkpoint { origin: "log.example".into(), size, root: Sha256Hash::of(b"root") };
    let signature = pair.sign(checkpoint.body().as_bytes()).as_ref().to_vec();
    SignedCheckpoint::new(checkpoint, &LogKey { name: "log.example".into(), public }, signature).unwrap()
}

/// What an auditor hears who believes these witnesses and wants so many of them.
fn said(newest: &SignedCheckpoint, witnesses: &[&Cosigner], quorum: Option<usize>) -> Vec<String> {
    let options = Options {
        witnesses: witnesses.iter().map(|witness| witness.key.clone()).collect(),
        witness_quorum: quorum.map(|quorum| quorum.try_into().unwrap()),
        ..Options::default()
    };
    let mut findings = FirstOf::default();
    check(newest, &options, &mut findings);
    findings.first.iter().map(ToString::to_string).collect()
}

#[test]
fn of_three_witnesses_two_suffice_to_who_wants_two_and_the_missing_are_named_to_who_wants_more() {
    let (a, b, c) = (cosigner("a.example", 2), cosigner("b.example", 3), cosigner("c.example", 4));
    let all = [&a, &b, &c];
    let mut newest = checkpoint(5);
    assert_eq!(
        said(&newest, &all, Some(1)),
        [
            "the newest checkpoint is cosigned by 0 of the 1 witnesses that have to: not by a.example, b.example, c.example"
        ]
    );
    newest.add(a.cosign(&newest.checkpoint.body()));
    newest.add(b.cosign(&newest.checkpoint.body()));
    assert!(said(&newest, &all, Some(2)).is_empty());
    assert_eq!(
        said(&newest, &all, Some(3)),
        ["the newest checkpoint is cosigned by 2 of the 3 witnesses that have to: not by c.example"]
    );
    assert_eq!(said(&newest, &all, None), ["the newest checkpoint is not cosigned by the witness c.example"]);
}

#[test]
fn a_witness_that_signs_anything_else_is_none_of_the_quorum() {
    let (a, b) = (cosigner("a.example", 2), cosigner("b.example", 3));
    let impostor = cosigner("b.example", 9);
    let mut newest = checkpoint(5);
    let body = newest.checkpoint.body();
    newest.add(a.cosign(&body));
    // Its name by another key, and its key over another checkpoint.
    newest.add(impostor.cosign(&body));
    newest.add(b.cosign(&checkpoint(6).checkpoint.body()));
    assert_eq!(
        said(&newest, &[&a, &b], Some(2)),
        ["the newest checkpoint is cosigned by 1 of the 2 witnesses that have to: not by b.example"]
    );
}

#[test]
fn keys_are_counted_and_not_how_often_they_are_given_or_what_they_are_called() {
    let (a, namesake) = (cosigner("a.example", 2), cosigner("a.example", 3));
    let mut newest = checkpoint(5);
    newest.add(a.cosign(&newest.checkpoint.body()));
    assert_eq!(said(&newest, &[&a, &a], Some(2)).len(), 1);
    assert_eq!(
        said(&newest, &[&a, &namesake], None),
        ["the newest checkpoint is not cosigned by the witness a.example"]
    );
}
