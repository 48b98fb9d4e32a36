//! Starts the real servers for tests on free ports of loopback, with their data in temporary
//! folders, and stops them by process id. A server that is missing fails the test.

pub mod account;
pub mod azurite;
pub mod cable;
pub mod command;
pub mod gcs;
pub mod graph;
pub mod http_answers;
pub mod installation;
pub mod key_vault;
pub mod log_by_hand;
pub mod loopback_tls;
pub mod mariadb;
pub mod moto;
pub mod phone;
pub mod pjsua;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod programs;
pub mod recordings;
pub mod resources;
pub mod rtp;
pub mod rtpengine;
pub mod samba;
pub mod sip_by_hand;
pub mod sipp;
pub mod small_disk;
pub mod sshd;
pub mod streams;
pub mod time_stamp_authority;
pub mod up;
pub mod wait;
pub mod witness;
pub mod world;
