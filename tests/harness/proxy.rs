//! A TCP proxy on loopback that does to connections what networks do: it cuts them, at once or within a
//! message; it swallows what they carry; it delays, throttles and slices it. Each direction has its own
//! fault, which may change while connections are open. The proxy does not interpret the bytes.

mod pipe;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::Settings;

/// The direction in which bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// What the proxy does to the bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fault {
    /// Every byte arrives at once.
    #[default]
    None,
    /// Every connection is reset, new ones too.
    Reset,
    /// Every byte is taken, none arrives, and nobody is told. A connection that lost something never
    /// carries anything again, like one to a machine that has gone: only [`Proxy::cut`] ends it.
    BlackHole,
    /// Every byte waits, on the way or with its sender, until the fault ends. Then it arrives.
    Hold,
    /// The receiver sees the end of the stream; the other direction goes on.
    HalfClose,
    /// This many more bytes of each connection arrive; then it is reset.
    CutAfter(u64),
    /// Every byte arrives, but late or in small pieces.
    Slow(Slowness),
}

/// In which ways a direction is slow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slowness {
    /// The time that a byte is on its way.
    pub latency: Duration,
    /// By how much that time varies at random, up or down. Bytes keep their order.
    pub jitter: Duration,
    /// The largest number of bytes that is sent at once.
    pub slice: Option<usize>,
    /// The most bytes per second.
    pub rate: Option<u64>,
}

/// What a proxy has counted since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections that the proxy reset.
    pub resets: u64,
    /// Bytes that arrived.
    pub forwarded: u64,
    /// Bytes that were taken and did not arrive.
    pub swallowed: u64,
}

/// A proxy. Its connections end when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: watch::Sender<String>,
    up: watch::Sender<Fault>,
    down: watch::Sender<Fault>,
    /// Ends the connections that are open.
    cut: watch::Sender<CancellationToken>,
    tally: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    accepted: AtomicU64,
    resets: AtomicU64,
    forwarded: AtomicU64,
    swallowed: AtomicU64,
}

impl Proxy {
    /// Listens at `listen`, and passes every connection on to `upstream`.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub async fn start(listen: &str, upstream: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let shared = Arc::new(Shared {
            upstream: watch::Sender::new(upstream.to_owned()),
            up: watch::Sender::default(),
            down: watch::Sender::default(),
            cut: watch::Sender::default(),
            tally: Tally::default(),
        });
        Ok(Self {
            address: listener.local_addr()?,
            shared: Arc::clone(&shared),
            _accepting: AbortOnDropHandle::new(tokio::spawn(accept(listener, shared))),
        })
    }

    /// Stands between Postgres and the connections of a role, in the processes that are started with
    /// `settings` from now on.
    pub async fn before_postgres(settings: &mut Settings, role: &str) -> Self {
        let name = format!("TIDEMARK_DATABASE__{role}_URL");
        let url = settings.get(&name).to_owned();
        let (head, rest) = url.rsplit_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let proxy = Self::start("127.0.0.1:0", server).await.unwrap();
        let address = proxy.address();
        settings.set(&name, format!("{head}@{address}/{database}"));
        proxy
    }

    /// The address at which it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what happens in one direction, to open connections and new ones.
    pub fn set(&self, direction: Direction, fault: Fault) {
        match direction {
            Direction::Up => self.shared.up.send_replace(fault),
            Direction::Down => self.shared.down.send_replace(fault),
        };
    }

    /// Changes both directions.
    pub fn set_both(&self, fault: Fault) {
        self.set(Direction::Up, fault);
        self.set(Direction::Down, fault);
    }

    /// Ends every fault.
    pub fn heal(&self) {
        self.set_both(Fault::None);
    }

    /// Resets the connections that are open, and no new ones.
    pub fn cut(&self) {
        self.shared
            .cut
            .send_replace(CancellationToken::new())
            .cancel();
    }

    /// Passes new connections on to another server. Open ones stay where they are.
    pub fn move_to(&self, upstream: &str) {
        self.shared.upstream.send_replace(upstream.to_owned());
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let tally = &self.shared.tally;
        Counts {
            accepted: tally.accepted.load(Ordering::Relaxed),
            resets: tally.resets.load(Ordering::Relaxed),
            forwarded: tally.forwarded.load(Ordering::Relaxed),
            swallowed: tally.swallowed.load(Ordering::Relaxed),
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        // A client that hung up before it was accepted is ignored.
        if let Ok((client, _)) = accepted {
            shared.tally.accepted.fetch_add(1, Ordering::Relaxed);
            connections.spawn(connection(client, Arc::clone(&shared)));
        }
    }
}

async fn connection(mut client: TcpStream, shared: Arc<Shared>) {
    let cut = shared.cut.borrow().clone();
    let upstream = shared.upstream.borrow().clone();
    // When nobody listens there, the client sees the reset that the server's machine would send.
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        reset(&client);
        return;
    };
    // Each slice is to be sent as a packet of its own.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = pipe::run(from_client, to_server, shared.up.subscribe(), &shared.tally);
        let down = pipe::run(
            from_server,
            to_client,
            shared.down.subscribe(),
            &shared.tally,
        );
        tokio::select! {
            ended = async { tokio::try_join!(up, down) } => ended.map(|_| ()),
            () = cut.cancelled() => Err(pipe::Broken::Cut),
        }
    };
    if let Err(broken) = ended {
        if matches!(broken, pipe::Broken::Cut) {
            shared.tally.resets.fetch_add(1, Ordering::Relaxed);
        }
        reset(&client);
        reset(&server);
    }
}

/// Lets the operating system send RST when the connection closes, and drop what is still queued.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
