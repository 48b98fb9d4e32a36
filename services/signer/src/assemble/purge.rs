//! What the stream of calls need not keep any more.
//!
//! While all is well: everything up to the mark, which is in SQL and in staging.
//!
//! While a log is halted, the state database may be an older copy. What this one takes in then has to stay
//! in the stream: the database that is put in its place has to read it, too. That holds for the halted
//! log's tenant as long as it is halted. For another tenant it holds until this database has signed a
//! further checkpoint of that tenant's log: from then on every other copy of the database is an older one
//! for it, which would be halted in turn, and this one has the only true state of its calls. As logs are
//! signed at least hourly, one halted log does not fill the stream with the calls of all.
//!
//! What nodes say of themselves (a few bytes a start) stays until the halt is over.

use std::collections::BTreeSet;

use bus::{BusError, Partition};
use domain::TenantId;

use crate::{context::Context, state::log::LogHead};

/// Purges what may go of what lies up to `mark`; `read`: up to where there was read. `unpurged`: the
/// tenants of which something may lie there; those that are done with are taken out.
///
/// # Errors
/// The bus does not do it now: the next flush purges this, too.
pub async fn to(
    context: &Context,
    partition: &Partition,
    unpurged: &mut BTreeSet<TenantId>,
    (mark, read): (u64, u64),
) -> Result<bool, BusError> {
    // When the state cannot be read, nothing can be said: the next flush finds out.
    let Ok(logs) = context.state.logs().await else { return Ok(false) };
    let Some(since) = logs.iter().filter(|log| !log.halted.is_empty()).map(|log| log.halted_ms).max() else {
        partition.purge_to(mark).await?;
        if mark >= read {
            unpurged.clear();
        }
        return Ok(mark >= read);
    };
    let Ok(signed) = context.state.newest_checkpoints().await else { return Ok(false) };
    let may_go = |tenant: &TenantId| {
        let is_whole = |log: &LogHead| log.tenant == *tenant && log.halted.is_empty();
        logs.iter().any(is_whole) && signed.get(tenant).is_some_and(|signed_ms| *signed_ms > since)
    };
    let gone: Vec<TenantId> = unpurged.iter().filter(|tenant| may_go(tenant)).cloned().collect();
    for tenant in &gone {
        partition.purge_tenant_to(tenant, mark).await?;
        if mark >= read {
            unpurged.remove(tenant);
        }
    }
    // What the others left before this process was there goes when the halt is over: with a new start.
    Ok(unpurged.is_empty())
}
