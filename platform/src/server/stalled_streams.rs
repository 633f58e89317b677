//! Ends streams of HTTP/2 of which a client takes nothing. How much it takes it says for each stream, and if it says
//! nothing at all, nothing is written, so that the connection does not notice.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use hyper::rt::Executor;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::idle_timeout::InFlight;

/// Since when a part of an answer waits to be written; none if the next part is not there yet.
type WaitingSince = Option<Instant>;

tokio::task_local! {
    /// Of the stream that a task is about.
    static WAITING_SINCE: Arc<watch::Sender<WaitingSince>>;
}

/// Spawns the streams of connections. One that makes no progress for this time is dropped, and so reset.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamExecutor {
    pub(super) timeout: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        let (sender, waiting_since) = watch::channel(None);
        let stream = WAITING_SINCE.scope(Arc::new(sender), stream);
        let stalled = stalled(waiting_since, self.timeout);
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = stream => {}
                () = stalled => {}
            }
        });
    }
}

/// Waits until a part of the answer has waited for this time.
async fn stalled(mut waiting_since: watch::Receiver<WaitingSince>, timeout: Duration) {
    loop {
        let since = *waiting_since.borrow_and_update();
        let waited = async {
            match since {
                Some(since) => sleep_until(since + timeout).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = waited => return,
            // The sender lives as long as the stream.
            _ = waiting_since.changed() => {}
        }
    }
}

/// The body of an answer, which is in flight as long as this exists.
pub(super) struct AnswerBody {
    body: Body,
    /// None on HTTP/1.
    waiting_since: Option<Arc<watch::Sender<WaitingSince>>>,
    _in_flight: InFlight,
}

impl AnswerBody {
    /// Must be called by the task of the stream.
    pub(super) fn new(body: Body, in_flight: InFlight) -> Self {
        Self {
            body,
            waiting_since: WAITING_SINCE.try_with(Arc::clone).ok(),
            _in_flight: in_flight,
        }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    /// Is called when everything before is written.
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        if let Some(waiting_since) = &this.waiting_since {
            let now = frame.is_ready().then(Instant::now);
            // To send what is known already would wake the task that polls this, for ever.
            waiting_since.send_if_modified(|since| mem::replace(since, now) != now);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
