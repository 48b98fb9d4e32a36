//! Programs.

use async_trait::async_trait;
use domain::resources::ScriptTarget;

use crate::{Dispatch, ErrorKind, HandedOver, Parcel, TargetError, dispatch::Scripts};

/// Runs a program for each recording.
pub struct Script {
    target: ScriptTarget,
    scripts: Scripts,
}

impl Script {
    /// The one that the target names, of the folder `scripts`.
    pub const fn new(target: ScriptTarget, scripts: Scripts) -> Self {
        Self { target, scripts }
    }
}

#[async_trait]
impl Dispatch for Script {
    async fn dispatch(&self, _parcel: &Parcel) -> Result<HandedOver, TargetError> {
        self.test(false).await?;
        Err(TargetError::new(ErrorKind::Incomplete, "programs are not run yet"))
    }

    async fn test(&self, _run: bool) -> Result<&'static str, TargetError> {
        let problem = format!("{} is not looked for yet: {}", self.target.command, self.scripts.is_some());
        Err(TargetError::new(ErrorKind::Incomplete, problem))
    }
}
