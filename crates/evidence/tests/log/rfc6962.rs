//! The tree of eight leaves that the reference implementation of Certificate Transparency is tested
//! with (RFC 6962): its roots, inclusion proofs and consistency proofs.

use evidence::{
    Sha256Hash,
    log::{Checkpoint, Frontier, is_continued, is_included, leaf_hash, node_hash, tiles},
};

use super::built::Files;

const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const LEAF_0: &str = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
const LEAF_1: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const LEAF_4: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const NODE_2_4: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const NODE_4_6: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
const NODE_6_8: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const NODE_4_8: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";

/// Index, size and hashes.
const INCLUSION: [(u64, u64, &[&str]); 5] = [
    (0, 1, &[]),
    (0, 8, &[LEAF_1, NODE_2_4, NODE_4_8]),
    (5, 8, &[LEAF_4, NODE_6_8, ROOTS[3]]),
    (2, 3, &[ROOTS[1]]),
    (1, 5, &[LEAF_0, NODE_2_4, LEAF_4]),
];

/// Older and newer size, and hashes.
const CONSISTENCY: [(u64, u64, &[&str]); 4] = [
    (1, 1, &[]),
    (1, 8, &[LEAF_1, NODE_2_4, NODE_4_8]),
    (6, 8, &[NODE_4_6, NODE_6_8, ROOTS[3]]),
    (2, 5, &[NODE_2_4, LEAF_4]),
];

fn leaves() -> [Vec<u8>; 8] {
    LEAVES.map(|leaf| hex::decode(leaf).unwrap())
}

fn hash(text: &str) -> Sha256Hash {
    text.parse().unwrap()
}

fn hashes(texts: &[&str]) -> Vec<Sha256Hash> {
    texts.iter().map(|text| hash(text)).collect()
}

fn root(size: u64) -> Sha256Hash {
    size.checked_sub(1).map_or(hash(EMPTY), |at| hash(ROOTS[at as usize]))
}

fn head(size: u64) -> Checkpoint {
    Checkpoint { origin: "test".into(), size, root: root(size) }
}

/// The tiles of all sizes from 1 to `size`.
fn tiles_of(size: usize) -> Files {
    let mut files = Files::new();
    for n in 0..size {
        let grown = tiles::grow(&files, n as u64, root(n as u64), &leaves()[n..=n]).unwrap();
        assert_eq!(grown.root, root(n as u64 + 1), "tlog_tiles, {} leaves", n + 1);
        files.extend(grown.files);
    }
    files
}

#[test]
fn the_roots_are_those_of_the_reference_tree() {
    let mut frontier = Frontier::default();
    assert_eq!(frontier.root(), hash(EMPTY));
    for (leaf, root) in leaves().iter().zip(ROOTS) {
        frontier.append(leaf_hash(leaf));
        assert_eq!(frontier.root(), hash(root), "{} leaves", frontier.size());
        assert_eq!(Frontier::from_bytes(&frontier.to_bytes()).as_ref(), Ok(&frontier));
    }
    assert_eq!(node_hash(&hash(LEAF_0), &hash(LEAF_1)), hash(ROOTS[1]));
}

#[test]
fn the_inclusion_proofs_are_those_of_the_reference_tree() {
    let files = tiles_of(8);
    for (index, size, expected) in INCLUSION {
        let expected = hashes(expected);
        assert_eq!(tiles::inclusion(&files, &head(size), index).unwrap(), expected, "{index} of {size}");
        let leaf = leaf_hash(&leaves()[index as usize]);
        assert!(is_included(&expected, size, &root(size), index, &leaf), "{index} of {size}");
        for other in 0..size + 2 {
            let is_own = is_included(&expected, size, &root(size), other, &leaf);
            assert_eq!(is_own, other == index, "the proof of {index} of {size} as one of {other}");
        }
    }
}

#[test]
fn the_consistency_proofs_are_those_of_the_reference_tree() {
    let files = tiles_of(8);
    for (older, newer, expected) in CONSISTENCY {
        let expected = hashes(expected);
        assert_eq!(tiles::consistency(&files, &head(newer), older).unwrap(), expected, "{older} to {newer}");
        assert!(is_continued(&expected, newer, &root(newer), older, &root(older)), "{older} to {newer}");
        let wrong = root(older % 8 + 1);
        assert!(!is_continued(&expected, newer, &root(newer), older, &wrong), "{older} to {newer}");
    }
    assert!(is_continued(&[], 8, &root(8), 0, &hash(EMPTY)));
    assert!(!is_continued(&[], 8, &root(8), 0, &root(1)));
    assert!(!is_continued(&hashes(&[LEAF_0]), 8, &root(8), 0, &hash(EMPTY)));
    assert!(!is_continued(&[], 8, &root(8), 9, &root(1)), "a larger tree is not the older one");
}

#[test]
fn every_earlier_root_can_be_read_from_the_tiles() {
    let files = tiles_of(8);
    for size in 0..=8 {
        assert_eq!(tiles::root_at(&files, &head(8), size).unwrap(), root(size), "{size}");
    }
    assert!(tiles::root_at(&files, &head(8), 9).is_err());
}
