use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair};
use tlog_tiles::{HashReader, prove_tree, stored_hashes_for_record_hash, tree_hash};

use super::*;
use crate::log::{LogPublicKey, WitnessKey};

const ORIGIN: &str = "callseal.io/test/acme/0badc0de";

fn signing(seed: u8) -> (Ed25519KeyPair, LogKey) {
    let signing = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = LogPublicKey::Ed25519(signing.public_key().as_ref().try_into().unwrap());
    (signing, LogKey { name: ORIGIN.into(), public })
}

/// A tree of `size` leaves; the leaves from `other` on are other ones.
struct Tree(Vec<Hash>);

impl HashReader for Tree {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

impl Tree {
    fn new(size: u64, other: u64) -> Self {
        let mut tree = Self(Vec::new());
        for number in 0..size {
            let leaf = if number < other { number.to_string() } else { format!("other {number}") };
            let hash = tlog_tiles::record_hash(leaf.as_bytes());
            let stored = stored_hashes_for_record_hash(number, hash, &tree).unwrap();
            tree.0.extend(stored);
        }
        tree
    }

    fn head(&self, size: u64) -> Head {
        let root = if size == 0 { Sha256Hash::of(b"") } else { tree_hash(size, self).unwrap().0.into() };
        Head { size, root }
    }

    /// A request as a log makes it.
    fn request(&self, old_size: u64, size: u64) -> AddCheckpoint {
        let proof = match old_size {
            0 => Vec::new(),
            old if old == size => Vec::new(),
            old => prove_tree(size, old, self).unwrap(),
        };
        let proof: Vec<Sha256Hash> = proof.into_iter().map(|hash| hash.0.into()).collect();
        let checkpoint = signed(1, self.head(size));
        AddCheckpoint { old_size, proof, checkpoint: checkpoint.to_bytes() }
    }
}

fn signed(seed: u8, head: Head) -> SignedCheckpoint {
    let (signing, key) = signing(seed);
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: head.size, root: head.root };
    let signature = signing.sign(checkpoint.body().as_bytes()).as_ref().to_vec();
    SignedCheckpoint::new(checkpoint, &key, signature).unwrap()
}

#[test]
fn a_request_is_written_as_c2sp_shows_it() {
    let request = Tree::new(5, 5).request(3, 5);
    let text = String::from_utf8(request.to_bytes()).unwrap();
    assert!(text.starts_with("old 3\n") && text.contains(&format!("\n\n{ORIGIN}\n5\n")), "{text}");
    assert_eq!(AddCheckpoint::parse(text.as_bytes()), Ok(request));
}

#[test]
fn a_tree_that_grows_is_agreed_to_and_every_other_one_refused_by_name() {
    let (tree, forked) = (Tree::new(9, 9), Tree::new(9, 4));
    let head = |size| Some(tree.head(size));
    let judged = |request: &AddCheckpoint, seen: Option<Head>| {
        let submitted = request.submitted(&[signing(1).1])?;
        request.continues(submitted.head, seen)
    };
    for (old, new) in [(0, 9), (5, 9), (8, 9), (5, 5)] {
        assert_eq!(judged(&tree.request(old, new), Some(tree.head(old)).filter(|_| old > 0)), Ok(()));
    }
    assert_eq!(judged(&tree.request(0, 0), None), Ok(()), "an empty tree");
    // Smaller than what was seen, whatever the request claims.
    assert_eq!(judged(&tree.request(3, 4), head(5)), Err(Refusal::Conflict { size: 5 }));
    let shrunk = AddCheckpoint { old_size: 5, ..tree.request(4, 4) };
    assert_eq!(judged(&shrunk, head(5)), Err(Refusal::BadRequest));
    assert_eq!(judged(&tree.request(0, 9), head(5)), Err(Refusal::Conflict { size: 5 }));
    assert_eq!(judged(&tree.request(5, 9), None), Err(Refusal::Conflict { size: 0 }));
    // Another history.
    assert_eq!(judged(&forked.request(5, 5), head(5)), Err(Refusal::Conflict { size: 5 }));
    assert_eq!(judged(&forked.request(5, 9), head(5)), Err(Refusal::Inconsistent));
    let proofless = AddCheckpoint { proof: Vec::new(), ..tree.request(5, 9) };
    assert_eq!(judged(&proofless, head(5)), Err(Refusal::Inconsistent));
    let superfluous = AddCheckpoint { proof: tree.request(5, 9).proof, ..tree.request(0, 9) };
    assert_eq!(judged(&superfluous, None), Err(Refusal::Inconsistent));
}

#[test]
fn only_checkpoints_that_a_known_key_signed_are_looked_at() {
    let request = Tree::new(5, 5).request(0, 5);
    let known = signing(1).1;
    let submitted = request.submitted(std::slice::from_ref(&known)).unwrap();
    assert_eq!((submitted.origin.as_str(), submitted.head), (ORIGIN, Tree::new(5, 5).head(5)));
    assert_eq!(request.submitted(&[signing(2).1]), Err(Refusal::NotSigned));
    assert_eq!(request.submitted(&[]), Err(Refusal::UnknownLog));
    // The old key and the new one of a log.
    assert!(request.submitted(&[signing(2).1, known.clone()]).is_ok());
    // Beside a good line a wrong one of a known key.
    let wrong = NoteSignature::new(ORIGIN.into(), signing(2).1.key_hash(), vec![0; 64]).unwrap();
    let spoilt = [request.checkpoint.clone(), wrong.to_bytes()].concat();
    let spoilt = AddCheckpoint { checkpoint: spoilt, ..request.clone() };
    assert_eq!(spoilt.submitted(&[signing(2).1, known.clone()]), Err(Refusal::NotSigned));
    assert!(spoilt.submitted(std::slice::from_ref(&known)).is_ok(), "of an unknown key: passed over");
    let text = String::from_utf8(request.checkpoint.clone()).unwrap();
    let changed = AddCheckpoint { checkpoint: text.replacen("\n5\n", "\n6\n", 1).into(), ..request };
    assert_eq!(changed.submitted(&[known]), Err(Refusal::NotSigned));
}

#[test]
fn extension_lines_are_signed_with_the_rest() {
    let (signing, key) = signing(1);
    let head = Tree::new(5, 5).head(5);
    let body = format!("{}extension\n", signed(1, head).checkpoint.body());
    let signature = signing.sign(body.as_bytes()).as_ref().to_vec();
    let line = NoteSignature::new(ORIGIN.into(), key.key_hash(), signature).unwrap();
    let checkpoint = [body.as_bytes(), b"\n", &line.to_bytes()].concat();
    let request = AddCheckpoint { old_size: 0, proof: Vec::new(), checkpoint };
    assert_eq!(request.submitted(&[key]).unwrap(), Submitted { origin: ORIGIN.into(), body, head });
}

#[test]
fn requests_that_are_none_are_refused() {
    let good = String::from_utf8(Tree::new(5, 5).request(3, 5).to_bytes()).unwrap();
    for bad in [
        String::new(),
        "old 3".into(),
        good.replacen("old 3", "old 03", 1),
        good.replacen("old 3", "old +3", 1),
        good.replacen("old 3", "old -3", 1),
        good.replacen("old 3", "new 3", 1),
        good.replacen("old 3\n", "old 3\nAAAA\n", 1),
        good.replacen("old 3\n", "old 3\r\n", 1),
        good.replacen("old 3\n", &format!("old 3\n{}", format!("{}=\n", "A".repeat(43)).repeat(64)), 1),
    ] {
        assert_eq!(AddCheckpoint::parse(bad.as_bytes()), Err(Refusal::BadRequest), "{bad}");
    }
    for bad in ["", "a\n", "a\n1\nAAAA\n\n", "\n\n\n\n", &format!("{ORIGIN}\n5\n\n— a AAAAAAAA\n")] {
        let request = AddCheckpoint { old_size: 0, proof: Vec::new(), checkpoint: bad.into() };
        assert_eq!(request.submitted(&[signing(1).1]), Err(Refusal::BadRequest), "{bad:?}");
    }
}

#[test]
fn sizes_and_signature_lines_are_read_as_they_are_written() {
    let key = WitnessKey::new("audit.example/w", [7; 32]).unwrap();
    let at = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let lines = vec![key.note_signature(at, &[9; 64])];
    assert_eq!(parse_answer(&answer(&lines)).unwrap(), lines);
    for bad in [&b""[..], b"\n", b"ok\n", b"\xff\n", &answer(&lines)[1..]] {
        assert_eq!(parse_answer(bad), None, "{bad:?}");
    }
    assert_eq!(parse_size(b"20852014\n"), Some(20_852_014));
    for bad in [&b""[..], b"7", b"007\n", b"7\n\n", b"-1\n", b"\xff\n"] {
        assert_eq!(parse_size(bad), None, "{bad:?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(AddCheckpoint::parse(&bytes).is_err());
        let request = AddCheckpoint { old_size: 0, proof: Vec::new(), checkpoint: bytes.clone() };
        prop_assert!(request.submitted(&[signing(1).1]).is_err());
        prop_assert!(parse_answer(&bytes).is_none());
        let _ = parse_size(&bytes);
    }

    #[test]
    fn no_tree_that_differs_is_ever_agreed_to(size in 1_u64..40, old in 1_u64..40, from in 0_u64..40) {
        let (old, size) = (old.min(size), old.max(size));
        let (tree, other) = (Tree::new(size, size), Tree::new(size, from));
        let request = other.request(old, size);
        let agreed = request.continues(other.head(size), Some(tree.head(old)));
        prop_assert_eq!(agreed.is_ok(), from >= old);
    }
}
