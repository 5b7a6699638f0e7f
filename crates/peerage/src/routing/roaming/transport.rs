//! The endpoint as a transport of libp2p.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use iroh::endpoint::{Connection, Incoming, LocalTransportAddr, PathEvent};
use iroh::{Endpoint, TransportAddr, Watcher as _};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::super::closing::Closing;
use super::address::{multiaddr, of_socket, peer_id, target};
use super::endpoint::Roaming;
use super::is_direct;
use super::muxer::Muxer;
use super::relays::Borrowed;

/// Why a connection was not set up.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Error(String);

/// A connection that has been set up: who is there, where its packets go now,
/// where they go later, and its streams.
pub(crate) type Made = (PeerId, Multiaddr, BoxStream<'static, Multiaddr>, StreamMuxerBox);

type Upgrade = BoxFuture<'static, Result<Made, Error>>;
type Event = TransportEvent<Upgrade, Error>;

/// The transport. It dials and listens wherever the endpoint is; without one
/// it knows no address.
pub(crate) struct Transport {
    roaming: Option<Roaming>,
    listener: Option<Listener>,
    events: VecDeque<Event>,
}

/// Accepts connections, and knows the relays that the endpoint is behind.
struct Listener {
    id: ListenerId,
    incoming: BoxStream<'static, Incoming>,
    places: BoxStream<'static, HashSet<Multiaddr>>,
    known: HashSet<Multiaddr>,
}

impl Transport {
    pub(crate) fn new(roaming: Option<Roaming>) -> Self {
        Self { roaming, listener: None, events: VecDeque::new() }
    }
}

impl libp2p::core::Transport for Transport {
    type Output = Made;
    type Error = Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Upgrade;

    /// Listens on the endpoint's sockets, whatever the port: they are bound
    /// already.
    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Error>> {
        match &self.roaming {
            Some(roaming) if is_direct(&address) && self.listener.is_none() => {
                self.listener = Some(Listener::new(id, roaming.endpoint().clone()));
                Ok(())
            }
            _ => Err(TransportError::MultiaddrNotSupported(address)),
        }
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let ours = self.listener.as_ref().is_some_and(|listener| listener.id == id);
        if ours {
            self.listener = None;
            self.events
                .push_back(TransportEvent::ListenerClosed { listener_id: id, reason: Ok(()) });
        }
        ours
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Upgrade, TransportError<Error>> {
        let (Some(roaming), Some(target)) = (&self.roaming, target(&address)) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        let roaming = roaming.clone();
        Ok(async move {
            let (connection, borrowed) = roaming.connect(target).await.map_err(Error)?;
            made(connection, borrowed)
        }
        .boxed())
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        let this = &mut *self;
        if let Some(listener) = &mut this.listener {
            listener.poll_places(cx, &mut this.events);
            if this.events.is_empty()
                && let Poll::Ready(Some(incoming)) = listener.incoming.poll_next_unpin(cx)
            {
                return Poll::Ready(listener.incoming(incoming));
            }
        }
        this.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Listener {
    fn new(id: ListenerId, endpoint: Endpoint) -> Self {
        // With the peer at its end: the swarm dials no address that is its own,
        // and that of a relay alone would be the same for all peers behind it.
        let own = peer_id(&endpoint.id()).map(Protocol::P2p);
        let places = endpoint.watch_addr().stream().map(move |address| {
            let relays = address.addrs.iter().filter(|place| place.is_relay());
            relays
                .filter_map(multiaddr)
                .map(|one| own.iter().cloned().fold(one, Multiaddr::with))
                .collect()
        });
        let incoming = stream::unfold(endpoint, |endpoint| async move {
            endpoint.accept().await.map(|incoming| (incoming, endpoint))
        });
        // Both end with the endpoint, and are polled until the swarm ends too.
        let (incoming, places) = (incoming.fuse().boxed(), places.fuse().boxed());
        Self { id, incoming, places, known: HashSet::new() }
    }

    /// Reports relays that are new or gone.
    fn poll_places(&mut self, cx: &mut Context<'_>, events: &mut VecDeque<Event>) {
        let listener_id = self.id;
        while let Poll::Ready(Some(places)) = self.places.poll_next_unpin(cx) {
            events.extend(
                places
                    .difference(&self.known)
                    .cloned()
                    .map(|listen_addr| TransportEvent::NewAddress { listener_id, listen_addr }),
            );
            events.extend(
                self.known
                    .difference(&places)
                    .cloned()
                    .map(|listen_addr| TransportEvent::AddressExpired { listener_id, listen_addr }),
            );
            self.known = places;
        }
    }

    fn incoming(&self, incoming: Incoming) -> Event {
        let local_addr = match incoming.local_addr() {
            LocalTransportAddr::Ip(Some(ip)) => of_socket((ip, 0).into()),
            LocalTransportAddr::Relay(url) => {
                multiaddr(&TransportAddr::Relay(url)).unwrap_or_else(Multiaddr::empty)
            }
            _ => Multiaddr::empty(),
        };
        let from = multiaddr(&TransportAddr::from(incoming.remote_addr()));
        let upgrade = async move {
            let connection = incoming.await.map_err(|error| Error(format!("{error:#}")))?;
            made(connection, Vec::new())
        };
        TransportEvent::Incoming {
            listener_id: self.id,
            upgrade: upgrade.boxed(),
            local_addr,
            send_back_addr: from.unwrap_or_else(Multiaddr::empty),
        }
    }
}

fn made(connection: Connection, borrowed: Vec<Borrowed>) -> Result<Made, Error> {
    let id = connection.remote_id();
    let peer = peer_id(&id).ok_or_else(|| Error(format!("{id} is no peer")))?;
    let moves = connection.path_events().filter_map(|event| async move {
        match event {
            PathEvent::Selected { remote_addr, .. } => multiaddr(&remote_addr),
            _ => None,
        }
    });
    let paths = connection.paths();
    let now = paths.iter().find(|path| path.is_selected()).or_else(|| paths.iter().next());
    let now = now.and_then(|path| multiaddr(path.remote_addr())).unwrap_or_else(Multiaddr::empty);
    drop(paths);
    Ok((
        peer,
        now,
        moves.boxed(),
        StreamMuxerBox::new(Closing::new(Muxer::new(connection, borrowed))),
    ))
}
