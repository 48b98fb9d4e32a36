//! The tree and its tiles, computed by two that know nothing of each other.

use evidence::{
    Sha256Hash,
    log::{
        Checkpoint, Frontier, is_continued, is_included, leaf_hash,
        tiles::{
            Inclusions, bundle_path, consistency, grow, inclusion, is_immutable, root_at, tile_path, width_of,
        },
    },
};
use proptest::prelude::*;

use super::built::Files;

fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("entry {n}").into_bytes()).collect()
}

fn root(entries: &[Vec<u8>]) -> Sha256Hash {
    let mut frontier = Frontier::default();
    entries.iter().for_each(|entry| frontier.append(leaf_hash(entry)));
    frontier.root()
}

#[test]
fn our_root_is_the_one_of_tlog_tiles_at_every_size_up_to_2000() {
    let entries = entries(2000);
    let (mut files, mut frontier) = (Files::new(), Frontier::default());
    for (size, entry) in (0..).zip(&entries) {
        let before = frontier.root();
        frontier.append(leaf_hash(entry));
        let grown = grow(&files, size, before, std::slice::from_ref(entry)).unwrap();
        assert_eq!((grown.size, grown.root), (frontier.size(), frontier.root()));
        // As the signer does it: what the new partial tile replaces is removed.
        files.retain(|path, _| is_immutable(path) || !grown.files.iter().any(|(new, _)| replaces(new, path)));
        files.extend(grown.files);
    }
    // 7 full tiles and a partial one, level 1 with a partial one; the same for the bundles.
    assert_eq!(files.keys().filter(|path| path.starts_with("tile/0/")).count(), 8);
    assert_eq!(files.keys().filter(|path| path.starts_with("tile/1/")).count(), 1);
    assert_eq!(files.keys().filter(|path| path.starts_with("tile/entries/")).count(), 8);
}

/// Whether `new` is the wider form of the partial tile `old`.
fn replaces(new: &str, old: &str) -> bool {
    let full = |path: &str| path.split_once(".p/").map_or(path.to_owned(), |(full, _)| full.to_owned());
    full(new) == full(old)
}

#[test]
fn paths_are_those_of_the_specification() {
    assert_eq!(tile_path(4, 1_234_067, 256), "tile/4/x001/x234/067");
    assert_eq!(tile_path(0, 0, 1), "tile/0/000.p/1");
    assert_eq!(bundle_path(1000, 255), "tile/entries/x001/000.p/255");
    // The tree of 70,000 entries in the specification.
    assert_eq!((0..300).filter(|n| width_of(0, *n, 70_000) == 256).count(), 273);
    assert_eq!((width_of(0, 273, 70_000), width_of(0, 274, 70_000)), (112, 0));
    assert_eq!((width_of(1, 0, 70_000), width_of(1, 1, 70_000), width_of(2, 0, 70_000)), (256, 17, 1));
    assert_eq!((width_of(3, 0, 70_000), width_of(9, 0, 70_000)), (0, 0));
    assert!(is_immutable("tile/0/000") && !is_immutable("tile/0/000.p/3") && !is_immutable("checkpoint"));
}

#[test]
fn an_empty_growth_changes_nothing() {
    assert_eq!(grow(&Files::new(), 0, root(&[]), &[]).unwrap().files, []);
    let entries = entries(300);
    let grown = grow(&Files::new(), 0, root(&[]), &entries).unwrap();
    let files: Files = grown.files.into_iter().collect();
    let same = grow(&files, 300, grown.root, &[]).unwrap();
    assert_eq!((same.size, same.root, same.files), (300, grown.root, vec![]));
}

/// `TileHashReader` of tlog_tiles 0.2 would give a proof here that proves nothing: 273 has three perfect
/// subtrees in two tiles, and it takes the third tile that it reads for proven (CVE-2026-56865 in Go).
#[test]
fn a_changed_tile_that_lies_right_after_the_edge_of_the_tree_gives_no_proof() {
    let entries = entries(273);
    let grown = grow(&Files::new(), 0, root(&[]), &entries).unwrap();
    let head = Checkpoint { origin: "test".into(), size: 273, root: grown.root };
    let mut files: Files = grown.files.into_iter().collect();
    assert!(inclusion(&files, &head, 7).is_ok());
    files.get_mut("tile/0/000").unwrap()[0] ^= 1;
    let said = inclusion(&files, &head, 7).unwrap_err().to_string();
    assert_eq!(said, "the log's tiles do not fit to the root hash of the tree");
    assert!(root_at(&files, &head, 100).is_err() && consistency(&files, &head, 100).is_err());
    assert!(root_at(&files, &head, 256).is_ok(), "the tile above still has the hash over the changed one");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn proofs_out_of_tiles_hold_at_every_size(size in 1_usize..1500, index in any::<prop::sample::Index>(), older in any::<prop::sample::Index>()) {
        let entries = entries(size);
        let grown = grow(&Files::new(), 0, root(&[]), &entries).unwrap();
        prop_assert_eq!(grown.root, root(&entries));
        let files: Files = grown.files.into_iter().collect();
        let head = Checkpoint { origin: "test".into(), size: size as u64, root: grown.root };
        let index = index.index(size);
        let proof = inclusion(&files, &head, index as u64).unwrap();
        let leaf = leaf_hash(&entries[index]);
        prop_assert!(is_included(&proof, head.size, &head.root, index as u64, &leaf));
        prop_assert!(!is_included(&proof, head.size, &head.root, index as u64, &leaf_hash(b"other")));
        let together = Inclusions::new(&files, &head).unwrap();
        for near in index.saturating_sub(3)..size.min(index + 4) {
            prop_assert_eq!(together.of(near as u64).unwrap(), inclusion(&files, &head, near as u64).unwrap());
        }
        prop_assert!(together.of(size as u64).is_err());
        let older = older.index(size + 1);
        let older_root = root(&entries[..older]);
        let proof = consistency(&files, &head, older as u64).unwrap();
        prop_assert!(is_continued(&proof, head.size, &head.root, older as u64, &older_root));
        prop_assert!(!is_continued(&proof, head.size, &head.root, older as u64, &Sha256Hash::of(b"other")));
        prop_assert_eq!(root_at(&files, &head, older as u64).unwrap(), older_root);
    }

    #[test]
    fn a_changed_tile_gives_no_proof(size in 2_usize..1500, tile in any::<prop::sample::Index>(), byte in any::<prop::sample::Index>(), index in any::<prop::sample::Index>()) {
        let entries = entries(size);
        let grown = grow(&Files::new(), 0, root(&[]), &entries).unwrap();
        let head = Checkpoint { origin: "test".into(), size: size as u64, root: grown.root };
        let mut files: Files = grown.files.into_iter().collect();
        let tiles: Vec<String> = files.keys().filter(|path| !path.starts_with("tile/entries")).cloned().collect();
        let changed = files.get_mut(&tiles[tile.index(tiles.len())]).unwrap();
        let at = byte.index(changed.len());
        changed[at] ^= 1;
        // Another tile may hold all that this proof takes; a wrong proof never comes out.
        let index = index.index(size);
        if let Ok(proof) = inclusion(&files, &head, index as u64) {
            prop_assert!(is_included(&proof, head.size, &head.root, index as u64, &leaf_hash(&entries[index])));
        }
    }
}
