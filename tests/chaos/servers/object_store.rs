//! The store of uploaded files: a server of S3, which is this program again, as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidemark_tests::object_store;
use tokio::net::TcpStream;

use crate::ports;
use crate::supervisor::{Program, Supervised, Supervisor};

/// The argument after which this program is told the address and the folder of the store that it is to be.
const ARGUMENT: &str = "--object-store";

/// A server of S3.
#[derive(Debug)]
pub(crate) struct ObjectStore {
    pub(crate) process: Arc<Supervised>,
    address: SocketAddr,
}

impl ObjectStore {
    /// Starts a server. It is ready some time later, see [`Self::is_ready`].
    pub(crate) fn start(supervisor: &Supervisor, run_directory: &Path) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], ports::keep()));
        let program = std::env::current_exe().unwrap();
        let folder = run_directory.join("objects");
        let program = Program {
            command: vec![
                program.display().to_string(),
                ARGUMENT.to_owned(),
                address.to_string(),
                folder.display().to_string(),
            ],
            ..Program::default()
        };
        Self {
            process: supervisor.add("object-store", run_directory, program, false),
            address,
        }
    }

    /// The URL of the server.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether the server takes connections.
    pub(crate) async fn is_ready(&self) -> bool {
        TcpStream::connect(self.address).await.is_ok()
    }
}

/// The address and the folder of the store that this process is to be; none if it is to be something else.
pub(crate) fn place() -> Option<(SocketAddr, PathBuf)> {
    let mut arguments = std::env::args().skip(1);
    let is_store = arguments.next()? == ARGUMENT;
    is_store.then(|| {
        let address = arguments.next().unwrap().parse().unwrap();
        (address, arguments.next().unwrap().into())
    })
}

/// Serves a folder at this address until the process is killed.
pub(crate) async fn serve((address, folder): (SocketAddr, PathBuf)) {
    object_store::serve_folder(address, &folder).await;
}
