//! Which tiles and entry bundles a tree of a size has (C2SP tlog-tiles).

use evidence::log::tiles::{WIDTH, bundle_path, tile_path};

/// Levels of tiles that a tree can have.
const LEVELS: u8 = 8;

/// The full tiles and bundles that a tree of `new` entries has and one of `old` had not: they never
/// change.
pub fn full(old: u64, new: u64) -> impl Iterator<Item = String> {
    let bundles = (old / WIDTH..new / WIDTH).map(|number| bundle_path(number, WIDTH));
    let tiles = (0..LEVELS).flat_map(move |level| {
        let tiles = |size: u64| (size >> (8 * u32::from(level))) / WIDTH;
        (tiles(old)..tiles(new)).map(move |number| tile_path(level, number, WIDTH))
    });
    bundles.chain(tiles)
}

/// The partial tiles and the partial bundle of a tree of `size` entries: a larger tree has others.
pub fn partial(size: u64) -> Vec<String> {
    let mut paths = Vec::new();
    if !size.is_multiple_of(WIDTH) {
        paths.push(bundle_path(size / WIDTH, size % WIDTH));
    }
    for level in 0..LEVELS {
        let hashes = size >> (8 * u32::from(level));
        if !hashes.is_multiple_of(WIDTH) {
            paths.push(tile_path(level, hashes / WIDTH, hashes % WIDTH));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_of_seventy_thousand_has_the_tiles_of_the_specification() {
        let full: Vec<String> = full(0, 70_000).collect();
        assert_eq!(full.iter().filter(|path| path.starts_with("tile/0/")).count(), 273);
        assert_eq!(full.iter().filter(|path| path.starts_with("tile/entries/")).count(), 273);
        assert_eq!(full.iter().filter(|path| path.starts_with("tile/1/")).count(), 1);
        assert_eq!(
            partial(70_000),
            ["tile/entries/273.p/112", "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]
        );
    }

    #[test]
    fn growth_in_steps_makes_the_same_full_files_as_at_once() {
        let sizes = [0, 1, 255, 256, 257, 66_000, 70_000, 70_144];
        let steps = sizes.windows(2).flat_map(|pair| full(pair[0], pair[1]));
        let mut steps: Vec<String> = steps.collect();
        let mut at_once: Vec<String> = full(0, 70_144).collect();
        steps.sort();
        at_once.sort();
        assert_eq!(steps, at_once);
        assert_eq!(partial(256), ["tile/1/000.p/1"]);
        assert!(partial(0).is_empty());
    }
}
