//! The transparency log: vectors of RFC 6962, formats judged by others, and logs that somebody
//! tampered with.

mod audit;
mod built;
mod formats;
mod judge;
mod keys;
mod openssl;
mod published;
mod rfc6962;
mod tiles;
