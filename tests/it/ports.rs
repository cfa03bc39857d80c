//! Ports where nothing listens.

use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket};

/// A port that refuses connections. It stays taken, so that no server of another test receives it.
pub struct ClosedPort {
    socket: TcpSocket,
    pub address: SocketAddr,
}

impl ClosedPort {
    pub fn fresh() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind((Ipv4Addr::LOCALHOST, 0).into())
            .expect("a free port");
        let address = socket.local_addr().expect("an address");
        Self { socket, address }
    }

    /// From now on it accepts connections.
    pub fn open(self) -> TcpListener {
        self.socket.listen(16).expect("it listens")
    }
}
