//! Ports that are kept for a process which listens at them later, or for nobody. To choose a free port and to bind it is one step: a port
//! that was only looked up may be gone before its process binds it.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of this machine that nobody else gets until this is dropped: the kernel neither lends it to a connection, nor gives it to whoever
/// asks for any port. Only who names it may listen there, one after another, as all servers do that reuse addresses
/// (`SO_REUSEADDR`). Until then connections to it are refused.
#[derive(Debug)]
pub struct KeptPort {
    /// The port.
    pub number: u16,
    _socket: TcpSocket,
}

impl KeptPort {
    /// Keeps a port that nobody else has.
    #[must_use]
    pub fn any() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Whoever listens at it need not wait for this socket, which does not listen.
        socket.set_reuseaddr(true).unwrap();
        socket.bind((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
        Self {
            number: socket.local_addr().unwrap().port(),
            _socket: socket,
        }
    }

    /// The port on the loopback interface.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpListener;

    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_port_that_is_kept_is_for_those_who_name_it() {
        let kept = KeptPort::any();
        let refused = TcpStream::connect(kept.address()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        for address in [kept.address(), ([127, 0, 1, 1], kept.number).into()] {
            let listener = TcpListener::bind(address).unwrap();
            TcpStream::connect(address).await.unwrap();
            drop(listener);
        }
        // As a client does, whose port the kernel chooses.
        let stranger = TcpSocket::new_v4().unwrap();
        stranger.set_reuseaddr(false).unwrap();
        let taken = stranger.bind(kept.address()).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    }

    #[test]
    fn a_port_that_is_kept_is_given_to_nobody_else() {
        let kept: Vec<_> = (0..100).map(|_| KeptPort::any()).collect();
        let others: Vec<_> = (0..500)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        for other in others {
            let number = other.local_addr().unwrap().port();
            assert!(kept.iter().all(|kept| kept.number != number));
        }
    }
}
