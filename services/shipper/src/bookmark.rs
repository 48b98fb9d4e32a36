//! What an unfinished upload needs after a restart, kept with the order and sealed: the address of an
//! upload is a credential.

use async_trait::async_trait;
use delivery::{Order, WorkList};
use jiff::Timestamp;
use targets::Bookmark;
use vault::Vault;

use crate::fail_point;

/// The bookmark of one file of an order.
pub struct KeptBookmark {
    list: WorkList,
    vault: Vault,
    order: Order,
    file: String,
}

impl KeptBookmark {
    /// Of the file of `order` whose name ends with `file`; kept in `list`, sealed by `vault`.
    pub fn new(list: WorkList, vault: Vault, order: &Order, file: &str) -> Self {
        let mut order = order.clone();
        // It is large, and nobody asks for it here.
        order.payload = Vec::new();
        Self { list, vault, order, file: file.to_owned() }
    }
}

#[async_trait]
impl Bookmark for KeptBookmark {
    async fn load(&self) -> Option<String> {
        let sealed = match self.list.bookmark(&self.order, &self.file).await {
            Ok(sealed) => sealed?,
            Err(error) => {
                tracing::warn!(recording = %self.order.recording, %error, "an upload starts anew");
                return None;
            }
        };
        let opened = self.vault.open_sealed(&sealed);
        opened
            .inspect_err(|error| {
                tracing::warn!(recording = %self.order.recording, %error, "an upload starts anew");
            })
            .ok()
    }

    async fn keep(&self, text: Option<&str>) {
        let sealed = text.map(|text| self.vault.seal(text));
        let kept = self.list.keep_bookmark(&self.order, &self.file, sealed, Timestamp::now()).await;
        if let Err(error) = kept {
            tracing::warn!(recording = %self.order.recording, %error, "an upload cannot be resumed after a restart");
        }
        fail_point::reached("bookmark-kept");
    }
}
