//! Objects: length, code point, content (DDM `DDMOBJ`, `OBJLNGTH`, `EXTLEN`).
//!
//! The length has two bytes and counts itself and the code point. Beyond 32 KB its bit 15 is set and it
//! counts, besides these four bytes, those of an extended length that follows the code point and counts the
//! content alone; with none, the content reaches to the end of the structure.

use crate::{cursor::Cursor, error::ProtocolFault};

const HEADER: usize = 4;
const EXTENDED: u16 = 0x8000;

/// Appends an object whose content `fill` appends.
pub fn put(out: &mut Vec<u8>, code_point: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend([0, 0]);
    out.extend(code_point.to_be_bytes());
    fill(out);
    let length = out.len() - begin;
    if let Ok(short) = u16::try_from(length)
        && short & EXTENDED == 0
    {
        out[begin..begin + 2].copy_from_slice(&short.to_be_bytes());
    } else {
        let content = u32::try_from(length - HEADER).expect("no object of ours reaches 4 GB");
        let extended = content.to_be_bytes();
        let header = HEADER + extended.len();
        out[begin..begin + 2].copy_from_slice(&(EXTENDED | header as u16).to_be_bytes());
        out.splice(begin + HEADER..begin + HEADER, extended);
    }
}

/// An object whose content `fill` appends.
pub fn object(code_point: u16, fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, code_point, fill);
    out
}

/// Appends an object with these bytes.
pub fn put_bytes(out: &mut Vec<u8>, code_point: u16, content: &[u8]) {
    put(out, code_point, |out| out.extend(content));
}

/// Appends an object with this number of two bytes.
pub fn put_u16(out: &mut Vec<u8>, code_point: u16, number: u16) {
    put_bytes(out, code_point, &number.to_be_bytes());
}

/// The next object: its code point and its content; `None` at the end.
///
/// # Errors
/// Its length is not that of what is there.
pub fn next<'a>(cursor: &mut Cursor<'a>) -> Result<Option<(u16, &'a [u8])>, ProtocolFault> {
    if cursor.rest().is_empty() {
        return Ok(None);
    }
    let (length, code_point) = (cursor.u16()?, cursor.u16()?);
    let header = usize::from(length & !EXTENDED);
    let content = if length & EXTENDED == 0 {
        header.checked_sub(HEADER).ok_or(ProtocolFault::Length)?
    } else {
        match header.checked_sub(HEADER).ok_or(ProtocolFault::Length)? {
            0 => cursor.rest().len(),
            extended => usize::try_from(cursor.unsigned(extended)?).map_err(|_| ProtocolFault::Length)?,
        }
    };
    Ok(Some((code_point, cursor.take(content)?)))
}

/// The content of the first object of this code point within `content`.
///
/// # Errors
/// The objects before it are damaged.
pub fn find(content: &[u8], code_point: u16) -> Result<Option<&[u8]>, ProtocolFault> {
    let mut cursor = Cursor::new(content);
    while let Some((found, inner)) = next(&mut cursor)? {
        if found == code_point {
            return Ok(Some(inner));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_any_size_are_read_as_they_were_written() {
        for size in [0, 1, 32_763, 32_764, 70_000] {
            let bytes = object(0x2414, |out| out.resize(out.len() + size, 7));
            assert_eq!(bytes.len(), size + if size > 32_763 { 8 } else { 4 });
            let mut cursor = Cursor::new(&bytes);
            assert_eq!(next(&mut cursor), Ok(Some((0x2414, &vec![7; size][..]))));
            assert_eq!(next(&mut cursor), Ok(None));
        }
    }

    #[test]
    fn an_object_inside_another_is_found() {
        let outer = object(0x1219, |out| {
            put_u16(out, 0x1149, 8);
            put_bytes(out, 0x11A4, &[0x13]);
        });
        assert_eq!(find(&outer[4..], 0x11A4), Ok(Some(&[0x13][..])));
        assert_eq!(find(&outer[4..], 0x2110), Ok(None));
        assert_eq!(find(&outer[4..outer.len() - 1], 0x11A4), Err(ProtocolFault::TooShort));
    }
}
