//! The hashes of the tree (RFC 6962 § 2.1), and its right edge.

use crate::Sha256Hash;

/// The hash of an entry as a leaf: SHA-256 of a zero byte and the entry.
pub fn leaf_hash(entry: &[u8]) -> Sha256Hash {
    let mut input = Vec::with_capacity(entry.len() + 1);
    input.push(0);
    input.extend_from_slice(entry);
    Sha256Hash::of(&input)
}

/// The hash over two subtrees: SHA-256 of a one byte and both hashes.
pub fn node_hash(left: &Sha256Hash, right: &Sha256Hash) -> Sha256Hash {
    let mut input = [1; 65];
    input[1..33].copy_from_slice(left.as_bytes());
    input[33..].copy_from_slice(right.as_bytes());
    Sha256Hash::of(&input)
}

/// Why bytes are not a [`Frontier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored edge of the log's tree does not fit to the size that it names")]
pub struct FrontierError;

/// The right edge of a tree: the roots of the perfect subtrees that its leaves form, the largest first,
/// one for each bit set in the size. It is all that appending takes, at most 64 hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Sha256Hash>,
}

impl Frontier {
    /// The number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf on the right, as [`leaf_hash`] makes it.
    pub fn append(&mut self, leaf: Sha256Hash) {
        let mut subtree = leaf;
        // As in a binary counter: each bit that carries joins two subtrees of the same size.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                subtree = node_hash(&left, &subtree);
            }
        }
        self.subtrees.push(subtree);
        self.size += 1;
    }

    /// The hash over the whole tree; over the empty one, SHA-256 of nothing.
    pub fn root(&self) -> Sha256Hash {
        let mut smallest_first = self.subtrees.iter().rev();
        let Some(last) = smallest_first.next() else { return Sha256Hash::of(b"") };
        smallest_first.fold(*last, |right, left| node_hash(left, &right))
    }

    /// 8 bytes of size, big-endian, then the subtrees of 32 bytes each.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + 32 * self.subtrees.len());
        out.extend_from_slice(&self.size.to_be_bytes());
        self.subtrees.iter().for_each(|hash| out.extend_from_slice(hash.as_bytes()));
        out
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// When the number of hashes is not the one that the size asks for.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let (size, hashes) = bytes.split_first_chunk::<8>().ok_or(FrontierError)?;
        let size = u64::from_be_bytes(*size);
        let (hashes, rest) = hashes.as_chunks::<32>();
        if !rest.is_empty() || hashes.len() != size.count_ones() as usize {
            return Err(FrontierError);
        }
        Ok(Self { size, subtrees: hashes.iter().map(|hash| Sha256Hash::from(*hash)).collect() })
    }
}
