//! Time stamps and cosignatures from real authorities and witnesses, and from bad ones.

mod cosignatures;
mod over_tls;
mod refused;
mod stamps;
