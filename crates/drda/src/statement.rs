//! Statements without rows (DRDA ch. 4, "Preparing", "Executing", "Immediate"; DDM `PRPSQLSTT`, `DSCSQLSTT`,
//! `EXCSQLSTT`, `EXCSQLIMM`).

use crate::{
    connection::Connection,
    described::{Column, Described},
    dss::Chain,
    error::DrdaError,
    parameters,
    reply::Reply,
    request,
    value::Value,
};

/// So many rows of a batch go out before the answers to them are read: these fit into what the system
/// buffers, so that never both sides wait for the other to read.
const ROWS_OF_CHAIN: usize = 128;
/// And no further row after so many bytes.
const BYTES_OF_CHAIN: usize = 256 * 1024;
/// Sections of a package: how many statements can be prepared at a time.
const SECTIONS: u16 = 0x7FFF;

/// A prepared statement of one connection.
#[derive(Debug)]
pub struct Statement {
    pub(crate) connection: u64,
    pub(crate) section: u16,
    parameters: Vec<Column>,
    columns: Vec<Column>,
}

impl Statement {
    /// What its question marks stand for.
    pub fn parameters(&self) -> &[Column] {
        &self.parameters
    }

    /// What its rows consist of; nothing for a statement that is no query.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

impl Connection {
    /// Executes a statement that takes nothing and gives nothing, such as one that makes a table; returns
    /// how many rows it touched.
    ///
    /// # Errors
    /// The database refuses it, or the connection broke.
    pub async fn execute_immediate(&mut self, sql: &str) -> Result<u32, DrdaError> {
        let section = self.claim_section()?;
        let mut chain = Chain::default();
        chain.command(&self.requests.execute_immediate(section));
        chain.data(&request::statement_text(sql));
        let replies = self.exchange(chain).await?;
        self.free_sections.push(section);
        self.rows_touched(replies)
    }

    /// Prepares a statement, and asks what its parameters are, in one turn.
    ///
    /// # Errors
    /// The database refuses it, or the connection broke.
    pub async fn prepare(&mut self, sql: &str) -> Result<Statement, DrdaError> {
        let section = self.claim_section()?;
        let mut chain = Chain::default();
        let prepare = chain.command(&self.requests.prepare(section));
        chain.data(&request::statement_text(sql));
        let describe = chain.command(&self.requests.describe_parameters(section));
        let replies = self.exchange(chain).await?;
        let (mut columns, mut parameters) = (None, None);
        for (command, reply) in replies {
            let card = match reply {
                Reply::Described(Described { card, columns: described }) if command == prepare => {
                    columns = Some(described);
                    card
                }
                Reply::Described(Described { card, columns: described }) if command == describe => {
                    parameters = Some(described);
                    card
                }
                Reply::Card(card) => card,
                Reply::Notice | Reply::UnitLost => continue,
                _ => return Err(self.nonsense()),
            };
            if let Err(refused) = self.judge(card) {
                self.free_sections.push(section);
                return Err(refused);
            }
        }
        let (Some(columns), Some(parameters)) = (columns, parameters) else { return Err(self.nonsense()) };
        Ok(Statement { connection: self.id, section, parameters, columns })
    }

    /// Lets go of a statement: the next one that is prepared takes its place at the server.
    pub fn close(&mut self, statement: Statement) {
        if statement.connection == self.id {
            self.free_sections.push(statement.section);
        }
    }

    /// Executes a prepared statement that is no query; returns how many rows it touched.
    ///
    /// # Errors
    /// The database refuses it, or the connection broke.
    pub async fn execute(&mut self, statement: &Statement, values: &[Value]) -> Result<u32, DrdaError> {
        self.fits(statement, values, false)?;
        let mut chain = Chain::default();
        chain.command(&self.requests.execute(statement.section));
        parameters::put(&mut chain, &statement.parameters, values);
        let replies = self.exchange(chain).await?;
        self.rows_touched(replies)
    }

    /// Executes a prepared statement with each of `rows`, many in a turn; returns how many rows were touched
    /// altogether. Derby goes on after a row that it refuses, so after a fault nothing of the transaction
    /// may be kept: only a rollback is possible.
    ///
    /// # Errors
    /// [`DrdaError::Batch`] says which row was refused first; or the connection broke.
    pub async fn execute_batch(
        &mut self,
        statement: &Statement,
        rows: &[Vec<Value>],
    ) -> Result<u64, DrdaError> {
        for values in rows {
            self.fits(statement, values, false)?;
        }
        let failed_before = self.must_roll_back;
        // Also if nobody waits for the end.
        self.must_roll_back = true;
        let (mut at, mut touched) = (0, 0);
        while at < rows.len() {
            let mut chain = Chain::default();
            let mut count = 0;
            while count < ROWS_OF_CHAIN && chain.len() < BYTES_OF_CHAIN && at + count < rows.len() {
                chain.command(&self.requests.execute(statement.section));
                parameters::put(&mut chain, &statement.parameters, &rows[at + count]);
                count += 1;
            }
            touched += self.batch_turn(chain, at, count).await?;
            at += count;
        }
        self.must_roll_back = failed_before;
        Ok(touched)
    }

    /// A turn of a batch that executes `count` rows from the row `first` on.
    async fn batch_turn(&mut self, chain: Chain, first: usize, count: usize) -> Result<u64, DrdaError> {
        let replies = self.exchange(chain).await?;
        let (mut touched, mut answered) = (0, 0);
        for (command, reply) in replies {
            match reply {
                Reply::Card(card) => {
                    let row = first + usize::from(command).saturating_sub(1);
                    touched += u64::from(self.judge(card).map_err(|error| match error {
                        DrdaError::Sql(fault) => DrdaError::Batch { row, fault },
                        other => other,
                    })?);
                    answered += 1;
                }
                Reply::Notice | Reply::UnitLost => {}
                _ => return Err(self.nonsense()),
            }
        }
        // A chain that the server ends early ends with a fault.
        if answered == count { Ok(touched) } else { Err(self.nonsense()) }
    }

    fn rows_touched(&mut self, replies: Vec<(u16, Reply)>) -> Result<u32, DrdaError> {
        let mut touched = None;
        for (_, reply) in replies {
            match reply {
                Reply::Card(card) => touched = Some(self.judge(card)?),
                Reply::UnitLost => self.must_roll_back = true,
                Reply::Notice => {}
                _ => return Err(self.nonsense()),
            }
        }
        touched.ok_or_else(|| self.nonsense())
    }

    /// Whether the statement is ours, takes so many values, and is a query or not.
    pub(crate) fn fits(&self, statement: &Statement, values: &[Value], query: bool) -> Result<(), DrdaError> {
        if statement.connection != self.id {
            return Err(DrdaError::Foreign);
        }
        if statement.columns.is_empty() == query {
            return Err(DrdaError::Options("a query gives rows, another statement gives none"));
        }
        let (expected, given) = (statement.parameters.len(), values.len());
        if expected == given { Ok(()) } else { Err(DrdaError::Parameters { expected, given }) }
    }

    fn claim_section(&mut self) -> Result<u16, DrdaError> {
        if let Some(section) = self.free_sections.pop() {
            return Ok(section);
        }
        if self.sections == SECTIONS {
            return Err(DrdaError::Options("too many statements are prepared"));
        }
        self.sections += 1;
        Ok(self.sections)
    }
}
