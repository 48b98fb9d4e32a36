//! The parser of answers without a server, for the fuzzer and for its seeds.

use crate::{
    dss::Assembler,
    error::ProtocolFault,
    reply::Reply,
    row::{Next, Rows},
};

/// Reads `bytes` as a server's answers of at most `largest_answer` bytes each, with the rows of the queries
/// in them; returns how many objects and rows there are.
///
/// # Errors
/// The bytes are none.
pub fn read_answers(bytes: &[u8], largest_answer: usize) -> Result<(usize, usize), ProtocolFault> {
    let mut assembler = Assembler::new(largest_answer);
    let (mut objects, mut count) = (0, 0);
    let mut rows: Option<Rows> = None;
    assembler.feed(bytes);
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
    Ok((objects, count))
}
