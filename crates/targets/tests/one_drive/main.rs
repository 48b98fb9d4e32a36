//! The OneDrive target against Microsoft Graph and Entra ID as the harness plays them, over TLS.

#[allow(dead_code, reason = "it serves the other targets as well")]
#[path = "../content/mod.rs"]
mod content;
mod login;
mod rclone;
mod refused;
mod resuming;
mod storing;
mod world;
