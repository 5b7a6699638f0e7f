//! Who asks a hub whether it can be reached (AutoNAT v2) is dialled where it is
//! seen, at public addresses, and nowhere else.

use libp2p::identity::Keypair;
use peerage::hub::{Hub, HubConfig, OrOff};
use peerage::node::{Node, StreamProtocol};
use peerage::{Multiaddr, PeerId};

use super::{HUB, MALLORY, Service, VICTIM, disguises, internet, node_at, wire};
use crate::support::lan::Host;

const DIAL_REQUEST: StreamProtocol = StreamProtocol::new("/libp2p/autonat/2/dial-request");

/// `ResponseStatus`: it was dialled.
const OK: u64 = 200;

/// How much a hub asks for before it dials an address that is not the asker's.
const DATA: usize = 110_000;

pub(super) async fn hub(host: &Host) -> Hub {
    let listen = vec![HUB.into()];
    let mut config = HubConfig { listen, metrics: OrOff::Off, ..HubConfig::default() };
    config.ports.websocket = OrOff::Off;
    host.run(async move { Hub::start(Keypair::generate_ed25519(), &config, None).await.unwrap() })
        .await
}

/// Asks the hub to dial an address; the status of its answer.
async fn ask(node: &Node, hub: PeerId, address: &Multiaddr) -> u64 {
    let mut stream = node.open_stream(hub, DIAL_REQUEST).await.unwrap();
    let nonce = [&[2 << 3 | 1_u8][..], &[7; 8]].concat();
    let request = [wire::bytes(1, &address.to_vec()), nonce].concat();
    wire::send(&mut stream, &wire::bytes(1, &request)).await;
    let mut answer = wire::receive(&mut stream).await.expect("an answer");
    if wire::fields(&answer)[0].0 == 3 {
        let data = wire::bytes(4, &wire::bytes(1, &[0; 4000]));
        for _ in 0..=DATA / 4000 {
            wire::send(&mut stream, &data).await;
        }
        answer = wire::receive(&mut stream).await.expect("an answer after the data");
    }
    wire::number_in(wire::fields(&answer)[0].2, 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_dials_who_asks_where_it_is_seen_and_nobody_else() {
    let Some(lan) = internet("a hub that is asked to dial", 3) else { return };
    let [first, second, third] = lan.hosts.as_slice() else { panic!("three hosts") };
    let hub = hub(first).await;
    let inside = Service::start(first, [127, 0, 0, 1].into()).await;
    let beside = Service::start(second, VICTIM).await;
    let mallory = node_at(third, MALLORY, Vec::new()).await;
    let (peer, addresses, dialling) = (hub.peer_id(), hub.addresses(), mallory.clone());
    third.run(async move { dialling.connect(peer, &addresses).await }).await.unwrap();

    let bad = disguises(&inside, MALLORY).into_iter().chain(disguises(&beside, MALLORY));
    for address in bad {
        assert_ne!(ask(&mallory, hub.peer_id(), &address).await, OK, "{address}");
        assert!(!inside.was_called() && !beside.was_called(), "{address}");
    }
    // The last, since a stream may take the connection that this makes.
    let own = mallory.listen_addresses();
    assert_eq!(ask(&mallory, hub.peer_id(), &own[0]).await, OK, "who asks is dialled");
}
