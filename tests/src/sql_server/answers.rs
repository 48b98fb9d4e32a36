//! What a server answers: a stream of tokens (MS-TDS 2.2.7).

use super::requests::Value;

/// SQL_Latin1_General_CP1_CI_AS, as a server of the United States has it: code page 1252.
const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];

/// Kinds of changes (2.2.7.9).
pub mod change {
    pub const DATABASE: u8 = 1;
    pub const PACKET_SIZE: u8 = 4;
    pub const COLLATION: u8 = 7;
    pub const BEGUN: u8 = 8;
    pub const COMMITTED: u8 = 9;
    pub const ROLLED_BACK: u8 = 10;
}

/// Bits of DONE (2.2.7.6).
pub mod done {
    pub const MORE: u16 = 1;
    pub const ERROR: u16 = 2;
    pub const COUNT: u16 = 0x10;
    pub const ATTENTION: u16 = 0x20;
}

/// Which of the three kinds of DONE.
#[derive(Debug, Clone, Copy)]
pub enum Done {
    /// Of a statement of a batch.
    Batch = 0xFD,
    /// Of a procedure.
    Procedure = 0xFE,
    /// Of a statement in a procedure.
    Inside = 0xFF,
}

/// The type of a column, as a table was made with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Int,
    BigInt,
    /// Of so many characters at most.
    NVarchar(u16),
    NVarcharMax,
    /// Filled up with blanks.
    NChar(u16),
    Varchar(u16),
    /// The types of old.
    NText,
    Text,
}

impl Type {
    /// As SQL says it.
    pub fn named(name: &str) -> Self {
        let (name, length) = name.split_once('(').unwrap_or((name, ""));
        let length = length.trim_end_matches(')').parse();
        match (name.trim().to_ascii_lowercase().as_str(), length) {
            ("int", _) => Self::Int,
            ("bigint", _) => Self::BigInt,
            ("nvarchar", Ok(length)) => Self::NVarchar(length),
            ("nchar", Ok(length)) => Self::NChar(length),
            ("varchar", Ok(length)) => Self::Varchar(length),
            ("ntext", _) => Self::NText,
            ("text", _) => Self::Text,
            _ => Self::NVarcharMax,
        }
    }

    /// So many characters fit.
    pub fn room(self) -> Option<usize> {
        match self {
            Self::NVarchar(room) | Self::NChar(room) | Self::Varchar(room) => Some(room.into()),
            _ => None,
        }
    }
}

/// Tokens, one after the other.
#[derive(Default)]
pub struct Answer(pub Vec<u8>);

impl Answer {
    pub fn change(&mut self, kind: u8, new: &[u8], old: &[u8]) {
        let mut body = vec![kind, new.len() as u8];
        body.extend(new);
        body.push(old.len() as u8);
        body.extend(old);
        self.token(0xE3, &body);
    }

    /// The same with texts, whose length is in characters.
    pub fn change_text(&mut self, kind: u8, new: &str, old: &str) {
        let body = [&[kind][..], &short(new), &short(old)].concat();
        self.token(0xE3, &body);
    }

    pub fn collation(&mut self) {
        self.change(change::COLLATION, &COLLATION, &[]);
    }

    /// LOGINACK: Transact-SQL, TDS 7.4, and who it is.
    pub fn welcome(&mut self) {
        let body = [&[1, 0x74, 0, 0, 4][..], &short("Microsoft SQL Server"), &[15, 0, 7, 208]].concat();
        self.token(0xAD, &body);
    }

    /// A message of a login of Windows.
    pub fn sspi(&mut self, message: &[u8]) {
        self.token(0xED, message);
    }

    pub fn error(&mut self, number: u32, class: u8, words: &str) {
        let mut body = number.to_le_bytes().to_vec();
        body.extend([1, class]);
        body.extend((words.encode_utf16().count() as u16).to_le_bytes());
        body.extend(utf16(words));
        body.extend([short("PEER"), short("")].concat());
        body.extend(1u32.to_le_bytes());
        self.token(0xAA, &body);
    }

    pub fn columns(&mut self, columns: &[(String, Type)]) {
        self.0.push(0x81);
        self.0.extend((columns.len() as u16).to_le_bytes());
        for (name, of) in columns {
            // No type of a user's; may be empty.
            self.0.extend([0, 0, 0, 0, 1, 0]);
            let sized = |kind: u8, bytes: u16| [&[kind][..], &bytes.to_le_bytes(), &COLLATION].concat();
            // With a limit of 4 bytes, and the name of the table in parts.
            let large = |kind: u8| {
                [&[kind][..], &[0xFF, 0xFF, 0xFF, 0x7F], &COLLATION, &[1, 1, 0], &utf16("t")].concat()
            };
            self.0.extend(match *of {
                Type::Int => vec![0x26, 4],
                Type::BigInt => vec![0x26, 8],
                Type::NVarchar(length) => sized(0xE7, 2 * length),
                Type::NVarcharMax => sized(0xE7, 0xFFFF),
                Type::NChar(length) => sized(0xEF, 2 * length),
                Type::Varchar(length) => sized(0xA7, length),
                Type::NText => large(0x63),
                Type::Text => large(0x23),
            });
            self.0.extend(short(name));
        }
    }

    pub fn row(&mut self, columns: &[(String, Type)], values: &[Value]) {
        self.0.push(0xD1);
        for ((_, of), value) in columns.iter().zip(values) {
            self.value(*of, value);
        }
    }

    fn value(&mut self, of: Type, value: &Value) {
        let text = match value {
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null => return self.nothing(of),
        };
        match of {
            Type::Int | Type::BigInt => {
                let number: i64 = text.parse().unwrap_or_default();
                let bytes = if of == Type::Int { 4 } else { 8 };
                self.0.push(bytes);
                self.0.extend(&number.to_le_bytes()[..bytes.into()]);
            }
            Type::NVarchar(_) => self.counted(&utf16(&text)),
            Type::NChar(room) => self.counted(&utf16(&format!("{text:<0$}", usize::from(room)))),
            Type::Varchar(_) => self.counted(&western(&text)),
            Type::NVarcharMax => {
                let text = utf16(&text);
                self.0.extend((text.len() as u64).to_le_bytes());
                // In two parts, as servers do with what is long.
                let (first, second) = text.split_at(text.len() / 4 * 2);
                for part in [first, second].into_iter().filter(|part| !part.is_empty()) {
                    self.0.extend((part.len() as u32).to_le_bytes());
                    self.0.extend(part);
                }
                self.0.extend(0u32.to_le_bytes());
            }
            Type::NText | Type::Text => {
                let text = if of == Type::Text { western(&text) } else { utf16(&text) };
                // A pointer to the text, and a timestamp.
                self.0.push(16);
                self.0.extend([0x70; 16 + 8]);
                self.0.extend((text.len() as u32).to_le_bytes());
                self.0.extend(text);
            }
        }
    }

    fn nothing(&mut self, of: Type) {
        match of {
            Type::Int | Type::BigInt | Type::NText | Type::Text => self.0.push(0),
            Type::NVarchar(_) | Type::NChar(_) | Type::Varchar(_) => self.0.extend([0xFF, 0xFF]),
            Type::NVarcharMax => self.0.extend([0xFF; 8]),
        }
    }

    fn counted(&mut self, bytes: &[u8]) {
        self.0.extend((bytes.len() as u16).to_le_bytes());
        self.0.extend(bytes);
    }

    pub fn done(&mut self, of: Done, status: u16, rows: u64) {
        self.0.push(of as u8);
        self.0.extend(status.to_le_bytes());
        self.0.extend(0xC1u16.to_le_bytes());
        self.0.extend(rows.to_le_bytes());
    }

    /// RETURNSTATUS of a procedure.
    pub fn returned(&mut self, status: i32) {
        self.0.push(0x79);
        self.0.extend(status.to_le_bytes());
    }

    fn token(&mut self, kind: u8, body: &[u8]) {
        self.0.push(kind);
        self.counted(body);
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// B_VARCHAR.
fn short(text: &str) -> Vec<u8> {
    let mut bytes = vec![text.encode_utf16().count() as u8];
    bytes.extend(utf16(text));
    bytes
}

/// As a code page of western Europe has it, and `?` for what it lacks.
fn western(text: &str) -> Vec<u8> {
    let letter = |letter: char| match u8::try_from(letter) {
        Ok(byte) if !(0x80..0xA0).contains(&byte) => byte,
        _ => b'?',
    };
    text.chars().map(letter).collect()
}
