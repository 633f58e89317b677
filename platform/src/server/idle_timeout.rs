//! Closes connections on which a client sends nothing, or takes nothing of what it is sent. A client has a short
//! time for the head of a request, counted from its first byte, and a longer time between requests. While a
//! request is in flight, only writing is limited.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::Version;
use fail::fail_point;
use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::config;

/// How many requests of a connection are in flight. The HTTP service counts them, and the stream reads the
/// number to know whether a timeout applies.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    in_flight: AtomicUsize,
    /// On HTTP/2 a byte need not be the beginning of a request, since control frames arrive as well.
    is_http2: AtomicBool,
    reader: AtomicWaker,
}

/// Counts one request as in flight until it is dropped.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Shared>);

impl Activity {
    pub(super) fn begin(&self, version: Version) -> InFlight {
        self.0
            .is_http2
            .store(version == Version::HTTP_2, Ordering::Relaxed);
        self.0.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(Arc::clone(&self.0))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.0.reader.wake();
    }
}

/// How long a client may take for the head of a request and between requests, and how long it may take nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdleTimeouts {
    head: Duration,
    keep_alive: Duration,
    write: Duration,
}

impl IdleTimeouts {
    pub(super) fn new(http: &config::Http) -> Self {
        Self {
            head: Duration::from_millis(http.header_read_timeout_ms),
            keep_alive: Duration::from_millis(http.keep_alive_ms),
            write: Duration::from_millis(http.write_timeout_ms),
        }
    }
}

/// A stream whose reads fail with `TimedOut` when the client has sent nothing for too long, and whose writes do when
/// it has taken nothing.
#[derive(Debug)]
pub(super) struct TimeoutStream<T> {
    stream: T,
    activity: Activity,
    phase: Phase,
    deadline: Pin<Box<Sleep>>,
    /// When a write that makes no progress fails; none while nothing waits to be written.
    write_deadline: Option<Pin<Box<Sleep>>>,
    timeouts: IdleTimeouts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    InFlight,
    Idle,
}

impl<T> TimeoutStream<T> {
    /// A client that connects has a request to send, so its head is awaited from the beginning.
    pub(super) fn new(stream: T, activity: Activity, timeouts: IdleTimeouts) -> Self {
        Self {
            stream,
            activity,
            phase: Phase::Head,
            deadline: Box::pin(sleep(timeouts.head)),
            write_deadline: None,
            timeouts,
        }
    }

    fn enter(&mut self, phase: Phase) {
        let timeout = if phase == Phase::Head {
            self.timeouts.head
        } else {
            self.timeouts.keep_alive
        };
        self.phase = phase;
        self.deadline.as_mut().reset(Instant::now() + timeout);
    }

    fn is_in_flight(&self) -> bool {
        self.activity.0.in_flight.load(Ordering::Acquire) > 0
    }

    fn note_bytes(&mut self) {
        let is_http2 = self.activity.0.is_http2.load(Ordering::Relaxed);
        if is_http2 {
            self.enter(Phase::Idle);
        } else if self.phase != Phase::Head && !self.is_in_flight() {
            self.enter(Phase::Head);
        }
    }

    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The waker comes first, so that a request that ends during this call wakes the reader again.
        self.activity.0.reader.register(cx.waker());
        if self.is_in_flight() {
            self.phase = Phase::InFlight;
            return Poll::Pending;
        }
        if self.phase == Phase::InFlight {
            self.enter(Phase::Idle);
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Err(timed_out("the client has sent nothing for too long")))
    }

    /// Hands on what came of a write, unless it has made no progress for too long.
    fn limit_write(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.write_deadline = None;
            return written;
        }
        let timeout = self.timeouts.write;
        let deadline = self
            .write_deadline
            .get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(timed_out("the client has taken nothing for too long")))
    }
}

fn timed_out(cause: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, cause)
}

impl<T: AsyncRead + Unpin> AsyncRead for TimeoutStream<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if read.is_pending() {
            return this.poll_timeout(cx);
        }
        this.note_bytes();
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TimeoutStream<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buffer);
        this.limit_write(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let stream = &mut this.stream;
        fail_point!("half_an_answer", |_| {
            let half = &buffers[0][..buffers[0].len() / 2];
            let _ = Pin::new(&mut *stream).poll_write(cx, half);
            std::process::abort()
        });
        let written = Pin::new(stream).poll_write_vectored(cx, buffers);
        this.limit_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
