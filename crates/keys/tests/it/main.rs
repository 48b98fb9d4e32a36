//! Keys in a real SoftHSM, judged by OpenSSL.

mod certificates;
mod faults;
mod log_keys;
mod lost_token;
mod signing;
mod strict;
mod token_process;
