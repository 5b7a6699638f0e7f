//! Opens and accepts the streams of one connection.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::oneshot;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
};
use libp2p::{PeerId, StreamProtocol};
use peerage_core::routing::pool::Origin;
use tokio::sync::mpsc;

use super::error::OpenStreamError;
use super::line::OpenRequest;
use super::ping;
use super::stream::{Activity, Slot, Stream};
use super::streams::Streams;
use crate::limits::MAX_PING_STREAMS;

/// How long the two ends may take to agree on a stream's protocol.
const NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Handler {
    peer: PeerId,
    /// As whom the peer counts.
    origin: Origin,
    streams: Streams,
    wanted: mpsc::Receiver<OpenRequest>,
    incoming: Arc<AtomicUsize>,
    outgoing: Arc<AtomicUsize>,
    /// Pings, both ways; they are counted apart, so that a connection at its
    /// limit is still known to be alive.
    pings: Arc<AtomicUsize>,
    activity: Activity,
}

impl Handler {
    pub(super) fn new(
        peer: PeerId,
        origin: Origin,
        streams: Streams,
        wanted: mpsc::Receiver<OpenRequest>,
        activity: Activity,
    ) -> Self {
        let (incoming, outgoing, pings) = Default::default();
        Self { peer, origin, streams, wanted, incoming, outgoing, pings, activity }
    }

    fn limit(&self) -> usize {
        self.streams.limits().streams_per_connection
    }

    /// Takes a stream of the remote, or resets it by dropping it.
    fn on_inbound(&self, stream: libp2p::Stream, protocol: StreamProtocol) {
        let Some(slots) = self.incoming_slots(&protocol) else {
            tracing::debug!(peer = %self.peer, %protocol, "refusing one stream too many");
            return;
        };
        let stream =
            Stream::new(stream, protocol, self.activity.clone(), slots).from(self.origin.clone());
        self.streams.deliver(self.peer, stream);
    }

    fn incoming_slots(&self, protocol: &StreamProtocol) -> Option<Vec<Slot>> {
        if *protocol == ping::PROTOCOL {
            return Some(vec![Slot::take(&self.pings, MAX_PING_STREAMS)?]);
        }
        let here = Slot::take(&self.incoming, self.limit())?;
        Some(vec![here, self.streams.incoming_slot()?])
    }

    fn outgoing_slot(&self, protocols: &[StreamProtocol]) -> Option<Slot> {
        match protocols {
            [only] if *only == ping::PROTOCOL => Slot::take(&self.pings, MAX_PING_STREAMS),
            _ => Slot::take(&self.outgoing, self.limit()),
        }
    }
}

/// A stream that is being opened.
pub(super) struct Opening {
    reply: oneshot::Sender<Result<Stream, OpenStreamError>>,
    protocols: Arc<[StreamProtocol]>,
    activity: Activity,
    slot: Slot,
    origin: Origin,
}

impl Opening {
    fn done(self, stream: libp2p::Stream, protocol: StreamProtocol) {
        let stream =
            Stream::new(stream, protocol, self.activity, vec![self.slot]).from(self.origin);
        // Whoever asked may have gone; the stream is then reset.
        let _ = self.reply.send(Ok(stream));
    }

    fn failed(self, error: StreamUpgradeError<Infallible>) {
        let error = match error {
            StreamUpgradeError::Timeout => OpenStreamError::TimedOut,
            StreamUpgradeError::Apply(never) => match never {},
            StreamUpgradeError::NegotiationFailed => {
                OpenStreamError::Unsupported(self.protocols.to_vec())
            }
            StreamUpgradeError::Io(error) if error.kind() == io::ErrorKind::WriteZero => {
                OpenStreamError::ConnectionLost
            }
            StreamUpgradeError::Io(error) => OpenStreamError::Io(error),
        };
        let _ = self.reply.send(Err(error));
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = Agreement;
    type OutboundProtocol = Agreement;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Opening;

    fn listen_protocol(&self) -> SubstreamProtocol<Agreement> {
        SubstreamProtocol::new(Agreement(self.streams.protocols()), ())
            .with_timeout(NEGOTIATION_TIMEOUT)
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Agreement, Opening, Infallible>> {
        self.activity.wake_when_ended(cx);
        while let Poll::Ready(Some(OpenRequest { protocols, reply })) = self.wanted.poll_recv(cx) {
            if reply.is_canceled() {
                continue;
            }
            let Some(slot) = self.outgoing_slot(&protocols) else {
                let _ = reply.send(Err(OpenStreamError::TooManyStreams));
                continue;
            };
            let activity = self.activity.clone();
            let origin = self.origin.clone();
            let opening =
                Opening { reply, protocols: Arc::clone(&protocols), activity, slot, origin };
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(Agreement(protocols), opening)
                    .with_timeout(NEGOTIATION_TIMEOUT),
            });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Agreement, Agreement, (), Opening>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol),
                info: (),
            }) => self.on_inbound(stream, protocol),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, protocol),
                info,
            }) => info.done(stream, protocol),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                info.failed(error);
            }
            _ => {}
        }
    }
}

/// Agrees on one of several protocols, and hands the stream over as it is.
pub(super) struct Agreement(Arc<[StreamProtocol]>);

impl UpgradeInfo for Agreement {
    type Info = StreamProtocol;
    type InfoIter = Names;

    fn protocol_info(&self) -> Names {
        Names { all: Arc::clone(&self.0), next: 0 }
    }
}

/// The names of an [`Agreement`], without a copy of the list.
pub(super) struct Names {
    all: Arc<[StreamProtocol]>,
    next: usize,
}

impl Iterator for Names {
    type Item = StreamProtocol;

    fn next(&mut self) -> Option<StreamProtocol> {
        let name = self.all.get(self.next)?.clone();
        self.next += 1;
        Some(name)
    }
}

type Agreed = Ready<Result<(libp2p::Stream, StreamProtocol), Infallible>>;

impl InboundUpgrade<libp2p::Stream> for Agreement {
    type Output = (libp2p::Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Agreed;

    fn upgrade_inbound(self, stream: libp2p::Stream, protocol: StreamProtocol) -> Agreed {
        ready(Ok((stream, protocol)))
    }
}

impl OutboundUpgrade<libp2p::Stream> for Agreement {
    type Output = (libp2p::Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Agreed;

    fn upgrade_outbound(self, stream: libp2p::Stream, protocol: StreamProtocol) -> Agreed {
        ready(Ok((stream, protocol)))
    }
}
