//! One HTTP/1.1 connection that is kept open, without a pool or redirects, which would be measured
//! too.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap};
use hyper::http::request::Builder;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The header of a `Tidemark`.
const TIDEMARK: &str = "tidemark";

/// A connection to one process, for one request at a time.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Its `Tidemark`, if it has one.
    pub(crate) tidemark: Option<String>,
    pub(crate) body: Bytes,
}

impl Connection {
    /// Connects to the process at this URL.
    pub(crate) async fn open(url: &str) -> Self {
        let uri: Uri = url.parse().unwrap();
        let authority = uri.authority().unwrap().to_string();
        let stream = TcpStream::connect(&authority).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        // The task ends with the sender, or with an error that the sender gets.
        tokio::spawn(connection);
        Self { sender, authority }
    }

    /// Asks for a document, at least as fresh as this `Tidemark`.
    pub(crate) async fn get(&mut self, path: &str, tidemark: Option<&str>) -> Answer {
        let mut request = self.request(Method::GET, path);
        if let Some(tidemark) = tidemark {
            request = request.header(TIDEMARK, tidemark);
        }
        read(self.send(request, Bytes::new()).await).await
    }

    /// Sends a command.
    pub(crate) async fn post(&mut self, path: &str, token: &str, body: Bytes) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header(AUTHORIZATION, token)
            .header(CONTENT_TYPE, "application/json");
        read(self.send(request, body).await).await
    }

    /// Opens a stream, such as live updates.
    pub(crate) async fn stream(&mut self, path: &str) -> Response<Incoming> {
        let request = self.request(Method::GET, path);
        self.send(request, Bytes::new()).await
    }

    fn request(&self, method: Method, path: &str) -> Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
    }

    async fn send(&mut self, request: Builder, body: Bytes) -> Response<Incoming> {
        self.sender.ready().await.unwrap();
        let request = request.body(Full::new(body)).unwrap();
        self.sender.send_request(request).await.unwrap()
    }
}

async fn read(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    Answer {
        status: head.status,
        tidemark: tidemark(&head.headers),
        body: body.collect().await.unwrap().to_bytes(),
    }
}

fn tidemark(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(TIDEMARK)?;
    Some(value.to_str().unwrap().to_owned())
}
