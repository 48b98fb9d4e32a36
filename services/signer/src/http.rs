//! The logs, read-only over HTTP as C2SP tlog-tiles asks for it: `GET /log/<tenant>/…`, straight from
//! staging. Nothing else that lies in staging can be reached.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    extract::{Path as Params, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use domain::TenantId;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// Content that belongs to its name for ever.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// The newest checkpoint: another one may come with the next second.
const FOR_A_MOMENT: &str = "no-cache";
/// Signed and named by its key, but a certificate authority may change what lies beside it.
const FOR_A_WHILE: &str = "public, max-age=60";

/// The pages, for the staging folder.
pub fn routes(staging: &Path) -> Router {
    let logs: Arc<PathBuf> = Arc::new(staging.join("log"));
    Router::new().route("/log/{tenant}/{*path}", get(file)).with_state(logs)
}

async fn file(
    State(logs): State<Arc<PathBuf>>,
    Params((tenant, path)): Params<(String, String)>,
) -> Response {
    let (Ok(tenant), Some(kind)) = (tenant.parse::<TenantId>(), Kind::of(&path)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // Both are made of letters, digits and inner dots by now: they lead nowhere else.
    match tokio::fs::read(logs.join(tenant.as_str()).join(&path)).await {
        Ok(content) => {
            let (content_type, cache) = kind.headers();
            ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, cache)], content).into_response()
        }
        // A folder is no file.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {
            StatusCode::NOT_FOUND.into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a file of a log cannot be read from staging");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What a path below a log's folder names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The newest checkpoint.
    Newest,
    /// One signed once.
    Checkpoint,
    /// A time stamp of one.
    Stamp,
    /// A tile or a bundle of entries, full or partial: one name, one content.
    Tile,
    /// A statement or its signature.
    Key,
}

impl Kind {
    /// `None`: no file of a log is called so.
    fn of(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').collect();
        if !segments.iter().all(|segment| is_plain(segment)) {
            return None;
        }
        match segments.as_slice() {
            ["checkpoint"] => Some(Self::Newest),
            ["checkpoints", name] => {
                let (size, kind) = match name.strip_suffix(".tsr") {
                    Some(size) => (size, Self::Stamp),
                    None => (*name, Self::Checkpoint),
                };
                (size.len() == 20 && size.bytes().all(|b| b.is_ascii_digit())).then_some(kind)
            }
            ["tile", _, _, ..] => Some(Self::Tile),
            ["keys", _] => Some(Self::Key),
            _ => None,
        }
    }

    const fn headers(self) -> (&'static str, &'static str) {
        match self {
            Self::Newest => (TEXT, FOR_A_MOMENT),
            Self::Checkpoint => (TEXT, FOR_EVER),
            Self::Stamp | Self::Tile => (BYTES, FOR_EVER),
            Self::Key => (TEXT, FOR_A_WHILE),
        }
    }
}

/// Letters, digits, and dots and hyphens between them: no `..`, no hidden and no unfinished file.
fn is_plain(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    bytes.first().is_some_and(u8::is_ascii_alphanumeric) && bytes.iter().all(is_name)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use runtime::Service;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    /// The whole answer, for a path that no client library has tidied up.
    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn files_of_a_log_are_served_with_their_types_and_nothing_else_is() {
        let staging = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let path = staging.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("content of {name}")).unwrap();
        };
        let full = "checkpoints/00000000000000000300";
        for name in ["checkpoint", full, "tile/0/000", "tile/entries/x001/000.p/12", "keys/0a1b2c3d.txt"] {
            put(&format!("log/acme/{name}"));
        }
        for secret in ["sealed/acme/x/x.wav", "log/secret", "log/acme/other", "log/acme/tile/0/000#1"] {
            put(secret);
        }
        let service = Service::new("test");
        let address = runtime::http::serve_beside(
            "127.0.0.1:0".parse().unwrap(),
            vec![service.clone()],
            routes(staging.path()),
            service.shutdown(),
        )
        .await
        .unwrap();

        for (path, content_type, cache) in [
            ("checkpoint", "text/plain; charset=utf-8", "no-cache"),
            (full, "text/plain; charset=utf-8", "public, max-age=31536000, immutable"),
            ("tile/0/000", "application/octet-stream", "public, max-age=31536000, immutable"),
            ("tile/entries/x001/000.p/12", "application/octet-stream", "public, max-age=31536000, immutable"),
            ("keys/0a1b2c3d.txt", "text/plain; charset=utf-8", "public, max-age=60"),
        ] {
            let answer = ask(address, &format!("/log/acme/{path}")).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
            assert!(answer.contains(&format!("content-type: {content_type}\r\n")), "{path}: {answer}");
            assert!(answer.contains(&format!("cache-control: {cache}\r\n")), "{path}: {answer}");
            assert!(answer.ends_with(&format!("content of log/acme/{path}")), "{path}: {answer}");
        }
        for path in [
            "/log/acme/tile/0/001",
            "/log/acme/tile/0",
            "/log/acme/keys",
            "/log/acme/other",
            "/log/acme/",
            "/log/secret",
            "/log/acme/tile/0/000%231",
            "/log/acme/tile/../../../sealed/acme/x/x.wav",
            "/log/acme/tile/%2e%2e/%2e%2e/%2e%2e/sealed/acme/x/x.wav",
            "/log/acme/keys/..%2f..%2fsecret",
            "/log/../sealed/acme/x/x.wav",
            "/log/..%2fsealed/acme/x/x.wav",
            "/log/%2e%2e/sealed/acme/x/x.wav",
            "/log/acme/keys//etc/passwd",
            "/log/acme/keys/%2fetc%2fpasswd",
            "/log/acme/tile/0/%00",
            "/log/Other/checkpoint",
            "/log/other/checkpoint",
        ] {
            let answer = ask(address, path).await;
            assert!(
                answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 400"),
                "{path}: {answer}"
            );
        }
    }
}
