//! A socket that takes and gives whole Ethernet frames of one interface.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
};

use nix::{
    errno::Errno,
    ifaddrs::getifaddrs,
    sys::socket::{
        AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvfrom, send,
        setsockopt, socket, sockopt,
    },
};

/// Room for what arrives while the emulator is not scheduled, in bytes.
const BUFFER: usize = 16 * 1024 * 1024;

/// `PACKET_OUTGOING` of `<linux/if_packet.h>`: a frame that this machine sent.
const OUTGOING: u8 = 4;

/// One end of the link.
pub(crate) struct Port {
    socket: OwnedFd,
}

impl Port {
    /// Opens an interface by its name.
    pub(crate) fn open(interface: &str) -> io::Result<Self> {
        let address = link_address(interface)?;
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)?;
        // Inside a user namespace only the system's limit is to be had.
        setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)
            .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &BUFFER))?;
        setsockopt(&socket, sockopt::SndBufForce, &BUFFER)
            .or_else(|_| setsockopt(&socket, sockopt::SndBuf, &BUFFER))?;
        bind(socket.as_raw_fd(), &address)?;
        Ok(Self { socket })
    }

    /// Reads the next frame into `buffer`, and gives its length; `None` when
    /// none waits.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), buffer) {
                Ok((_, Some(from))) if from.pkttype() == OUTGOING => {}
                Ok((length, _)) => return Ok(Some(length)),
                Err(Errno::EAGAIN) => return Ok(None),
                // The other end of the cable is out: it may come back.
                Err(Errno::ENETDOWN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends a frame; one that the interface does not take is lost.
    pub(crate) fn send(&self, frame: &[u8]) {
        let _lost = send(self.socket.as_raw_fd(), frame, MsgFlags::empty());
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The address of an interface on the link layer, which names it by number.
fn link_address(interface: &str) -> io::Result<LinkAddr> {
    let none = || io::Error::new(io::ErrorKind::NotFound, format!("no interface {interface}"));
    getifaddrs()?
        .filter(|entry| entry.interface_name == interface)
        .find_map(|entry| entry.address?.as_link_addr().copied())
        .ok_or_else(none)
}
