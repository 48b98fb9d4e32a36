//! What a statement takes and gives (DRDA `SQLDARD`: `SQLCAGRP`, `SQLDHGRP`, and a `SQLDAGRP` with
//! `SQLDOPTGRP` and `SQLDXGRP` for each column; TYPSQLDA extended).

use crate::{card::Card, cursor::Cursor, error::ProtocolFault, fdoca::SqlType};

/// A column of a query, or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub(crate) name: String,
    pub(crate) sql_type: SqlType,
    pub(crate) nullable: bool,
    pub(crate) length: u64,
}

impl Column {
    /// As the database spells it; empty for a parameter.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its type.
    pub const fn sql_type(&self) -> SqlType {
        self.sql_type
    }

    /// Whether it may be null.
    pub const fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// How many characters it holds, of a text; of a number, its bytes.
    pub const fn length(&self) -> u64 {
        self.length
    }
}

/// A SQLDARD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// How preparing went.
    pub card: Card,
    /// Columns or parameters, as was asked for.
    pub columns: Vec<Column>,
}

impl Described {
    /// Reads the content of a SQLDARD.
    ///
    /// # Errors
    /// It is damaged.
    pub fn read(content: &[u8]) -> Result<Self, ProtocolFault> {
        let mut cursor = Cursor::new(content);
        let card = Card::read(&mut cursor)?;
        if cursor.is_there()? {
            let _hold_return_scroll_sensitive_code_key = cursor.take(12)?;
            let _rdb_name = cursor.counted()?;
            let _schema = cursor.name()?;
        }
        let count = cursor.u16()?;
        let mut columns = Vec::new();
        for _ in 0..count {
            columns.push(column(&mut cursor)?);
        }
        Ok(Self { card, columns })
    }
}

fn column(cursor: &mut Cursor<'_>) -> Result<Column, ProtocolFault> {
    let _precision_and_scale = cursor.take(4)?;
    let length = cursor.unsigned(8)?;
    let sql_type = cursor.u16()?;
    let _ccsid = cursor.u16()?;
    let mut name = String::new();
    if cursor.is_there()? {
        let _unnamed = cursor.u16()?;
        name = cursor.name()?;
        let _label_and_comments = (cursor.name()?, cursor.name()?);
        // SQLUDTGRP, of types that users define.
        if cursor.is_there()? {
            return Err(ProtocolFault::Unexpected);
        }
        if cursor.is_there()? {
            let _key_updatable_generated_mode = cursor.take(8)?;
            let _rdb_name = cursor.counted()?;
            let _correlation_base_schema_column =
                (cursor.name()?, cursor.name()?, cursor.name()?, cursor.name()?);
        }
    }
    Ok(Column { name, sql_type: SqlType::from_sql_type(sql_type), nullable: sql_type & 1 == 1, length })
}
