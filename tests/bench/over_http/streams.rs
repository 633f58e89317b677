//! One HTTP/2 connection with many streams, such as a load balancer keeps to a process.

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// A connection to one process. Clones share it.
#[derive(Clone)]
pub(crate) struct Streams {
    sender: SendRequest<Empty<Bytes>>,
    url: String,
}

impl Streams {
    /// Connects to the process at this URL.
    pub(crate) async fn open(url: &str) -> Self {
        let address = url.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let stream = TokioIo::new(stream);
        let (sender, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
        // The task ends with the sender, or with an error that the sender gets.
        tokio::spawn(connection);
        let url = url.to_owned();
        Self { sender, url }
    }

    /// Opens a stream, such as live updates.
    pub(crate) async fn stream(&mut self, path: &str) -> Response<Incoming> {
        let request = Request::get(format!("{}{path}", self.url));
        let request = request.body(Empty::new()).unwrap();
        self.sender.ready().await.unwrap();
        self.sender.send_request(request).await.unwrap()
    }
}
