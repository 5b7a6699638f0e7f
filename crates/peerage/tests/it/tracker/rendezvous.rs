//! libp2p's own rendezvous client against our tracker, and our client against
//! libp2p's own rendezvous server.

use libp2p::rendezvous::{self, Cookie, Namespace, client, server};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Swarm, SwarmBuilder, identify, noise, tcp, yamux};

use super::*;
use crate::support::tcp_address;

/// A node of rust-libp2p with one of its own rendezvous behaviours.
#[derive(NetworkBehaviour)]
struct Theirs<B: NetworkBehaviour> {
    identify: identify::Behaviour,
    rendezvous: B,
}

fn swarm<B: NetworkBehaviour>(of: impl FnOnce(Keypair) -> B) -> Swarm<Theirs<B>> {
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|key| Theirs {
            identify: identify::Behaviour::new(identify::Config::new(
                "ipfs/0.1.0".to_owned(),
                key.public(),
            )),
            rendezvous: of(key.clone()),
        })
        .unwrap()
        .build();
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    swarm
}

/// Runs the swarm until `wanted` picks something out of an event.
async fn until<B: NetworkBehaviour, T>(
    what: &str,
    swarm: &mut Swarm<Theirs<B>>,
    mut wanted: impl FnMut(SwarmEvent<TheirsEvent<B>>) -> Option<T>,
) -> T
where
    Theirs<B>: NetworkBehaviour<ToSwarm = TheirsEvent<B>>,
{
    soon(what, async {
        loop {
            let event = swarm.select_next_some().await;
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    })
    .await
}

async fn listening<B: NetworkBehaviour>(swarm: &mut Swarm<Theirs<B>>) -> Multiaddr
where
    Theirs<B>: NetworkBehaviour<ToSwarm = TheirsEvent<B>>,
{
    until("an address", swarm, |event| match event {
        SwarmEvent::NewListenAddr { address, .. } => Some(address),
        _ => None,
    })
    .await
}

/// Their client, connected to our hub; it knows its own address.
async fn client(hub: &Peer) -> Swarm<Theirs<client::Behaviour>> {
    let mut swarm = swarm(client::Behaviour::new);
    let address = listening(&mut swarm).await;
    swarm.add_external_address(address);
    swarm.dial(tcp_address(&hub.node)).unwrap();
    until("being identified", &mut swarm, |event| match event {
        SwarmEvent::Behaviour(TheirsEvent::Identify(identify::Event::Sent { .. })) => Some(()),
        _ => None,
    })
    .await;
    swarm
}

async fn register(
    swarm: &mut Swarm<Theirs<client::Behaviour>>,
    hub: &Peer,
    namespace: &str,
) -> Result<u64, rendezvous::ErrorCode> {
    let namespace = Namespace::new(namespace.to_owned()).unwrap();
    swarm.behaviour_mut().rendezvous.register(namespace, hub.id(), None).unwrap();
    until("a registration", swarm, |event| match event {
        SwarmEvent::Behaviour(TheirsEvent::Rendezvous(event)) => match event {
            client::Event::Registered { ttl, .. } => Some(Ok(ttl)),
            client::Event::RegisterFailed { error, .. } => Some(Err(error)),
            _ => None,
        },
        _ => None,
    })
    .await
}

async fn discover(
    swarm: &mut Swarm<Theirs<client::Behaviour>>,
    hub: &Peer,
    namespace: &str,
    cookie: Option<Cookie>,
) -> Result<(Vec<PeerId>, Cookie), rendezvous::ErrorCode> {
    let namespace = Some(Namespace::new(namespace.to_owned()).unwrap());
    swarm.behaviour_mut().rendezvous.discover(namespace, cookie, None, hub.id());
    until("what is discovered", swarm, |event| match event {
        SwarmEvent::Behaviour(TheirsEvent::Rendezvous(event)) => match event {
            client::Event::Discovered { registrations, cookie, .. } => {
                let peers = registrations.iter().map(|one| one.record.peer_id()).collect();
                Some(Ok((peers, cookie)))
            }
            client::Event::DiscoverFailed { error, .. } => Some(Err(error)),
            _ => None,
        },
        _ => None,
    })
    .await
}

#[tokio::test]
async fn libp2ps_client_registers_and_discovers_with_our_tracker() {
    let hub = Peer::spawn().await;
    let server = TrackerServer::start(&hub.node, TrackerConfig::default()).unwrap();
    let (mut one, mut two) = (client(&hub).await, client(&hub).await);
    assert_eq!(register(&mut one, &hub, "lisbon").await, Ok(7200));
    let (peers, cookie) = discover(&mut two, &hub, "lisbon", None).await.unwrap();
    assert_eq!(peers, [*one.local_peer_id()]);
    let (none, cookie) = discover(&mut two, &hub, "lisbon", Some(cookie)).await.unwrap();
    assert!(none.is_empty());
    let other = discover(&mut two, &hub, "porto", Some(cookie.clone())).await;
    assert_eq!(other.unwrap_err(), rendezvous::ErrorCode::InvalidCookie);

    // Both faces have one registry: whoever announces itself is discovered,
    // and whoever registers is found.
    let (alice, bob) = (Peer::spawn().await, Peer::spawn().await);
    alice.tracker(&[&hub]).announce(&alice.presence(&["topic:lisbon"])).await.unwrap();
    let (new, _) = discover(&mut two, &hub, "lisbon", Some(cookie)).await.unwrap();
    assert_eq!(new, [alice.id()]);
    let all = found(&bob.tracker(&[&hub]), "topic:lisbon").await;
    assert_eq!(all, [*one.local_peer_id(), alice.id()]);
    let by_id = found(&bob.tracker(&[&hub]), &one.local_peer_id().to_string()).await;
    assert_eq!(by_id, [*one.local_peer_id()]);

    let namespace = Namespace::new("lisbon".to_owned()).unwrap();
    one.behaviour_mut().rendezvous.unregister(namespace, hub.id());
    soon("one peer fewer", async {
        while server.status().peers > 1 {
            tokio::select! {
                _ = one.select_next_some() => {}
                () = tokio::task::yield_now() => {}
            }
        }
    })
    .await;
}

#[tokio::test]
async fn libp2ps_client_is_refused_what_is_not_its_own() {
    let hub = Peer::spawn().await;
    let server = TrackerServer::start(&hub.node, TrackerConfig::default()).unwrap();
    let mut swarm = client(&hub).await;
    swarm.add_external_address("/ip4/203.0.113.7/tcp/443".parse().unwrap());
    let refused = register(&mut swarm, &hub, "lisbon").await;
    assert_eq!(refused, Err(rendezvous::ErrorCode::NotAuthorized));
    assert_eq!(server.status().registry.refused[&Refusal::Unproven], 1);
}

#[tokio::test]
async fn our_client_registers_and_discovers_with_libp2ps_server() {
    let mut point = swarm(|_| server::Behaviour::new(server::Config::default()));
    let place = PeerAddresses {
        peer: *point.local_peer_id(),
        addresses: vec![listening(&mut point).await],
    };
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = point.select_next_some() => {}
                _ = &mut stopped => return,
            }
        }
    });
    let (alice, bob) = (Peer::spawn().await, Peer::spawn().await);
    let tracker = |peer: &Peer| Tracker::new(&peer.node, &peer.key, vec![place.clone()]);
    let (ours, theirs) = (tracker(&alice), tracker(&bob));
    let presence = alice.presence(&["topic:lisbon", CID]);
    let ttl = soon("a registration", ours.announce(&presence)).await.unwrap();
    assert_eq!(ttl.as_secs(), 7200);

    for key in [&alice.id().to_string(), "topic:lisbon", CID] {
        let all = look_up(&theirs, key).await;
        let finding = all[0].as_ref().unwrap();
        assert_eq!((all.len(), finding.peer), (1, alice.id()), "{key}");
        assert_eq!(finding.addresses, alice.node.listen_addresses());
    }
    assert!(found(&theirs, "topic:porto").await.is_empty());
    soon("the withdrawal", ours.withdraw()).await;
    assert!(found(&theirs, "topic:lisbon").await.is_empty());
    let _ = stop.send(());
    running.await.unwrap();
}
