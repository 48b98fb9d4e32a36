//! What databases answer, where their protocol is read by us.

use drda::unconnected::read_answers;

/// The largest answer that is taken.
const LARGEST: usize = 1 << 20;

/// Apache Derby's answers: whole, and in pieces whose size the first byte gives.
pub(crate) fn drda_answers(data: &[u8]) {
    let whole = read_answers([data], LARGEST);
    let size = data.first().map_or(1, |first| usize::from(*first) + 1);
    assert_eq!(read_answers(data.chunks(size), LARGEST), whole, "pieces of {size} bytes");
}
