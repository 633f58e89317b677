//! Each fault does what its documentation says, to open connections and to new ones.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::*;

/// Longer than anything takes here that is to end.
const DEADLINE: Duration = Duration::from_secs(10);
/// The time for which a test waits for something that must not happen.
const A_WHILE: Duration = Duration::from_millis(200);

/// A proxy before a server that sends back what it receives, and `end` when the stream has ended.
async fn echo() -> Proxy {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = server.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = server.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.write_all(b"end").await;
            });
        }
    });
    Proxy::start("127.0.0.1:0", &upstream).await.unwrap()
}

async fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads until the connection ends, and tells whether it was reset.
async fn read_to_end(stream: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut bytes)).await;
    let error = read.expect("the connection did not end").err();
    let reset = error.map(|error| error.kind()) == Some(io::ErrorKind::ConnectionReset);
    (bytes, reset)
}

/// Sends bytes, and fails unless the same bytes come back.
async fn assert_echoes(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![0; bytes.len()];
    let read = timeout(DEADLINE, stream.read_exact(&mut answer)).await;
    read.expect("there was no answer").unwrap();
    assert!(answer == bytes, "the answer differs");
}

fn slow(slowness: Slowness) -> Fault {
    Fault::Slow(slowness)
}

#[tokio::test]
async fn without_a_fault_everything_arrives() {
    let proxy = echo().await;
    let mut client = connect(&proxy).await;
    let bytes: Vec<u8> = (0..100_000_u32)
        .flat_map(u32::to_le_bytes)
        .take(60_000)
        .collect();
    assert_echoes(&mut client, &bytes).await;
    client.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut client).await, (b"end".to_vec(), false));
    let expected = Counts {
        accepted: 1,
        forwarded: 120_003,
        ..Counts::default()
    };
    assert_eq!(proxy.counts(), expected);
}

#[tokio::test]
async fn what_is_held_arrives_when_the_fault_ends() {
    let proxy = echo().await;
    let mut client = connect(&proxy).await;
    assert_echoes(&mut client, b"before").await;
    proxy.set(Direction::Down, Fault::Hold);
    client.write_all(b"held").await.unwrap();
    let mut answer = [0; 4];
    let early = timeout(A_WHILE, client.read_exact(&mut answer)).await;
    assert!(early.is_err(), "{answer:?} arrived");
    proxy.heal();
    let late = timeout(DEADLINE, client.read_exact(&mut answer)).await;
    late.expect("there was no answer").unwrap();
    assert_eq!(&answer, b"held");
}

#[tokio::test]
async fn reset_ends_open_connections_and_new_ones() {
    let proxy = echo().await;
    let mut client = connect(&proxy).await;
    assert_echoes(&mut client, b"before").await;
    proxy.set(Direction::Up, Fault::Reset);
    assert_eq!(read_to_end(&mut client).await, (Vec::new(), true));
    assert_eq!(
        read_to_end(&mut connect(&proxy).await).await,
        (Vec::new(), true)
    );
    proxy.heal();
    assert_echoes(&mut connect(&proxy).await, b"after").await;
    assert_eq!(proxy.counts().resets, 2);
}

#[tokio::test]
async fn cut_ends_open_connections_only() {
    let proxy = echo().await;
    let mut client = connect(&proxy).await;
    assert_echoes(&mut client, b"before").await;
    proxy.cut();
    assert_eq!(read_to_end(&mut client).await, (Vec::new(), true));
    assert_echoes(&mut connect(&proxy).await, b"after").await;
}

#[tokio::test]
async fn a_black_hole_swallows_bytes_and_resets_nothing() {
    let proxy = echo().await;
    let mut client = connect(&proxy).await;
    let mut idle = connect(&proxy).await;
    assert_echoes(&mut idle, b"before").await;
    proxy.set(Direction::Down, Fault::BlackHole);
    client.write_all(b"lost").await.unwrap();
    client.shutdown().await.unwrap();
    assert!(timeout(A_WHILE, client.read_u8()).await.is_err());
    assert_eq!(proxy.counts().swallowed, 7, "the answer and its end");
    proxy.heal();
    // A connection that lost bytes stays silent, and one that lost none goes on.
    assert_echoes(&mut idle, b"after").await;
    assert!(timeout(A_WHILE, client.read_u8()).await.is_err());
    proxy.cut();
    assert_eq!(read_to_end(&mut client).await, (Vec::new(), true));
}

#[tokio::test]
async fn when_one_direction_is_closed_the_other_goes_on() {
    let proxy = echo().await;
    let mut client = connect(&proxy).await;
    assert_echoes(&mut client, b"before").await;
    proxy.set(Direction::Up, Fault::HalfClose);
    assert_eq!(read_to_end(&mut client).await, (b"end".to_vec(), false));
    assert_eq!(proxy.counts().resets, 0);
}

#[tokio::test]
async fn a_cut_within_a_message_loses_its_end() {
    let proxy = echo().await;
    let mut open = connect(&proxy).await;
    assert_echoes(&mut open, b"before").await;
    proxy.set(Direction::Down, Fault::CutAfter(5));
    for mut client in [open, connect(&proxy).await] {
        client.write_all(b"0123456789").await.unwrap();
        let mut arrived = [0; 5];
        client.read_exact(&mut arrived).await.unwrap();
        assert_eq!(&arrived, b"01234");
        assert_eq!(read_to_end(&mut client).await, (Vec::new(), true));
    }
}

#[tokio::test]
async fn latency_delays_each_byte_but_not_the_next_ones_more() {
    let proxy = echo().await;
    let latency = Duration::from_millis(80);
    let jitter = Duration::from_millis(20);
    proxy.set(
        Direction::Up,
        slow(Slowness {
            latency,
            jitter,
            ..Slowness::default()
        }),
    );
    let mut client = connect(&proxy).await;
    let started = Instant::now();
    for number in 0..50_u8 {
        client.write_u8(number).await.unwrap();
        tokio::task::yield_now().await;
    }
    for number in 0..50_u8 {
        assert_eq!(client.read_u8().await.unwrap(), number);
    }
    let took = started.elapsed();
    assert!(took + jitter >= latency, "{took:?}");
    assert!(took < latency * 20, "the delays add up");
}

#[tokio::test]
async fn slices_arrive_as_pieces_of_their_own() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = server.local_addr().unwrap().to_string();
    let proxy = Proxy::start("127.0.0.1:0", &upstream).await.unwrap();
    let slowness = Slowness {
        slice: Some(1),
        // So slow that the reader receives each byte before the next one is sent.
        rate: Some(200),
        ..Slowness::default()
    };
    proxy.set(Direction::Up, slow(slowness));
    let mut client = connect(&proxy).await;
    let (mut accepted, _) = server.accept().await.unwrap();
    client.write_all(b"sliced").await.unwrap();
    let (mut buffer, mut received) = ([0; 16], Vec::new());
    while received.len() < 6 {
        let read = accepted.read(&mut buffer).await.unwrap();
        assert!(read <= 2, "{read} bytes came at once");
        received.extend_from_slice(&buffer[..read]);
    }
    assert_eq!(received, b"sliced");
}

#[tokio::test]
async fn a_rate_is_not_exceeded() {
    let proxy = echo().await;
    let slowness = Slowness {
        slice: Some(100),
        rate: Some(10_000),
        ..Slowness::default()
    };
    proxy.set(Direction::Down, slow(slowness));
    let started = Instant::now();
    assert_echoes(&mut connect(&proxy).await, &[7; 2_000]).await;
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(150), "{took:?}");
}

#[tokio::test]
async fn after_a_move_new_connections_reach_the_other_server() {
    let (proxy, elsewhere) = (echo().await, echo().await);
    proxy.move_to(&elsewhere.address().to_string());
    assert_echoes(&mut connect(&proxy).await, b"moved").await;
    assert_eq!(elsewhere.counts().accepted, 1);
    // Nobody listens at this address.
    proxy.move_to("127.0.0.1:1");
    assert_eq!(
        read_to_end(&mut connect(&proxy).await).await,
        (Vec::new(), true)
    );
}
