//! The witness on the network: `POST /add-checkpoint` for logs, and what auditors fetch.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{Request, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use evidence::log::witness::{LONGEST_REQUEST, Refusal, SIZE_CONTENT_TYPE};
use tokio::net::TcpListener;

use super::{Answered, Witness};

/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

const TEXT: &str = "text/plain; charset=utf-8";

/// Answers until SIGTERM or Ctrl-C.
///
/// # Errors
/// The port fails.
pub async fn serve(listener: TcpListener, witness: Arc<Witness>) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/", get(about))
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/checkpoints/{*origin}", get(newest))
        .with_state(witness);
    axum::serve(listener, routes).with_graceful_shutdown(runtime::wait_for_stop_signal()).await
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, request: Request<Body>) -> Response {
    let body = match tokio::time::timeout(PATIENCE, to_bytes(request.into_body(), LONGEST_REQUEST)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return said(StatusCode::PAYLOAD_TOO_LARGE, "the request is too long or was cut"),
        Err(_) => return said(StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time"),
    };
    let decided = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body)).await;
    match decided.unwrap_or(Answered::NotStored) {
        Answered::Cosigned(lines) => ([(CONTENT_TYPE, TEXT)], lines).into_response(),
        Answered::Refused(Refusal::Conflict { size }) => {
            (StatusCode::CONFLICT, [(CONTENT_TYPE, SIZE_CONTENT_TYPE)], format!("{size}\n")).into_response()
        }
        Answered::Refused(refusal) => {
            let status = StatusCode::from_u16(refusal.http_status());
            said(status.unwrap_or(StatusCode::BAD_REQUEST), &refusal.to_string())
        }
        Answered::NotStored => {
            said(StatusCode::INTERNAL_SERVER_ERROR, "this witness cannot remember it now; ask again")
        }
    }
}

/// The newest checkpoint that was cosigned, for `callseal verify --checkpoint`.
async fn newest(State(witness): State<Arc<Witness>>, Path(origin): Path<String>) -> Response {
    match witness.newest(&origin) {
        Some(note) => ([(CONTENT_TYPE, TEXT)], note).into_response(),
        None => said(StatusCode::NOT_FOUND, "nothing was cosigned for such a log"),
    }
}

async fn about(State(witness): State<Arc<Witness>>) -> Response {
    let logs: String = witness.origins().map(|origin| format!("checkpoints/{origin}\n")).collect();
    let text = format!("C2SP tlog-witness\n{}\n{logs}", witness.key().public().vkey());
    ([(CONTENT_TYPE, TEXT)], text).into_response()
}

fn said(status: StatusCode, text: &str) -> Response {
    (status, [(CONTENT_TYPE, TEXT)], format!("{text}\n")).into_response()
}
