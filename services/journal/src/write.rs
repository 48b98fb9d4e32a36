//! Writing rows into a journal.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use config::Watched;
use delivery::{Destination, Fault, Notice, Order, Reporter, Work};
use domain::resources::JournalTarget;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use wire::{
    Message as _,
    event_v1::{Journalled, event::What},
    recording_v1::JournalRow,
};

use crate::{
    database::{self, ErrorKind, JournalDb, JournalError, Proven},
    fail_point,
    figures::Figures,
};

/// Rows written in one transaction when so many wait.
const MOST_TOGETHER: usize = 500;

/// The work of the journal.
pub struct Writing {
    config: Watched,
    data: PathBuf,
    reporter: Reporter,
    figures: Figures,
    open: Mutex<BTreeMap<Destination, Arc<Opened>>>,
}

/// A journal in use, as it was described when it was opened.
struct Opened {
    described: JournalTarget,
    database: Box<dyn JournalDb>,
}

impl Writing {
    /// Into the journals of `config`; their relative paths start at `data`.
    pub fn new(config: Watched, data: PathBuf, reporter: Reporter, figures: Figures) -> Self {
        Self { config, data, reporter, figures, open: Mutex::default() }
    }

    /// Closes what is not described any more, or in other words than when it was opened, as the
    /// configuration changes; until `shutdown`.
    pub async fn close_the_forgotten(&self, shutdown: CancellationToken) {
        let mut config = self.config.clone();
        loop {
            tokio::select! {
                () = config.changed() => {}
                () = shutdown.cancelled() => return,
            }
            let resources = config.current();
            self.open.lock().await.retain(|Destination { tenant, name }, opened| {
                let described =
                    resources.tenants.get(tenant).and_then(|tenant| tenant.journal_targets.get(name));
                described == Some(&opened.described)
            });
        }
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
        let database =
            database::open(described, &self.data).map_err(|error| self.fault(destination, error))?;
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
        let journal = &first.destination;
        let opened = self.open(journal).await?;
        if let Err(error) = opened.write(&rows).await {
            let fault = self.fault(journal, error);
            self.only_this_one(&opened, journal, &rows, fault).await?;
        }
        fail_point::reached("row-written");
        Ok(())
    }

    /// A database may break on one row, as where a trigger chokes on it: rows of a journal come in order,
    /// so this one would hold up all others for ever. It is at fault itself if the database takes another
    /// row, but refuses this one once more, and takes another row then, too.
    async fn only_this_one(
        &self,
        opened: &Opened,
        journal: &Destination,
        rows: &[JournalRow],
        fault: Failed,
    ) -> Result<(), Fault> {
        let Failed { kind, fault } = fault;
        if rows.len() != 1 || !opened.takes_another(kind).await {
            return Err(fault);
        }
        let Err(error) = opened.write(rows).await else { return Ok(()) };
        let again = self.fault(journal, error);
        match again.fault {
            Fault::Destination { problem, .. } if opened.takes_another(again.kind).await => {
                Err(Fault::Record { problem })
            }
            fault => Err(fault),
        }
    }

    /// What follows from an error; it is counted.
    fn fault(&self, journal: &Destination, error: JournalError) -> Failed {
        if let Some(cause) = std::error::Error::source(&error) {
            // A database's own text may repeat the row.
            tracing::debug!(%error, %cause, "a journal failed");
        }
        let kind = error.kind();
        self.figures.failed(journal, kind);
        let problem = error.to_string();
        let fault = if error.concerns_row() {
            Fault::Record { problem }
        } else {
            Fault::Destination { problem, permanent: error.is_permanent(), not_before: None }
        };
        Failed { kind, fault }
    }
}

/// An attempt that failed.
struct Failed {
    kind: ErrorKind,
    fault: Fault,
}

impl From<Failed> for Fault {
    fn from(failed: Failed) -> Self {
        failed.fault
    }
}

impl Opened {
    /// Writes rows; makes the table first if that is wanted.
    async fn write(&self, rows: &[JournalRow]) -> Result<(), JournalError> {
        match self.database.insert(rows).await {
            Err(error) if error.kind() == ErrorKind::NoTable && self.described.create_table => {
                self.database.create_table().await?;
                self.database.insert(rows).await.map(drop)
            }
            written => written.map(drop),
        }
    }

    /// Whether another row would be written where one has failed by this.
    async fn takes_another(&self, kind: ErrorKind) -> bool {
        // A small row may find room where a larger one does not, and a lock may be let go of.
        if matches!(kind, ErrorKind::Row | ErrorKind::Full | ErrorKind::Busy | ErrorKind::Description) {
            return false;
        }
        match self.database.probe().await {
            Ok(Proven::Writing) => true,
            // It is there and answers; whether this user may write is not known.
            Ok(Proven::Columns) => matches!(kind, ErrorKind::Unreachable | ErrorKind::Other),
            Err(_) => false,
        }
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
