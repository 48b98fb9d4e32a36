//! The one thing that only NATS' monitoring tells: whether JetStream syncs before it acknowledges.

use std::time::Duration;

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const TIMEOUT: Duration = Duration::from_secs(3);
const MAX_ANSWER: u64 = 1 << 20;

#[derive(Deserialize)]
struct Jsz {
    config: Option<JszConfig>,
}

#[derive(Deserialize)]
struct JszConfig {
    #[serde(default)]
    sync_always: bool,
}

/// Whether the server behind `monitor_url` (`http://HOST:PORT`) has `sync_interval: always`.
/// Error: a text that says why it cannot be found out.
pub async fn sync_always(monitor_url: &str) -> Result<bool, String> {
    let host =
        monitor_url.strip_prefix("http://").ok_or("the monitoring address has to begin with http://")?;
    let host = host.trim_end_matches('/');
    let answer = tokio::time::timeout(TIMEOUT, get(host)).await.map_err(|_| "no answer in 3 s".to_owned())?;
    let answer = answer.map_err(|e| e.to_string())?;
    read(&answer)
}

async fn get(host: &str) -> std::io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect(host).await?;
    // HTTP/1.0: one answer, not chunked, until the end of the connection.
    let request = format!("GET /jsz HTTP/1.0\r\nHost: {host}\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn read(answer: &[u8]) -> Result<bool, String> {
    let start = answer.windows(4).position(|w| w == b"\r\n\r\n").ok_or("the answer is not HTTP")? + 4;
    let jsz: Jsz =
        serde_json::from_slice(&answer[start..]).map_err(|e| format!("/jsz cannot be read: {e}"))?;
    Ok(jsz.config.ok_or("JetStream is not enabled")?.sync_always)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_mention_sync_always_does_not_have_it() {
        assert_eq!(read(b"HTTP/1.0 200 OK\r\n\r\n{\"config\":{\"sync_interval\":1}}"), Ok(false));
        assert_eq!(read(b"HTTP/1.0 200 OK\r\n\r\n{\"config\":{\"sync_always\":true}}"), Ok(true));
        assert!(read(b"HTTP/1.0 200 OK\r\n\r\n{}").is_err());
    }
}
