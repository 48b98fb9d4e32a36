//! Queries (DRDA ch. 4, "Query"; DDM `OPNQRY`, `CNTQRY`, `CLSQRY`): blocks of rows, fetched one after the
//! other until the last row, which closes the query.

use crate::{
    card::Card,
    connection::Connection,
    dss::Chain,
    error::{DrdaError, ProtocolFault},
    parameters,
    reply::Reply,
    row::{Next, Rows},
    statement::Statement,
    value::{Row, Value},
};

/// A query that is open.
#[derive(Default)]
struct Answer {
    instance: Option<[u8; 8]>,
    rows: Option<Rows>,
    come: Vec<Row>,
    size: usize,
    ended: bool,
}

impl Connection {
    /// Prepares a query, and returns its rows; at most `most` of them.
    ///
    /// # Errors
    /// The database refuses it, or the connection broke.
    pub async fn query(&mut self, sql: &str, values: &[Value], most: usize) -> Result<Vec<Row>, DrdaError> {
        let statement = self.prepare(sql).await?;
        let rows = self.query_prepared(&statement, values, most).await;
        self.close(statement);
        rows
    }

    /// The rows of a prepared query; at most `most` of them.
    ///
    /// # Errors
    /// The database refuses it, or the connection broke.
    pub async fn query_prepared(
        &mut self,
        statement: &Statement,
        values: &[Value],
        most: usize,
    ) -> Result<Vec<Row>, DrdaError> {
        self.fits(statement, values, true)?;
        let failed_before = self.must_roll_back;
        // A query that nobody reads to its end stays open until the transaction ends.
        self.must_roll_back = true;
        let mut chain = Chain::default();
        chain.command(&self.requests.open_query(statement.section));
        parameters::put(&mut chain, statement.parameters(), values);
        let mut answer = Answer::default();
        match self.block(chain, &mut answer, most).await {
            // One that was not opened leaves nothing open.
            Err(DrdaError::Sql(fault)) if answer.instance.is_none() => {
                self.must_roll_back = failed_before || fault.ends_transaction();
                return Err(DrdaError::Sql(fault));
            }
            opened => opened?,
        }
        let Some(instance) = answer.instance else { return Err(self.nonsense()) };
        while !answer.ended && answer.come.len() < most {
            let mut chain = Chain::default();
            chain.command(&self.requests.continue_query(statement.section, instance));
            let before = answer.size;
            self.block(chain, &mut answer, most).await?;
            if !answer.ended && answer.size == before {
                // Nothing came, and not the end either: it would go on like that.
                return Err(self.nonsense());
            }
        }
        if !answer.ended {
            let mut chain = Chain::default();
            chain.command(&self.requests.close_query(statement.section, instance));
            self.block(chain, &mut answer, most).await?;
        }
        self.must_roll_back = failed_before;
        Ok(answer.come)
    }

    /// Takes a turn of a query, and the rows that have come whole.
    async fn block(&mut self, chain: Chain, answer: &mut Answer, most: usize) -> Result<(), DrdaError> {
        for (_, reply) in self.exchange(chain).await? {
            match reply {
                Reply::QueryOpen(instance) => answer.instance = Some(instance),
                Reply::QueryDescribed(formats) => answer.rows = Some(Rows::new(formats, self.largest_answer)),
                Reply::Block(block) => {
                    answer.size += block.len();
                    let Some(rows) = &mut answer.rows else { return Err(self.nonsense()) };
                    rows.feed(&block).inspect_err(|_| self.transport.give_up())?;
                }
                Reply::External(content) => {
                    answer.size += content.len();
                    let Some(rows) = &mut answer.rows else { return Err(self.nonsense()) };
                    rows.feed_external(content);
                }
                Reply::QueryEnded => answer.ended = true,
                Reply::Card(card) => {
                    self.judge(card)?;
                }
                // Derby describes anew what it has compiled anew (DERBY-5459); QRYDSC says what counts.
                Reply::Described(described) => {
                    self.judge(described.card)?;
                }
                Reply::QueryFailed | Reply::Notice | Reply::UnitLost => {}
                _ => return Err(self.nonsense()),
            }
        }
        if answer.size > self.largest_answer {
            self.transport.give_up();
            return Err(ProtocolFault::TooLarge.into());
        }
        self.take_rows(answer, most)
    }

    fn take_rows(&mut self, answer: &mut Answer, most: usize) -> Result<(), DrdaError> {
        let Some(rows) = &mut answer.rows else { return Ok(()) };
        while answer.come.len() < most {
            match rows.next_row().inspect_err(|_| self.transport.give_up())? {
                Next::Row(row) => answer.come.push(row),
                Next::End => {
                    answer.ended = true;
                    break;
                }
                Next::Fault(fault) => {
                    self.judge(Card::Fault(fault))?;
                }
                Next::Incomplete => break,
            }
        }
        Ok(())
    }
}
