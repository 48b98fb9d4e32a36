//! Drives, whoever signs in to them, and memory of uploads.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::resources::{AppLogin, Cloud, Drive, MicrosoftLogin, OneDriveTarget, UserLogin};
use harness::graph::{CLIENT, Graph, SECRET, TENANT, USER};
use reqwest::{Certificate, Client, Proxy};
use targets::{
    Bookmark, OneDrive,
    one_drive::{Access, Patience, http_builder, sign_in::SealedLogins},
};
use tempfile::TempDir;

/// Length of a range of an upload in bytes.
pub const RANGE: usize = 16 * 320 * 1024;
/// A file that goes in three ranges.
pub const LARGE: usize = 2 * RANGE + 1_000_000;

/// The smallest file that goes in ranges: in one.
pub const ONE_RANGE: usize = 4 * 1024 * 1024 + 1;

pub struct World {
    dir: TempDir,
    pub graph: Arc<Graph>,
}

impl World {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let graph = Arc::new(Graph::start(&dir.path().join("microsoft")).await.unwrap());
        Self { dir, graph }
    }

    /// The data folder of the installation.
    pub fn data(&self) -> &Path {
        self.dir.path()
    }

    pub fn http(&self) -> Client {
        let ca = Certificate::from_pem_bundle(&fs::read(self.graph.ca()).unwrap()).unwrap();
        let proxy = Proxy::https(self.graph.proxy()).unwrap();
        http_builder().proxy(proxy).tls_certs_merge(ca).build().unwrap()
    }

    pub fn logins(&self) -> SealedLogins {
        SealedLogins::in_folder(self.data())
    }

    pub fn open(&self, target: OneDriveTarget) -> OneDrive {
        self.open_with(target, Duration::from_secs(30))
    }

    /// A target that gives a connection up when nothing moves on it for so long.
    pub fn open_with(&self, target: OneDriveTarget, stall: Duration) -> OneDrive {
        let patience = Patience { stall, pause: Duration::from_millis(10), tries: 3 };
        let access = Access { http: Some(self.http()), logins: Arc::new(self.logins()), patience };
        OneDrive::new("vault".parse().unwrap(), target, access)
    }

    /// The folder `Recordings` of the user's drive, by the app.
    pub fn recordings(&self) -> OneDrive {
        self.open(of_user())
    }
}

/// An app that signs in by its secret.
pub fn app() -> AppLogin {
    AppLogin::Secret { tenant_id: TENANT.into(), client_id: CLIENT.into(), secret: SECRET.into() }
}

pub fn user() -> UserLogin {
    UserLogin { tenant_id: TENANT.into(), client_id: CLIENT.into(), account: USER.into() }
}

pub fn described(login: MicrosoftLogin, drive: Drive) -> OneDriveTarget {
    let path = "Recordings".to_owned();
    OneDriveTarget { cloud: Cloud::Global, login, drive, path, retention_label: None }
}

pub fn of_user() -> OneDriveTarget {
    described(MicrosoftLogin::App(app()), Drive::User(USER.into()))
}

pub fn of_site(library: Option<&str>) -> OneDriveTarget {
    let (host, path) = ("contoso.sharepoint.com".to_owned(), "sites/archive".to_owned());
    let library = library.map(str::to_owned);
    described(MicrosoftLogin::App(app()), Drive::Site { host, path, library })
}

/// Memory of one upload, as the engine has it in its database.
#[derive(Default)]
pub struct Memory(Mutex<Option<String>>);

impl Memory {
    pub fn text(&self) -> Option<String> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl Bookmark for Memory {
    async fn load(&self) -> Option<String> {
        self.text()
    }

    async fn keep(&self, text: Option<&str>) {
        *self.0.lock().unwrap() = text.map(str::to_owned);
    }
}
