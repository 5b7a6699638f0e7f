//! The transport of a peer. Who is there is believed and not proven: the
//! simulation is about who asks whom when.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::mpsc::{self, UnboundedReceiver};
use futures::future::{BoxFuture, Ready, ready};
use futures::{FutureExt, StreamExt};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{
    Boxed, DialOpts, ListenerId, TransportError, TransportEvent, timeout::TransportTimeout,
};
use libp2p::{Multiaddr, PeerId, Transport};
use tokio::time::sleep;

use crate::chance;
use crate::host::{Host, Network};
use crate::line::Path;
use crate::muxer::{Incoming, connection};

/// How long a dial may take, as with Peerage's own transports.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(8);

/// One-way delays.
const DELAYS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(50));

/// The transport of one host.
pub(crate) struct Wire {
    network: Network,
    host: Host,
    peer: PeerId,
    address: Multiaddr,
    loss: f64,
    listener: Option<ListenerId>,
    told: bool,
    incoming: Option<UnboundedReceiver<Incoming>>,
}

impl Wire {
    /// The transport of a peer at an address.
    pub(crate) fn new(
        network: Network,
        host: Host,
        (peer, address): (PeerId, Multiaddr),
        loss: f64,
    ) -> Boxed<(PeerId, StreamMuxerBox)> {
        let (listener, incoming) = (None, None);
        let wire = Self { network, host, peer, address, loss, listener, told: false, incoming };
        TransportTimeout::new(wire, HANDSHAKE_TIMEOUT).boxed()
    }
}

type Established = io::Result<(PeerId, StreamMuxerBox)>;

impl Transport for Wire {
    type Output = (PeerId, StreamMuxerBox);
    type Error = io::Error;
    type ListenerUpgrade = Ready<Established>;
    type Dial = BoxFuture<'static, Established>;

    fn listen_on(&mut self, id: ListenerId, _: Multiaddr) -> Result<(), TransportError<io::Error>> {
        let (to, incoming) = mpsc::unbounded();
        self.network.listen(self.address.clone(), ((self.peer, self.host.clone()), to));
        self.listener = Some(id);
        self.incoming = Some(incoming);
        Ok(())
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        self.incoming.take().is_some()
    }

    fn dial(
        &mut self,
        to: Multiaddr,
        _: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        let path = Path { delay: chance::between(DELAYS.0, DELAYS.1), loss: self.loss };
        let (network, near) = (self.network.clone(), self.host.clone());
        let (own, from) = (self.peer, self.address.clone());
        Ok(dial(network, near, path, (own, from), to).boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        let Some(listener_id) = self.listener else { return Poll::Pending };
        let local_addr = self.address.clone();
        if !std::mem::replace(&mut self.told, true) {
            let listen_addr = local_addr;
            return Poll::Ready(TransportEvent::NewAddress { listener_id, listen_addr });
        }
        let Some(incoming) = &mut self.incoming else { return Poll::Pending };
        match incoming.poll_next_unpin(context) {
            Poll::Ready(Some(Incoming { peer, from, muxer })) => {
                Poll::Ready(TransportEvent::Incoming {
                    listener_id,
                    upgrade: ready(Ok((peer, StreamMuxerBox::new(muxer)))),
                    local_addr,
                    send_back_addr: from,
                })
            }
            _ => Poll::Pending,
        }
    }
}

/// Two round trips, as of TCP and TLS 1.3, and somebody must be there for each.
/// Where nobody is, nobody says so.
async fn dial(
    network: Network,
    near: Host,
    path: Path,
    (own, from): (PeerId, Multiaddr),
    to: Multiaddr,
) -> Established {
    let to = without_peer(&to);
    sleep(path.time() + path.time()).await;
    if network.at(&to).is_none() {
        return std::future::pending().await;
    }
    sleep(path.time() + path.time()).await;
    let Some(((peer, far), listener)) = network.at(&to) else {
        return std::future::pending().await;
    };
    let (muxer, theirs) = connection(&near, &far, path);
    let _ = listener.unbounded_send(Incoming { peer: own, from, muxer: theirs });
    Ok((peer, StreamMuxerBox::new(muxer)))
}

fn without_peer(address: &Multiaddr) -> Multiaddr {
    let is_peer = |part: &libp2p::multiaddr::Protocol<'_>| {
        matches!(part, libp2p::multiaddr::Protocol::P2p(_))
    };
    address.iter().filter(|part| !is_peer(part)).collect()
}
