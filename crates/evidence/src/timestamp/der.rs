//! As much of DER (X.690 § 10) as a time stamp is made of. Indefinite lengths and tags of more than one
//! byte are refused: RFC 3161 has none.

/// Not the DER that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotDer;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag `[n]`, of a value that is made of others.
pub(super) const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// The tag `[n]`, of a plain value.
pub(super) const fn context_plain(n: u8) -> u8 {
    0x80 | n
}

/// One value with its tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a> {
    pub tag: u8,
    /// What is inside.
    pub content: &'a [u8],
    /// Tag, length and content.
    pub whole: &'a [u8],
}

/// Values one after the other.
#[derive(Debug, Clone)]
pub(super) struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The values inside the only value of `bytes`, which has this tag.
    pub fn inside(bytes: &'a [u8], tag: u8) -> Result<Self, NotDer> {
        let mut outer = Self(bytes);
        let content = outer.take(tag)?;
        outer.end()?;
        Ok(Self(content))
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value, whatever it is.
    pub fn any(&mut self) -> Result<Value<'a>, NotDer> {
        let (&[tag, first], _) = self.0.split_first_chunk::<2>().ok_or(NotDer)?;
        let (header, length) = match first {
            0..=0x7f => (2, usize::from(first)),
            0x81..=0x84 => {
                let count = usize::from(first - 0x80);
                let bytes = self.0.get(2..2 + count).ok_or(NotDer)?;
                let length = bytes.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
                // The shortest form is the only one (§ 10.1).
                if bytes[0] == 0 || length < 0x80 {
                    return Err(NotDer);
                }
                (2 + count, length)
            }
            _ => return Err(NotDer),
        };
        let end = header.checked_add(length).ok_or(NotDer)?;
        if tag & 0x1f == 0x1f || self.0.len() < end {
            return Err(NotDer);
        }
        let (whole, rest) = self.0.split_at(end);
        self.0 = rest;
        Ok(Value { tag, content: &whole[header..], whole })
    }

    /// The next value, which has this tag.
    pub fn value(&mut self, tag: u8) -> Result<Value<'a>, NotDer> {
        self.any().and_then(|value| if value.tag == tag { Ok(value) } else { Err(NotDer) })
    }

    /// What is inside the next value, which has this tag.
    pub fn take(&mut self, tag: u8) -> Result<&'a [u8], NotDer> {
        self.value(tag).map(|value| value.content)
    }

    /// The next value if it has this tag.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Value<'a>>, NotDer> {
        if self.0.first() == Some(&tag) { self.value(tag).map(Some) } else { Ok(None) }
    }

    /// The values inside the next one, which has this tag.
    pub fn enter(&mut self, tag: u8) -> Result<Self, NotDer> {
        self.take(tag).map(Self)
    }

    /// Nothing follows.
    pub const fn end(&self) -> Result<(), NotDer> {
        if self.0.is_empty() { Ok(()) } else { Err(NotDer) }
    }
}

/// A non-negative INTEGER that fits.
pub(super) fn small_integer(content: &[u8]) -> Result<u32, NotDer> {
    match content {
        [] => Err(NotDer),
        [first, ..] if *first >= 0x80 || content.len() > 4 => Err(NotDer),
        _ => Ok(content.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))),
    }
}

/// A value with this tag and content.
pub(super) fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    if length < 0x80 {
        out.push(u8::try_from(length).expect("less than 128"));
    } else {
        let bytes = length.to_be_bytes();
        let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        out.push(0x80 | u8::try_from(bytes.len()).expect("at most 8"));
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(content in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let bytes = encode(SEQUENCE, &content);
            let mut values = Values::new(&bytes);
            let value = values.value(SEQUENCE).unwrap();
            prop_assert_eq!((value.content, value.whole), (&*content, &*bytes));
            prop_assert!(values.is_empty());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut values = Values::new(&bytes);
            while values.any().is_ok() {}
            let _ = small_integer(&bytes);
        }
    }

    #[test]
    fn indefinite_overlong_and_cut_lengths_are_refused() {
        for bad in
            [&[0x30, 0x80, 0, 0][..], &[0x30, 0x81, 1, 0], &[0x30, 0x82, 0, 1, 0], &[0x30, 2, 0], &[0x30]]
        {
            assert_eq!(Values::new(bad).any().err(), Some(NotDer), "{bad:?}");
        }
    }
}
