//! One direction of one connection.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Fault, Slowness, Tally};

/// The most bytes that are read at once.
const CHUNK: usize = 16 * 1024;
/// The most chunks that are on their way at once: more would cost memory, fewer would limit the rate.
const QUEUE: usize = 64;

/// Why a connection ends before both sides close it.
#[derive(Debug)]
pub(super) enum Broken {
    /// The proxy resets the connection.
    Cut,
    /// The client or the server reset the connection.
    Lost,
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Lost
    }
}

/// Bytes on their way, with the time at which they arrive.
struct Chunk {
    due: Instant,
    bytes: Vec<u8>,
}

struct Pipe<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    fault: watch::Receiver<Fault>,
    queue: VecDeque<Chunk>,
    /// The number of bytes that still arrive before the connection is cut; none if it is not to be cut.
    left: Option<u64>,
    /// Whether a byte was swallowed. Then all bytes that follow are swallowed too.
    torn: bool,
    /// Whether the receiver was told that the stream has ended.
    closed: bool,
    tally: &'a Tally,
}

/// Passes bytes on until the sender closes, with whatever fault there is at the time.
pub(super) async fn run(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    fault: watch::Receiver<Fault>,
    tally: &Tally,
) -> Result<(), Broken> {
    let mut pipe = Pipe {
        from,
        to,
        fault,
        queue: VecDeque::new(),
        left: None,
        torn: false,
        closed: false,
        tally,
    };
    pipe.fault.mark_changed();
    let mut buffer = vec![0; CHUNK];
    let mut ended = false;
    // A black hole swallows the end of the stream too.
    while !ended || !pipe.queue.is_empty() || pipe.swallows() {
        let due = pipe.queue.front().map(|chunk| chunk.due);
        tokio::select! {
            // A fault that has begun holds for the next byte.
            biased;
            Ok(()) = pipe.fault.changed() => pipe.switch().await?,
            () = at(due), if !pipe.holds() => pipe.deliver().await?,
            read = pipe.from.read(&mut buffer), if !ended && !pipe.holds() && pipe.queue.len() < QUEUE => {
                let read = read?;
                ended = read == 0;
                pipe.take(&buffer[..read]).await?;
            }
        }
    }
    pipe.close().await
}

/// Waits until a time, or for ever if there is none.
async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

impl Pipe<'_> {
    fn swallows(&self) -> bool {
        self.torn || matches!(*self.fault.borrow(), Fault::BlackHole)
    }

    fn holds(&self) -> bool {
        matches!(*self.fault.borrow(), Fault::Hold)
    }

    fn slowness(&self) -> Slowness {
        if let Fault::Slow(slowness) = *self.fault.borrow() {
            slowness
        } else {
            Slowness::default()
        }
    }

    /// Applies the present fault to an open connection.
    async fn switch(&mut self) -> Result<(), Broken> {
        let fault = *self.fault.borrow_and_update();
        self.left = None;
        match fault {
            Fault::Reset => return Err(Broken::Cut),
            Fault::CutAfter(bytes) => self.left = Some(bytes),
            Fault::HalfClose => self.close().await?,
            Fault::None | Fault::BlackHole | Fault::Hold | Fault::Slow(_) => {}
        }
        // What was half closed cannot be opened again.
        if self.closed && !matches!(fault, Fault::HalfClose) {
            return Err(Broken::Cut);
        }
        Ok(())
    }

    /// Takes what was read, and either swallows it or sends it on its way.
    async fn take(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        if self.swallows() || self.closed {
            self.torn = true;
            let lost = bytes.len() as u64;
            self.tally.swallowed.fetch_add(lost, Ordering::Relaxed);
            return Ok(());
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let latency = self.slowness().delay();
        // No chunk overtakes the one before it.
        let last = self.queue.back().map(|chunk| chunk.due);
        let due = (Instant::now() + latency).max(last.unwrap_or_else(Instant::now));
        let bytes = bytes.to_vec();
        self.queue.push_back(Chunk { due, bytes });
        if latency.is_zero() && self.queue.len() == 1 {
            self.deliver().await?;
        }
        Ok(())
    }

    /// Writes the first chunk, which has arrived.
    async fn deliver(&mut self) -> Result<(), Broken> {
        let Some(Chunk { bytes, .. }) = self.queue.pop_front() else {
            return Ok(());
        };
        let slowness = self.slowness();
        let until = self.left.map_or(bytes.len(), |left| {
            bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))
        });
        for slice in bytes[..until].chunks(slowness.slice.unwrap_or(CHUNK)) {
            self.to.write_all(slice).await?;
            let sent = slice.len() as u64;
            self.tally.forwarded.fetch_add(sent, Ordering::Relaxed);
            if let Some(left) = &mut self.left {
                *left -= sent;
            }
            if let Some(rate) = slowness.rate {
                sleep(Duration::from_nanos(sent * 1_000_000_000 / rate)).await;
            }
        }
        if self.left == Some(0) {
            return Err(Broken::Cut);
        }
        Ok(())
    }

    /// Tells the receiver that the stream has ended.
    async fn close(&mut self) -> Result<(), Broken> {
        if !self.closed {
            self.closed = true;
            self.to.shutdown().await?;
        }
        Ok(())
    }
}

impl Slowness {
    #[expect(clippy::disallowed_methods, reason = "jitter is random")]
    fn delay(&self) -> Duration {
        let jitter = self.jitter.as_secs_f64();
        let shifted = self.latency.as_secs_f64() + rand::random_range(-jitter..=jitter);
        Duration::from_secs_f64(shifted.max(0.0))
    }
}
