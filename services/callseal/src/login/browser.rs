//! Signing in in a browser of this machine: Microsoft sends it back to a port that is listened on here.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use axum::{Router, extract::RawQuery, response::Html, routing::get};
use domain::resources::{OneDriveTarget, UserLogin};
use reqwest::Client;
use targets::{
    TargetError,
    one_drive::sign_in::{BrowserLogin, Made},
};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

/// Whoever has not signed in by then has gone.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

const DONE: &str = "<!doctype html><title>Callseal</title><p>You are logged in. You can close this window.";
const FAILED: &str = "<!doctype html><title>Callseal</title><p>That did not work; the terminal says why.";
const OTHER: &str = "<!doctype html><title>Callseal</title><p>This window has nothing to do with this login.";

pub(super) async fn sign_in(
    http: Client,
    drive: &OneDriveTarget,
    user: &UserLogin,
    port: u16,
) -> anyhow::Result<Made> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.context("the port is not free")?;
    let port = listener.local_addr()?.port();
    let login = Arc::new(BrowserLogin::begin(http, drive, user, port)?);
    let (sender, mut ended) = mpsc::channel::<Result<Made, TargetError>>(1);
    let page = login.page();
    let router = Router::new().route(
        "/",
        get(move |RawQuery(query): RawQuery| {
            let (login, sender) = (Arc::clone(&login), sender.clone());
            async move { Html(came_back(&login, &query.unwrap_or_default(), &sender).await) }
        }),
    );
    // The browser decides which of its addresses localhost is.
    let sixth = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok();
    let serving = [Some(listener), sixth].into_iter().flatten().map(|listener| {
        let router = router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await })
    });
    let serving: Vec<_> = serving.collect();
    println!("Open this address in a browser on this machine, and sign in (or use --device):\n{page}");
    let ended = timeout(PATIENCE, ended.recv()).await;
    // The last page is on its way to the browser.
    tokio::time::sleep(Duration::from_millis(200)).await;
    serving.iter().for_each(tokio::task::JoinHandle::abort);
    match ended {
        Ok(Some(made)) => Ok(made?),
        _ => bail!("nobody has signed in within {} minutes", PATIENCE.as_secs() / 60),
    }
}

async fn came_back(
    login: &BrowserLogin,
    query: &str,
    sender: &mpsc::Sender<Result<Made, TargetError>>,
) -> &'static str {
    let (page, ended) = match login.finish(query).await {
        Ok(None) => return OTHER,
        Ok(Some(made)) => (DONE, Ok(made)),
        Err(error) => (FAILED, Err(error)),
    };
    // A browser that comes back twice: the first time counts.
    let _second = sender.try_send(ended);
    page
}
