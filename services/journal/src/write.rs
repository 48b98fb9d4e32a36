//! Writing rows into a journal.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use config::Watched;
use delivery::{Destination, Fault, Notice, Order, Reporter, Work};
use domain::resources::JournalTarget;
use tokio::sync::Mutex;
use wire::{
    Message as _,
    event_v1::{Journalled, event::What},
    recording_v1::JournalRow,
};

use crate::{
    database::{self, ErrorKind, JournalDb, JournalError},
    fail_point,
};

/// Rows written in one transaction when so many wait.
const MOST_TOGETHER: usize = 500;

/// The work of the journal.
pub struct Writing {
    config: Watched,
    data: PathBuf,
    reporter: Reporter,
    open: Mutex<BTreeMap<Destination, Arc<Opened>>>,
}

/// A journal in use, as it was described when it was opened.
struct Opened {
    described: JournalTarget,
    database: Box<dyn JournalDb>,
}

impl Writing {
    /// Into the journals of `config`; their relative paths start at `data`.
    pub fn new(config: Watched, data: PathBuf, reporter: Reporter) -> Self {
        Self { config, data, reporter, open: Mutex::default() }
    }

    /// The journal as it is described now; an open one is used again until its description changes.
    async fn open(&self, destination: &Destination) -> Result<Arc<Opened>, Fault> {
        let resources = self.config.current();
        let journals = resources.tenants.get(&destination.tenant).map(|tenant| &tenant.journal_targets);
        let Some(described) = journals.and_then(|journals| journals.get(&destination.name)) else {
            // The engine is about to stop this worker and to orphan the order.
            let problem = "is not in the configuration any more".to_owned();
            return Err(Fault::passing(problem));
        };
        let mut open = self.open.lock().await;
        if let Some(opened) = open.get(destination).filter(|opened| opened.described == *described) {
            return Ok(Arc::clone(opened));
        }
        let database = database::open(described, &self.data).map_err(fault)?;
        let opened = Arc::new(Opened { described: described.clone(), database });
        open.insert(destination.clone(), Arc::clone(&opened));
        Ok(opened)
    }
}

impl Writing {
    /// Writes the rows of these orders, which go to one journal, in one transaction.
    async fn write(&self, orders: &[Order]) -> Result<(), Fault> {
        let Some(first) = orders.first() else { return Ok(()) };
        let mut rows = Vec::with_capacity(orders.len());
        for order in orders {
            rows.push(
                JournalRow::decode(order.payload.as_slice())
                    .map_err(|_| Fault::record("the order cannot be read: the state database is damaged"))?,
            );
        }
        let opened = self.open(&first.destination).await?;
        match opened.database.insert(&rows).await {
            Err(error) if error.kind() == ErrorKind::NoTable && opened.described.create_table => {
                opened.database.create_table().await.map_err(fault)?;
                opened.database.insert(&rows).await.map_err(fault)?;
            }
            written => {
                written.map_err(fault)?;
            }
        }
        fail_point::reached("row-written");
        Ok(())
    }
}

#[async_trait]
impl Work for Writing {
    type Report = ();

    async fn carry_out(&self, order: &Order) -> Result<(), Fault> {
        self.write(std::slice::from_ref(order)).await
    }

    fn most_together(&self) -> usize {
        MOST_TOGETHER
    }

    async fn carry_out_together(&self, orders: &[Order]) -> Result<Vec<()>, Fault> {
        self.write(orders).await?;
        Ok(vec![(); orders.len()])
    }

    fn carried_out(&self, order: &Order, (): ()) {
        fail_point::reached("noted-done");
        tracing::info!(recording = %order.recording, destination = %order.destination, "journalled");
        let Destination { tenant, name } = &order.destination;
        let journalled = Journalled { journal: name.to_string() };
        self.reporter.event(tenant, Some(order.recording), What::Journalled(journalled));
    }

    async fn complete(&self, _: &Order) {}

    fn notice(&self, notice: Notice) {
        self.reporter.notice(notice);
    }
}

fn fault(error: JournalError) -> Fault {
    if let Some(cause) = std::error::Error::source(&error) {
        // A database's own text may repeat the row.
        tracing::debug!(%error, %cause, "a journal failed");
    }
    let problem = error.to_string();
    if error.concerns_row() {
        Fault::Record { problem }
    } else {
        Fault::Destination { problem, permanent: error.is_permanent(), not_before: None }
    }
}
