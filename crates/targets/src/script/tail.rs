//! The end of what a program says.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// So many bytes are kept.
const KEPT: usize = 4096;

/// What was said last, on both ways out; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<u8>>>);

impl Tail {
    /// Listens until nobody can say anything any more, and keeps the end of it.
    pub(super) async fn listen(self, mut out: impl AsyncRead + Unpin) {
        let mut block = vec![0; 16 * 1024];
        while let Ok(read) = out.read(&mut block).await {
            if read == 0 {
                return;
            }
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(&block[..read]);
            let surplus = kept.len().saturating_sub(KEPT);
            kept.drain(..surplus);
        }
    }

    /// As text that does nothing to a terminal.
    pub(super) fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        // A character that was cut in two at the beginning.
        let cut = bytes.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
        let text = String::from_utf8_lossy(&bytes[cut..]);
        text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_a_flood_the_end_is_kept_as_text() {
        let tail = Tail::default();
        let said = "ä".repeat(100_000) + "\u{1b}[31mend\n";
        tail.clone().listen(said.as_bytes()).await;
        let text = tail.text();
        assert!(text.len() <= KEPT && text.starts_with('ä') && text.ends_with("ä [31mend\n"), "{text}");
    }
}
