//! Mailboxes.

use async_trait::async_trait;
use domain::resources::EmailTarget;

use crate::{Dispatch, ErrorKind, HandedOver, Parcel, TargetError};

/// Sends recordings as mails.
pub struct Email {
    target: EmailTarget,
}

impl Email {
    /// To those that the target names.
    pub const fn new(target: EmailTarget) -> Self {
        Self { target }
    }
}

#[async_trait]
impl Dispatch for Email {
    async fn dispatch(&self, _parcel: &Parcel) -> Result<HandedOver, TargetError> {
        Err(TargetError::new(ErrorKind::Incomplete, format!("{} is not asked yet", self.target.smtp.host)))
    }

    async fn test(&self, _run: bool) -> Result<&'static str, TargetError> {
        Err(TargetError::new(ErrorKind::Incomplete, format!("{} is not asked yet", self.target.smtp.host)))
    }
}
