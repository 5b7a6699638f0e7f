//! Protocols from above: a behaviour of this file joins nodes' swarms, beside
//! Kademlia, and nodes of a network that is none of libp2p's public ones.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::identify;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, OneShotHandler,
    SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use peerage::node::{Both, ConnectError, Node, NodeConfig, Part, SpawnError};
use peerage::routing::{Security, TransportKind};
use peerage::topology::kademlia::{self, KademliaConfig};
use peerage::{Multiaddr, PeerId, StreamProtocol, presets};
use tokio::sync::mpsc;

use crate::support::soon;

/// Greets peers: a stream of its protocol is all there is to a greeting.
struct Greeting {
    protocol: StreamProtocol,
    commands: mpsc::Receiver<PeerId>,
    heard: mpsc::Sender<Heard>,
    waiting: VecDeque<PeerId>,
}

/// What a greeting part tells its handle.
#[derive(Debug, PartialEq)]
enum Heard {
    Identified(PeerId, String),
    Greeted(PeerId),
}

/// The handle to it.
struct Greeter {
    commands: mpsc::Sender<PeerId>,
    heard: mpsc::Receiver<Heard>,
}

/// A stream was agreed on.
#[derive(Debug)]
struct Agreed;

impl From<libp2p::Stream> for Agreed {
    fn from(_: libp2p::Stream) -> Self {
        Self
    }
}

type Upgrade = ReadyUpgrade<StreamProtocol>;

fn greeting(protocol: &'static str) -> (Greeting, Greeter) {
    let (send, commands) = mpsc::channel(8);
    let (tell, heard) = mpsc::channel(8);
    let protocol = StreamProtocol::new(protocol);
    let part = Greeting { protocol, commands, heard: tell, waiting: VecDeque::new() };
    (part, Greeter { commands: send, heard })
}

impl Greeter {
    async fn greet(&self, peer: PeerId) {
        self.commands.send(peer).await.unwrap();
    }

    async fn hears(&mut self) -> Heard {
        soon("what the part tells its handle", self.heard.recv()).await.unwrap()
    }

    /// Whom it greets or is greeted by. Peers may say again who they are.
    async fn greeted(&mut self) -> PeerId {
        loop {
            if let Heard::Greeted(peer) = self.hears().await {
                return peer;
            }
        }
    }
}

impl Greeting {
    fn handler(&self) -> OneShotHandler<Upgrade, Upgrade, Agreed> {
        let protocol = SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ());
        OneShotHandler::new(protocol, Default::default())
    }
}

impl Part for Greeting {
    fn on_identified(&mut self, peer: PeerId, info: &identify::Info) {
        let told = self.heard.try_send(Heard::Identified(peer, info.protocol_version.clone()));
        told.unwrap();
    }
}

impl NetworkBehaviour for Greeting {
    type ConnectionHandler = OneShotHandler<Upgrade, Upgrade, Agreed>;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        event.expect("a stream that both agree on");
        self.heard.try_send(Heard::Greeted(peer)).unwrap();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        while let Poll::Ready(Some(peer)) = self.commands.poll_recv(cx) {
            self.waiting.push_back(peer);
        }
        let Some(peer_id) = self.waiting.pop_front() else { return Poll::Pending };
        let event = ReadyUpgrade::new(self.protocol.clone());
        Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::Any, event })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_joins_twice_beside_kademlia_and_each_has_its_own_handle() {
    let spawn = async |boot: Option<&Node>| {
        let config = presets::loopback();
        let mut network = KademliaConfig::machine();
        if let Some(boot) = boot {
            assert!(network.add_boot_node(&crate::support::tcp_address(boot)));
        }
        let (english, hello) = greeting("/test/hello");
        let (german, hallo) = greeting("/test/hallo");
        let (routing, kademlia) = kademlia::part(config.peer_id(), network);
        let parts = Both::new(Both::new(english, german), routing);
        (Node::spawn_with(config, parts).await.unwrap(), hello, hallo, kademlia)
    };
    let (alice, mut hello, mut hallo, alices_table) = spawn(None).await;
    let (bob, mut bobs_hello, mut bobs_hallo, bobs_table) = spawn(Some(&alice)).await;
    bobs_table.bootstrap().await.unwrap();
    crate::kademlia::until("bob in the table", async || {
        alices_table.table().await.unwrap().len() == 1
    })
    .await;

    for handle in [&mut bobs_hello, &mut bobs_hallo] {
        let identified = Heard::Identified(alice.peer_id(), "ipfs/0.1.0".to_owned());
        assert_eq!(handle.hears().await, identified, "both hear of it");
    }
    assert!(matches!(hello.hears().await, Heard::Identified(peer, _) if peer == bob.peer_id()));
    bobs_hello.greet(alice.peer_id()).await;
    assert_eq!(hello.greeted().await, bob.peer_id());
    assert_eq!(bobs_hello.greeted().await, alice.peer_id());
    while let Ok(heard) = hallo.heard.try_recv() {
        assert!(matches!(heard, Heard::Identified(..)), "it was the other's");
    }
    bobs_hallo.greet(alice.peer_id()).await;
    assert_eq!(hallo.greeted().await, bob.peer_id());
}

/// Settings of a network of its own.
fn another_network() -> NodeConfig {
    let mut config = presets::loopback();
    config.listen.retain(|address| TransportKind::of(address) == TransportKind::Tcp);
    config.protocol_version = "lighthouse/2.0".to_owned();
    config.security = vec![Security::Noise];
    config
}

#[tokio::test]
async fn a_network_of_its_own_has_another_version_and_only_noise() {
    let alice = Node::spawn(another_network()).await.unwrap();
    let bob = Node::spawn(another_network()).await.unwrap();
    let connection = bob.connect(alice.peer_id(), &alice.listen_addresses()).await.unwrap();
    assert_eq!(connection.path.security, Some(Security::Noise));
    bob.ping(alice.peer_id()).await.unwrap();
    let version = async || {
        let info = bob.peer(&alice.peer_id()).unwrap();
        info.protocol_version.as_deref() == Some("lighthouse/2.0")
    };
    crate::kademlia::until("what the other says it is", version).await;

    let tls = NodeConfig { security: vec![Security::Tls], ..another_network() };
    let stranger = Node::spawn(tls).await.unwrap();
    let refused = stranger.connect(alice.peer_id(), &alice.listen_addresses()).await;
    assert!(matches!(refused, Err(ConnectError::Unreachable { .. })), "nothing in common");
}

#[tokio::test]
async fn a_version_that_cannot_be_printed_is_refused() {
    for version in [String::new(), "a\n".to_owned(), "a".repeat(257)] {
        let config = NodeConfig { protocol_version: version, ..another_network() };
        assert!(matches!(Node::spawn(config).await, Err(SpawnError::Agent)));
    }
}
