//! The journal databases: SQLite files, and real servers.

#[path = "../world/mod.rs"]
#[allow(dead_code, reason = "only its rows are used here")]
mod world;

mod contract;
mod derby;
mod described;
mod mysql;
mod postgres;
mod sql_server;
mod sql_server_login;
mod sqlite;
mod tunnel;
