//! A new log in the place of one that must not go on, whose right database is lost.
//!
//! A person asks for it by moving the halted log's folder out of staging and starting the signer again.
//! The old log is left as it was published: it lies in that folder and in every archive. The new one has
//! another name, so that nobody takes it for a rewritten old one, and its first entries say whose place
//! it takes ([`reason`]). What waits goes on: recordings that are still to be sealed, and those that are
//! sealed and wait for their proof, whose entries are taken over.
//!
//! It is one transaction. Crash before it: the log is halted, and the next start finds the folder gone.
//! Crash after it: the new log is there, empty or with what was taken over, and halted no more.

use bus::with_sources;
use domain::TenantId;
use evidence::log::Origin;
use object_store::{ObjectStoreExt, path::Path as Key};
use wire::event_v1::{Fault, event::What as Happened};

use super::LogError;
use crate::{
    context::Context,
    state::{Held, log::LogHead},
};

/// Where staging says that a log is halted, and why: for whoever looks there, and so that an empty disk in
/// the place of staging is not taken for a log that was moved away.
fn notice(tenant: &TenantId) -> Key {
    Key::from(format!("halted/{tenant}.txt"))
}

/// Lays down why the log is halted.
pub(super) async fn put_notice(context: &Context, tenant: &TenantId, problem: &str) {
    let text = format!("The log of the tenant {tenant} is halted.\n\n{problem}.\n");
    if let Err(error) = context.staging.replace(&notice(tenant), text.into()).await {
        tracing::warn!(%tenant, error = with_sources(&error), "why the log is halted cannot be laid into staging");
    }
}

/// The log is halted no more.
pub(super) async fn take_notice_away(context: &Context, tenant: &TenantId) {
    match context.staging.store().delete(&notice(tenant)).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => tracing::warn!(%tenant, %error, "a notice about a halted log cannot be deleted"),
    }
}

/// What became of a halted log's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folder {
    /// It lies in staging.
    There,
    /// A person moved it away.
    MovedAway,
    /// It is away, and so is all else: this is not the staging that the log was halted in.
    Lost,
}

/// Looks for the folder of a halted log.
///
/// # Errors
/// Staging cannot be read.
pub(super) async fn folder(context: &Context, tenant: &TenantId) -> Result<Folder, LogError> {
    let logs = context.staging.folders(&Key::from("log")).await?;
    if logs.iter().any(|name| name == tenant.as_str()) {
        return Ok(Folder::There);
    }
    let is_noticed = context.staging.read(&notice(tenant)).await.is_ok();
    Ok(if is_noticed { Folder::MovedAway } else { Folder::Lost })
}

/// Begins it.
///
/// # Errors
/// The state refused.
pub(super) async fn begin(context: &Context, lease: &Held, head: &LogHead) -> Result<(), LogError> {
    let tenant = &head.tenant;
    let origin = Origin::new(context.options.installation.as_str(), tenant, rand::random());
    let taken_over = context.state.begin_log_anew(lease, tenant, origin.as_str()).await?;
    take_notice_away(context, tenant).await;
    let problem = format!(
        "the folder of the halted log {} was moved out of staging: the log {origin} begins in its place, with {taken_over} \
         entries that were not published; archives and witnesses have to be told",
        head.origin
    );
    tracing::error!(%tenant, problem, "a new log begins");
    let fault = Fault { r#where: "signer/log".to_owned(), problem, will_retry: false };
    context.event(tenant.as_str(), "", Happened::Fault(fault));
    Ok(())
}

/// Why the first key of a log is its first.
pub fn reason(head: &LogHead) -> String {
    if head.follows.is_empty() {
        return "the first key of this log".to_owned();
    }
    format!(
        "the first key of this log, which takes the place of the log {}: that one was halted, since the state database was \
         not the one that it was published from, and a person moved it away",
        head.follows
    )
}
