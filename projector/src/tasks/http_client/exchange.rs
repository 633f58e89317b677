//! A request and its answer on a connection, which lives no longer than the future that drives it. A server may send heads (1xx), fields,
//! trailers and records of TLS without end, and most of these no part of this program sees. So the bound is on what is read from the
//! connection itself, beneath all of that.

use std::pin::pin;

use futures::future::{Either, select};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode, body};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Join, Take, join};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// The most that is kept of the body of an answer.
pub(in crate::tasks) const KEPT_BYTES_MAX: usize = 1_024;
/// How many times as much as of a body is read from the connection in all, with TLS, heads, and what frames the pieces of the body.
const IN_ALL: u64 = 2;

/// What a server answered.
#[derive(Debug)]
pub(in crate::tasks) struct Answer {
    pub(in crate::tasks) status: StatusCode,
    pub(in crate::tasks) retry_after: Option<HeaderValue>,
    /// The beginning of the body.
    pub(in crate::tasks) body: Vec<u8>,
}

/// A connection from which a bounded number of bytes is read. Behind these it ends.
pub(super) type Bounded = Join<Take<OwnedReadHalf>, OwnedWriteHalf>;

/// The connection, bounded so that so many bytes of a body can be read.
pub(super) fn bounded(stream: TcpStream, body_bytes_max: usize) -> Bounded {
    let (reader, writer) = stream.into_split();
    let bytes_max = u64::try_from(body_bytes_max).unwrap_or(u64::MAX);
    join(reader.take(bytes_max.saturating_mul(IN_ALL)), writer)
}

/// Sends a request, and reads so many bytes of the body of the answer at most.
pub(super) async fn exchange(
    connection: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    body_bytes_max: usize,
) -> hyper::Result<Answer> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(connection)).await?;
    let answering = pin!(async move {
        let response = sender.send_request(request).await?;
        read(response, body_bytes_max).await
    });
    match select(answering, pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        // What was read before the connection ended is still to be taken.
        Either::Right((_, answering)) => answering.await,
    }
}

async fn read(response: Response<body::Incoming>, bytes_max: usize) -> hyper::Result<Answer> {
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    let mut read = 0;
    while read < bytes_max
        && let Some(frame) = incoming.frame().await
    {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        read += data.len();
        let room = KEPT_BYTES_MAX.saturating_sub(body.len());
        body.extend_from_slice(&data[..data.len().min(room)]);
    }
    Ok(Answer {
        status: head.status,
        retry_after: head.headers.get(RETRY_AFTER).cloned(),
        body,
    })
}
