//! How far a call comes, by what its server does.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::*;

/// Of this machine all addresses may be called.
pub(super) fn local() -> config::Tasks {
    settings(&["127.0.0.1", "localhost"])
}

/// The address of a server that says this to each connection, then `on` as long as anybody listens, and hangs up.
async fn server(says: &'static [u8], on: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut said = stream.write_all(says).await;
                while said.is_ok() && !on.is_empty() {
                    said = stream.write_all(on).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_takes_connections_was_reached_whatever_it_does_then() {
    let hangs_up = server(b"", b"").await;
    let speaks_otherwise = server(b"+OK ready\r\n", b"").await;
    let client = client(local());
    for address in [hangs_up, speaks_otherwise] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{address}/");
            let failure = call(&client, &url).await.unwrap_err();
            assert_eq!(failure, Failure::BrokenOff, "{url}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_silent_once_it_was_reached_does_not_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = client(local());
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://{address}/");
        let time_limit = Duration::from_millis(200);
        let calling = tokio::join!(
            call_of(&client, SELLER, &url, time_limit),
            // It says nothing until the client is gone.
            async {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.read_to_end(&mut Vec::new()).await.ok();
            }
        );
        assert_eq!(calling.0.unwrap_err(), Failure::Unanswered, "{url}");
    }
}

#[tokio::test]
async fn a_server_that_takes_no_connection_cannot_be_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = call(&client(local()), &format!("http://{address}/")).await;
    assert_eq!(failure.unwrap_err(), Failure::Unreachable);
}

#[tokio::test]
async fn a_call_that_is_cut_off_before_a_connection_could_be_made_says_nothing_of_the_server() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // The system answers no more connections than this while nobody takes them.
    let mut waiting = Vec::new();
    let short = Duration::from_millis(300);
    while let Ok(stream) = timeout(short, TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    let url = format!("http://{address}/");
    for settings in [
        config::Tasks {
            connect_timeout_ms: 300,
            ..local()
        },
        // Two thirds of the time of a call are all that a connection may take.
        config::Tasks {
            call_timeout_ms: 450,
            ..local()
        },
    ] {
        let client = client(settings);
        for (time_limit, expected) in [
            (short / 2, Failure::CutOff),
            (short + short / 2, Failure::NotConnected),
        ] {
            let failure = call_of(&client, SELLER, &url, time_limit).await;
            assert_eq!(failure.unwrap_err(), expected);
        }
    }
}

#[tokio::test]
async fn what_is_read_of_an_answer_is_bounded_whatever_it_consists_of() {
    let client = client(local());
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let with_trailers = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
    for (says, on, is_answered) in [
        (&b""[..], &b"HTTP/1.1 103 Early Hints\r\n\r\n"[..], false),
        (b"", b"\r\n", false),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n", false),
        (b"HTTP/1.1 200 OK\r\na: ", b"b", false),
        // In pieces that are mostly frame there is less of a body, and more than is read.
        (chunked, b"1;aaaaaaaa\r\nb\r\n", false),
        (chunked, b"1000;\r\n", false),
        (with_trailers, b"a: b\r\n", false),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"a", true),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n",
            b"a",
            true,
        ),
    ] {
        let block: &'static [u8] = on.repeat(1_000).leak();
        let address = server(says, block).await;
        let answer = call(&client, &format!("http://{address}/")).await;
        let told = String::from_utf8_lossy(on);
        if is_answered {
            assert_eq!(answer.unwrap().body, b"a".repeat(KEPT_BYTES_MAX), "{told}");
        } else {
            assert_eq!(answer.unwrap_err(), Failure::BrokenOff, "{told}");
        }
    }
}
