//! The speech that demo, load generator and tests send: two voices of a made-up conversation.
//!
//! Raw G.711 A-law, 8000 samples a second; `assets/speech/make.sh` makes them.

use std::sync::{Arc, LazyLock};

static CALLER: LazyLock<Arc<[u8]>> =
    LazyLock::new(|| Arc::from(&include_bytes!("../../assets/speech/caller.al")[..]));
static CALLEE: LazyLock<Arc<[u8]>> =
    LazyLock::new(|| Arc::from(&include_bytes!("../../assets/speech/callee.al")[..]));

/// The caller's voice, about 13 s of A-law.
pub fn caller() -> Arc<[u8]> {
    Arc::clone(&CALLER)
}

/// The callee's voice, about 13 s of A-law.
pub fn callee() -> Arc<[u8]> {
    Arc::clone(&CALLEE)
}
