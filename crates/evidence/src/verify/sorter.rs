//! Sorting more records than fit into memory: what keeps verification small however large an archive is.
//!
//! Records are bytes and sort as such. Some megabytes are held; what is more goes, sorted, into
//! temporary files without a name, which vanish with the process, and is merged from there.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
};

/// Bytes of records that are held. Little, so that ten thousand recordings take as much as any number.
const HELD: usize = 4 * 1024 * 1024;
/// Files that are merged at once; each has a buffer and a file descriptor.
const RUNS: usize = 32;

/// Takes records in any order.
pub(super) struct Sorter {
    /// The bytes of all held records, one after the other.
    bytes: Vec<u8>,
    /// Where each begins and ends.
    places: Vec<(usize, usize)>,
    runs: Vec<File>,
    held: usize,
}

impl Sorter {
    pub(super) fn new() -> Self {
        Self::holding(HELD)
    }

    fn holding(held: usize) -> Self {
        // At once: growing would hold up to three times as much. What is not written to takes no memory.
        Self { bytes: Vec::with_capacity(held), places: Vec::new(), runs: Vec::new(), held }
    }

    /// Takes one record.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub(super) fn push(&mut self, record: &[u8]) -> io::Result<()> {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(record);
        self.places.push((begin, self.bytes.len()));
        // Short records cost more by their places than by their bytes.
        if self.bytes.len() + self.places.len() * size_of::<(usize, usize)>() > self.held {
            self.spill()?;
        }
        Ok(())
    }

    fn sort(&mut self) {
        let Self { bytes, places, .. } = self;
        places.sort_unstable_by(|a, b| bytes[a.0..a.1].cmp(&bytes[b.0..b.1]));
    }

    fn spill(&mut self) -> io::Result<()> {
        self.sort();
        let mut out = BufWriter::new(tempfile::tempfile()?);
        for (begin, end) in self.places.drain(..) {
            write_record(&mut out, &self.bytes[begin..end])?;
        }
        self.bytes.clear();
        self.runs.push(rewound(out)?);
        if self.runs.len() == RUNS {
            // One file of all: the number of open ones stays small.
            let mut merged = Sorted::of_runs(std::mem::take(&mut self.runs))?;
            let mut out = BufWriter::new(tempfile::tempfile()?);
            while let Some(record) = merged.next()? {
                write_record(&mut out, &record)?;
            }
            self.runs.push(rewound(out)?);
        }
        Ok(())
    }

    /// All records, the smallest first. Equal ones come as often as they were given.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        if self.runs.is_empty() {
            self.sort();
            return Ok(Sorted::Held { bytes: self.bytes, places: self.places.into_iter() });
        }
        self.spill()?;
        Sorted::of_runs(self.runs)
    }
}

fn write_record(out: &mut impl Write, record: &[u8]) -> io::Result<()> {
    let length = u32::try_from(record.len()).map_err(io::Error::other)?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(record)
}

fn read_record(run: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match run.read_exact(&mut length) {
        // Runs are whole: they end between two records.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        outcome => outcome?,
    }
    let mut record = vec![0; u32::from_be_bytes(length) as usize];
    run.read_exact(&mut record)?;
    Ok(Some(record))
}

fn rewound(out: BufWriter<File>) -> io::Result<File> {
    let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(file)
}

/// Gives records in order.
pub(super) enum Sorted {
    /// They all fitted.
    Held {
        /// Their bytes.
        bytes: Vec<u8>,
        /// Where each stands.
        places: std::vec::IntoIter<(usize, usize)>,
    },
    /// They come from files.
    Merged {
        /// One sorted file each.
        runs: Vec<BufReader<File>>,
        /// The first record of each that was not given yet.
        heads: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    },
}

impl Sorted {
    fn of_runs(runs: Vec<File>) -> io::Result<Self> {
        let mut runs: Vec<_> = runs.into_iter().map(BufReader::new).collect();
        let mut heads = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            heads.extend(read_record(run)?.map(|record| Reverse((record, number))));
        }
        Ok(Self::Merged { runs, heads })
    }

    /// The next one.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Held { bytes, places } => Ok(places.next().map(|(begin, end)| bytes[begin..end].to_vec())),
            Self::Merged { runs, heads } => {
                let Some(Reverse((record, number))) = heads.pop() else { return Ok(None) };
                heads.extend(read_record(&mut runs[number])?.map(|next| Reverse((next, number))));
                Ok(Some(record))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(held: usize, records: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut sorter = Sorter::holding(held);
        records.iter().for_each(|record| sorter.push(record).unwrap());
        let mut sorted = sorter.finish().unwrap();
        std::iter::from_fn(|| sorted.next().unwrap()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn whatever_is_pushed_comes_out_in_order_however_little_is_held(
            records in proptest::collection::vec(any::<Vec<u8>>(), 0..200), held in 0_usize..4000,
        ) {
            let mut expected = records.clone();
            expected.sort();
            prop_assert_eq!(sorted(held, &records), expected);
        }
    }

    #[test]
    fn more_runs_than_may_be_open_are_merged_on_the_way() {
        let records: Vec<_> =
            (0..1000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes().to_vec()).collect();
        let mut expected = records.clone();
        expected.sort();
        // Every other record makes a file.
        assert_eq!(sorted(30, &records), expected);
    }
}
