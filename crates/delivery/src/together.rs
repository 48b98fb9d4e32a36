//! Orders of one destination that are carried out together, because they wait anyway.
//!
//! They are done together or not at all. When one record is at fault, or a destination breaks on one of
//! them, the orders of that batch go one by one: only so is it seen which it was, and the others go on.

use std::sync::atomic::Ordering;

use jiff::Timestamp;

use crate::{
    DeliveryError, Fault, Order, Work,
    worker::{Stop, Worker, survived},
};

impl<W: Work> Worker<W> {
    /// How many orders may be taken in hand at once.
    pub(crate) fn most_now(&self) -> usize {
        if self.singly.load(Ordering::Relaxed) > 0 { 1 } else { self.work.most_together() }
    }

    pub(crate) async fn handle_all(&self, orders: &[Order], stop: &Stop) -> Result<(), DeliveryError> {
        if let [order] = orders {
            self.singly.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).ok();
            return self.handle(order, stop).await.map(drop);
        }
        let outcome = tokio::select! {
            outcome = survived(self.work.carry_out_together(orders)) => outcome,
            () = self.keep_all(orders) => return Ok(()),
            () = self.closed() => Some(Err(Fault::BrokenOff)),
            () = stop.now.cancelled() => Some(Err(Fault::BrokenOff)),
        };
        match outcome {
            Some(Ok(reports)) => self.all_succeeded(orders, reports).await,
            // One of them made the work panic, or cannot be stored.
            None | Some(Err(Fault::Record { .. })) => self.each_by_itself(orders, stop).await,
            Some(Err(fault)) => self.all_failed(orders, &fault).await,
        }
    }

    /// All are noted in one transaction.
    async fn all_succeeded(&self, orders: &[Order], reports: Vec<W::Report>) -> Result<(), DeliveryError> {
        let now = Timestamp::now();
        let mut noted = Vec::with_capacity(orders.len());
        let mut tx = self.list.database().begin_write().await?;
        for (order, report) in orders.iter().zip(&reports) {
            self.work.store_done_in(&mut tx, order, report, now).await?;
            noted.push(self.list.done_in(&mut tx, order, now).await?);
        }
        tx.commit().await?;
        for ((order, report), done) in orders.iter().zip(reports).zip(noted) {
            self.told(order, report, done).await?;
        }
        Ok(())
    }

    async fn each_by_itself(&self, orders: &[Order], stop: &Stop) -> Result<(), DeliveryError> {
        let mut works = true;
        for order in orders {
            if !works || stop.is_told() {
                self.failed(order, &Fault::BrokenOff).await?;
            } else if self.list.renew(order, self.lease, Timestamp::now()).await? {
                works = self.handle(order, stop).await?;
            }
        }
        Ok(())
    }

    /// The destination is at fault, as far as is known: told once.
    async fn all_failed(&self, orders: &[Order], fault: &Fault) -> Result<(), DeliveryError> {
        // It may be one of them that it breaks on, if that is not the first time: an outage alone would have a
        // long backlog begin with hundreds of small transactions.
        if orders.iter().any(|order| order.attempts > 0) {
            self.singly.store(orders.len(), Ordering::Relaxed);
        }
        for (number, order) in orders.iter().enumerate() {
            // The oldest first: what is put back after it is not taken, since the destination is held back.
            self.failed(order, if number == 0 { fault } else { &Fault::BrokenOff }).await?;
        }
        Ok(())
    }

    /// Renews the leases while the work goes on; returns when another worker has one of the orders.
    async fn keep_all(&self, orders: &[Order]) {
        loop {
            tokio::time::sleep(self.lease / 3).await;
            for order in orders {
                if !self.renewed(order).await {
                    return;
                }
            }
        }
    }
}
