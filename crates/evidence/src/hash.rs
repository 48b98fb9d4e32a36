//! SHA-256 of files, taken while they are written or read: a recording may be larger than memory.

use std::{
    fmt,
    io::{self, Read, Write},
    str::FromStr,
};

use domain::InvalidId;
use sha2::{Digest, Sha256};

/// A SHA-256 hash (FIPS 180-4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Hash([u8; 32]);

impl Sha256Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads `reader` to its end; returns the hash and the number of bytes.
    pub fn of_reader(mut reader: impl Read) -> io::Result<(Self, u64)> {
        let mut hasher = HashingWriter::new(io::sink());
        io::copy(&mut reader, &mut hasher)?;
        let (_, hash, size) = hasher.finish();
        Ok((hash, size))
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Sha256Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256Hash {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId::expected("a SHA-256 hash", "64 lower-case hexadecimal digits");
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(invalid);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| invalid)?;
        Ok(Self(bytes))
    }
}

/// A file of a recording with its size in bytes and its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct HashedFile {
    /// File name with ending, without a folder. Holds numbers: not for logs.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Hash of the content.
    pub sha256: Sha256Hash,
}

impl HashedFile {
    /// The file `name` with this content.
    pub fn of(name: String, content: &[u8]) -> Self {
        Self { name, size: content.len() as u64, sha256: Sha256Hash::of(content) }
    }
}

impl fmt::Debug for HashedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashedFile")
            .field("size", &self.size)
            .field("sha256", &self.sha256)
            .finish_non_exhaustive()
    }
}

/// Hashes and counts what is written through it.
#[derive(Debug)]
pub struct HashingWriter<W> {
    inner: W,
    hasher: Sha256,
    size: u64,
}

impl<W: Write> HashingWriter<W> {
    /// Writes to `inner`.
    pub fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new(), size: 0 }
    }

    /// The inner writer (not flushed), the hash of all that it took, and the number of bytes.
    pub fn finish(self) -> (W, Sha256Hash, u64) {
        (self.inner, Sha256Hash(self.hasher.finalize().into()), self.size)
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // Only what the inner writer took is hashed: a short write is repeated by the caller.
        let taken = self.inner.write(buf)?;
        self.hasher.update(&buf[..taken]);
        self.size += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Hashes and counts what is read through it.
#[derive(Debug)]
pub struct HashingReader<R> {
    inner: R,
    hasher: Sha256,
    size: u64,
}

impl<R: Read> HashingReader<R> {
    /// Reads from `inner`.
    pub fn new(inner: R) -> Self {
        Self { inner, hasher: Sha256::new(), size: 0 }
    }

    /// The inner reader, the hash of all that was read so far, and the number of bytes.
    pub fn finish(self) -> (R, Sha256Hash, u64) {
        (self.inner, Sha256Hash(self.hasher.finalize().into()), self.size)
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buf)?;
        self.hasher.update(&buf[..got]);
        self.size += got as u64;
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at most three bytes at a time.
    struct Reluctant(Vec<u8>);
    impl Write for Reluctant {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            let taken = buf.len().min(3);
            self.0.extend_from_slice(&buf[..taken]);
            Ok(taken)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_hash_is_that_of_the_bytes_that_arrived_also_over_short_writes() {
        let mut writer = HashingWriter::new(Reluctant(Vec::new()));
        writer.write_all(b"abcdefgh").unwrap();
        let (inner, hash, size) = writer.finish();
        assert_eq!(
            (inner.0.as_slice(), hash, size),
            (b"abcdefgh".as_slice(), Sha256Hash::of(b"abcdefgh"), 8)
        );
    }

    #[test]
    fn reader_and_one_shot_agree_with_the_vector_of_fips_180() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let mut reader = HashingReader::new(b"abc".as_slice());
        io::copy(&mut reader, &mut io::sink()).unwrap();
        assert_eq!(reader.finish().1.to_string(), abc);
        assert_eq!(abc.parse(), Ok(Sha256Hash::of(b"abc")));
        assert_eq!(Sha256Hash::of_reader(b"abc".as_slice()).unwrap(), (Sha256Hash::of(b"abc"), 3));
    }

    #[test]
    fn a_hash_in_capitals_or_of_another_length_is_refused() {
        for bad in ["", "ba78", &"BA".repeat(32), &"g".repeat(64), &"a".repeat(65)] {
            assert!(bad.parse::<Sha256Hash>().is_err(), "{bad}");
        }
    }
}
