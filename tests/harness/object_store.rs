//! A server of S3 that keeps objects in a folder, refuses who does not know its secret, and fails where a test wants it to.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use crate::Settings;

/// The bucket that there is.
pub const BUCKET: &str = "backups";
const KEY_ID: &str = "key-of-tests";
const SECRET: &str = "secret-of-tests";

/// Whether a request is meant, of which it is told the method and the URL.
type Which = fn(&str) -> bool;

/// A server that runs until it is dropped.
pub struct ObjectStore {
    url: String,
    folder: TempDir,
    watch: Arc<Watch>,
    _server: AbortOnDropHandle<()>,
}

/// What the server does with requests before it answers them.
#[derive(Default)]
struct Watch {
    /// The method and the URL of each request.
    received: Mutex<Vec<String>>,
    /// Those that are refused.
    refused: Mutex<Option<Which>>,
    /// Those that are never answered.
    held: Mutex<Option<Which>>,
    holding: Notify,
}

impl ObjectStore {
    /// Starts it at a port of its own.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let watch = Arc::<Watch>::default();
        let serving = serve(listener, service(folder.path()), Arc::clone(&watch));
        Self {
            url,
            folder,
            watch,
            _server: AbortOnDropHandle::new(tokio::spawn(serving)),
        }
    }

    /// Settings by which processes use it.
    #[must_use]
    pub fn settings(&self) -> [(&'static str, &str); 6] {
        settings(&self.url)
    }

    /// Has processes with these settings use it.
    pub fn configure(&self, settings: &mut Settings) {
        for (name, value) in self.settings() {
            settings.set(name, value);
        }
    }

    /// Refuses such requests from now on. They are told by method and URL.
    pub fn refuse(&self, which: Which) {
        *self.watch.refused.lock().unwrap() = Some(which);
    }

    /// Answers no such request from now on.
    pub fn hold(&self, which: Which) {
        *self.watch.held.lock().unwrap() = Some(which);
    }

    /// Waits for a request that is not answered.
    pub async fn holding(&self) {
        self.watch.holding.notified().await;
    }

    /// Whether it has received a request that has this in its method and URL.
    #[must_use]
    pub fn has_received(&self, part: &str) -> bool {
        let received = self.watch.received.lock().unwrap();
        received.iter().any(|request| request.contains(part))
    }

    /// The names of the objects below a prefix of the bucket.
    #[must_use]
    pub fn objects(&self, prefix: &str) -> Vec<String> {
        names(self.folder.path().join(BUCKET).join(prefix))
    }

    /// Whether it keeps parts of an object that was never completed.
    #[must_use]
    pub fn keeps_parts(&self) -> bool {
        let mut names = names(self.folder.path().to_owned()).into_iter();
        names.any(|name| name.contains("part-"))
    }
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStore")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Settings by which processes use a server at this URL.
#[must_use]
pub fn settings(url: &str) -> [(&'static str, &str); 6] {
    [
        ("TIDEMARK_OBJECT_STORE__ENDPOINT", url),
        ("TIDEMARK_OBJECT_STORE__ALLOW_HTTP", "true"),
        ("TIDEMARK_OBJECT_STORE__ACCESS_KEY_ID", KEY_ID),
        ("TIDEMARK_OBJECT_STORE__SECRET_ACCESS_KEY", SECRET),
        ("TIDEMARK_OBJECT_STORE__PART_MIB", "5"),
        ("TIDEMARK_OBJECT_STORE__RETRY_S", "1"),
    ]
}

/// Serves the objects in a folder at this address, until the process is killed.
///
/// # Panics
/// If the address is taken.
pub async fn serve_folder(address: SocketAddr, folder: &Path) {
    let listener = TcpListener::bind(address).await.unwrap();
    serve(listener, service(folder), Arc::default()).await;
}

/// The objects in a folder, which is given the bucket if it lacks it.
fn service(folder: &Path) -> S3Service {
    std::fs::create_dir_all(folder.join(BUCKET)).unwrap();
    let mut service = S3ServiceBuilder::new(FileSystem::new(folder).unwrap());
    service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
    service.build()
}

fn names(folder: PathBuf) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn serve(listener: TcpListener, service: S3Service, watch: Arc<Watch>) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        let (service, watch) = (service.clone(), Arc::clone(&watch));
        let answering =
            service_fn(move |request| answer(request, service.clone(), Arc::clone(&watch)));
        tokio::spawn(async move {
            let server = Builder::new(TokioExecutor::new());
            // A client that closes its connection is no failure of the server.
            let _ = server
                .serve_connection(TokioIo::new(connection), answering)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    service: S3Service,
    watch: Arc<Watch>,
) -> Result<Response<Body>, HttpError> {
    let name = format!("{} {}", request.method(), request.uri());
    watch.received.lock().unwrap().push(name.clone());
    let is = |which: &Mutex<Option<Which>>| which.lock().unwrap().is_some_and(|is| is(&name));
    if is(&watch.held) {
        watch.holding.notify_one();
        std::future::pending::<()>().await;
    }
    if is(&watch.refused) {
        // A client that is still sending would see a closed connection, and no answer.
        let _ = request.into_body().collect().await;
        let mut refusal = Response::new(Body::empty());
        *refusal.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return Ok(refusal);
    }
    service.call(request.map(Body::from)).await
}
