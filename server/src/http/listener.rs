//! Sockets that listen, and give up a peer that takes nothing.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// A connection ends when what was sent is not taken for so long: the peer is gone, or it does not read. Linux counts a
/// closed window as well, and a connection has this from the socket that it came by (tcp(7), `TCP_USER_TIMEOUT`).
const STALLED: Duration = Duration::from_secs(30);
/// Bytes that the kernel takes for a connection beyond what is on its way to the peer (tcp(7), `TCP_NOTSENT_LOWAT`).
/// Without it many that do not read are sent megabytes each at once: memory of the kernel, and everybody else waits.
const NOT_SENT: u32 = 256 << 10;
/// Connections that the kernel holds until they are accepted; actix-web's own number.
const BACKLOG: i32 = 1024;

/// Listens on an address, port 0 for a free one.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart does not wait for the connections of the last run.
    socket.set_reuse_address(true)?;
    socket.set_tcp_user_timeout(Some(STALLED))?;
    socket.set_tcp_notsent_lowat(NOT_SENT)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;
    use std::io::Write as _;
    use std::net::{Ipv4Addr, TcpStream};

    fn connection() -> (TcpStream, TcpStream) {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn what_comes_by_the_listener_is_given_up_when_it_takes_nothing() {
        let (_client, accepted) = connection();
        assert_eq!(SockRef::from(&accepted).tcp_user_timeout().unwrap(), Some(STALLED));
    }

    #[test]
    fn the_kernel_holds_little_for_a_peer_that_reads_nothing() {
        let (client, mut accepted) = connection();
        SockRef::from(&client).set_recv_buffer_size(4 << 10).unwrap();
        accepted.set_nonblocking(true).unwrap();
        let (piece, mut taken) = (vec![7; 64 << 10], 0);
        while let Ok(sent) = accepted.write(&piece) {
            taken += sent;
        }
        assert!(taken < (1 << 20), "{taken} bytes");
    }
}
