//! Time stamps and cosignatures from real authorities and witnesses, and from bad ones.

mod refused;
mod stamps;
