//! `/metrics` (Prometheus text), `/livez` and `/readyz`.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use prometheus::TextEncoder;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Service;

/// Serves the three pages for `services` until `shutdown`. Returns the address it listens on.
///
/// # Errors
/// The address is taken or not one of this machine.
pub async fn serve(
    address: SocketAddr,
    services: Vec<Service>,
    shutdown: CancellationToken,
) -> std::io::Result<SocketAddr> {
    serve_beside(address, services, Router::new(), shutdown).await
}

/// As [`serve`], with `others` on the same port; they must not take the three pages' paths.
///
/// # Errors
/// The address is taken or not one of this machine.
pub async fn serve_beside(
    address: SocketAddr,
    services: Vec<Service>,
    others: Router,
    shutdown: CancellationToken,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(services))
        .merge(others);
    tokio::spawn(async move {
        let served = axum::serve(listener, routes).with_graceful_shutdown(shutdown.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the HTTP port for metrics and health failed");
        }
    });
    Ok(bound)
}

async fn readyz(State(services): State<Arc<Vec<Service>>>) -> (StatusCode, String) {
    let failed: Vec<String> = services
        .iter()
        .filter_map(|service| service.health().ready().err().map(|why| (service.name(), why)))
        .flat_map(|(name, why)| why.into_iter().map(move |reason| format!("{name}: {reason}\n")))
        .collect();
    if failed.is_empty() {
        let remarks = services.iter().flat_map(|service| {
            service
                .health()
                .remarks()
                .into_iter()
                .map(move |remark| format!("{}: {remark}\n", service.name()))
        });
        (StatusCode::OK, std::iter::once("ok\n".to_owned()).chain(remarks).collect())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, failed.concat())
    }
}

async fn metrics(State(services): State<Arc<Vec<Service>>>) -> (StatusCode, String) {
    // Services of one process may share a registry: each family once.
    let mut families: Vec<_> = services.iter().flat_map(|service| service.registry().gather()).collect();
    families.sort_by(|a, b| a.name().cmp(b.name()));
    families.dedup_by(|a, b| a.name() == b.name());
    match TextEncoder::new().encode_to_string(&families) {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics cannot be written: {error}\n")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    async fn get_page(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_pages_tell_metrics_life_and_readiness() {
        let service = Service::new("test");
        let counter = prometheus::IntCounter::new("callseal_test_calls_total", "Calls.").unwrap();
        service.registry().register(Box::new(counter.clone())).unwrap();
        counter.inc();
        let condition = service.condition("nats");
        let address =
            serve("127.0.0.1:0".parse().unwrap(), vec![service.clone()], service.shutdown()).await.unwrap();
        assert!(get_page(address, "/livez").await.starts_with("HTTP/1.1 200"));
        let page = get_page(address, "/readyz").await;
        assert!(page.starts_with("HTTP/1.1 503") && page.contains("test: nats: not yet"), "{page}");
        condition.set_ok();
        assert!(get_page(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        assert!(get_page(address, "/metrics").await.contains("callseal_test_calls_total 1"));
    }
}
