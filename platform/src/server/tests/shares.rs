//! What one address may have of the connections. Every address in 127.0.0.0/8 is this
//! machine's.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::routing::get;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use super::super::serve;
use super::{read_to, read_to_end, send_get};
use crate::testing::config_with;

async fn start(vars: &[(&str, &str)]) -> SocketAddr {
    let config = config_with(vars);
    let router = Router::new().route("/small", get(|| async { "done" }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let shutdown = CancellationToken::new();
        serve(listener, router, &config.http, shutdown).await
    });
    address
}

async fn connect(server: SocketAddr, client: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, client), 0));
    socket.bind(address).unwrap();
    socket.connect(server).await.unwrap()
}

#[tokio::test]
async fn connections_of_one_address_leave_some_to_another() {
    let share = ("TIDEMARK_HTTP__CONNECTIONS_PER_ADDRESS_MAX", "1");
    let server = start(&[share, ("TIDEMARK_HTTP__CONNECTIONS_MAX", "2")]).await;
    let mut idle = connect(server, 2).await;
    let mut refused = connect(server, 2).await;
    assert_eq!(read_to_end(&mut refused).await, "");
    let mut other = connect(server, 3).await;
    send_get(&mut other, "/small").await;
    read_to(&mut other, "done").await;
    send_get(&mut idle, "/small").await;
    read_to(&mut idle, "done").await;
}
