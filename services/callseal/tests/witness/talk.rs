//! HTTP by hand, so that anything can be sent.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use evidence::log::{NoteSignature, witness::parse_answer};

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub status: u16,
    pub content_type: String,
    pub body: Vec<u8>,
}

impl Said {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn cosignatures(&self) -> Vec<NoteSignature> {
        assert_eq!(self.status, 200, "{}", self.text());
        parse_answer(&self.body).unwrap()
    }
}

/// `POST /add-checkpoint`; an error: the witness went away.
pub fn post(url: &str, body: &[u8]) -> io::Result<Said> {
    request(url, "POST", "/add-checkpoint", body)
}

pub fn get(url: &str, path: &str) -> Said {
    request(url, "GET", path, b"").unwrap()
}

pub fn request(url: &str, method: &str, path: &str, body: &[u8]) -> io::Result<Said> {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or_else(cut)?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let field = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(field, _)| *field == name).map(|(_, value)| value.to_owned())
    };
    let body = answer[end + 4..].to_vec();
    // An answer that was cut by kill -9 is none.
    if field("content-length").is_some_and(|length| length != body.len().to_string()) {
        return Err(cut());
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut)?;
    Ok(Said { status, content_type: field("content-type").unwrap_or_default(), body })
}
