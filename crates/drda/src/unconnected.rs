//! The parser of answers without a server, for the fuzzer and for its seeds.

use crate::{
    dss::Assembler,
    error::ProtocolFault,
    reply::Reply,
    row::{Next, Rows},
};

/// Reads `pieces`, however they are cut up, as a server's answers of at most `largest_answer` bytes each,
/// with the rows of the queries in them; returns how many objects and rows there are.
///
/// # Errors
/// The bytes are none.
pub fn read_answers<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    largest_answer: usize,
) -> Result<(usize, usize), ProtocolFault> {
    let mut assembler = Assembler::new(largest_answer);
    let (mut objects, mut count) = (0, 0);
    let mut rows: Option<Rows> = None;
    for piece in pieces {
        assembler.feed(piece);
        while let Some(dss) = assembler.next_dss()? {
            for reply in Reply::read_all(&dss)? {
                objects += 1;
                match (reply, &mut rows) {
                    (Reply::QueryDescribed(formats), _) => rows = Some(Rows::new(formats, largest_answer)),
                    (Reply::Block(block), Some(rows)) => rows.feed(&block)?,
                    (Reply::External(content), Some(rows)) => rows.feed_external(content),
                    _ => {}
                }
            }
            while let Some(rows) = &mut rows
                && let Next::Row(_) = rows.next_row()?
            {
                count += 1;
            }
        }
    }
    Ok((objects, count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a Derby 10.14 answered to a whole conversation with rows.
    const CONVERSATION: &[u8] = include_bytes!("../../../fuzz/seeds/drda_answers/rows");

    proptest! {
        #[test]
        fn a_damaged_conversation_is_read_or_refused_and_never_a_panic(
            damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in 1_usize..500
        ) {
            let mut bytes = CONVERSATION.to_vec();
            for (at, byte) in damages {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let whole = read_answers([&bytes[..]], 100_000);
            prop_assert_eq!(read_answers(bytes.chunks(cut), 100_000), whole);
        }
    }

    #[test]
    fn a_conversation_has_twelve_rows() {
        let (objects, rows) = read_answers([CONVERSATION], 100_000).unwrap();
        assert!(objects > 20);
        assert_eq!(rows, 12);
    }
}
