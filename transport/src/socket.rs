//! The UDP sockets: one per runtime, all on one port; the kernel deals the peers out among them.

use socket2::{Domain, Protocol, Socket, Type};
use std::net::{SocketAddr, UdpSocket};

/// LIMIT: bytes that the kernel keeps for a socket; it gives less where it is told to.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Binds `count` sockets to one address. Port 0 is chosen by the first.
///
/// # Errors
/// What the operating system says.
pub(crate) fn bind(address: SocketAddr, count: usize) -> std::io::Result<Vec<UdpSocket>> {
    // A socket that shares its port cannot tell that another process has it too: the kernel would deal
    // the peers out between the two. One that does not share is refused.
    drop(UdpSocket::bind(address)?);
    let mut sockets: Vec<UdpSocket> = Vec::with_capacity(count);
    for _ in 0..count {
        let address = match sockets.first() {
            Some(first) => first.local_addr()?,
            None => address,
        };
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if count > 1 {
            socket.set_reuse_port(true)?;
        }
        // Buffers are a wish: the kernel's own limit stands.
        drop(socket.set_recv_buffer_size(BUFFER_BYTES));
        drop(socket.set_send_buffer_size(BUFFER_BYTES));
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        sockets.push(socket.into());
    }
    Ok(sockets)
}
