//! Who is reached over a hub dials what the other side names to punch a hole
//! (DCUtR), where that can be meant for it.

use peerage::node::StreamProtocol;
use peerage::{Multiaddr, Protocol};

use super::{HUB, MALLORY, Service, VICTIM, dial_back::hub, disguises, internet, node_at, wire};
use crate::support::soon;

const DCUTR: StreamProtocol = StreamProtocol::new("/libp2p/dcutr");

/// `HolePunch.Type.CONNECT`.
const CONNECT: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_behind_a_hub_punches_no_hole_into_its_own_machine() {
    let Some(lan) = internet("a hole into one's own machine", 3) else { return };
    let [first, second, third] = lan.hosts.as_slice() else { panic!("three hosts") };
    let hub = hub(first).await;
    let inside = Service::start(second, [127, 0, 0, 1].into()).await;
    let open = Service::start(third, MALLORY).await;
    let at_hub = hub.addresses().into_iter().find(|one| {
        one.iter().nth(1).is_some_and(|part| matches!(part, Protocol::Tcp(_)))
            && one.iter().count() == 3
    });
    let at_hub = at_hub.expect("the hub is at a TCP port");
    let victim = node_at(second, VICTIM, vec![at_hub.clone()]).await;
    soon("a place at the hub", async {
        let mut events = victim.events();
        while !victim
            .listen_addresses()
            .iter()
            .any(|one| one.iter().any(|part| part == Protocol::P2pCircuit))
        {
            let _ = events.recv().await;
        }
    })
    .await;

    let mallory = node_at(third, MALLORY, Vec::new()).await;
    let mut asked = mallory.accept(DCUTR).unwrap();
    let circuit = at_hub.with(Protocol::P2pCircuit);
    let (dialling, peer) = (mallory.clone(), victim.peer_id());
    third.run(async move { dialling.connect(peer, &[circuit]).await }).await.unwrap();
    let (_, mut stream) =
        soon("word of the victim", futures::StreamExt::next(&mut asked)).await.unwrap();
    wire::receive(&mut stream).await.expect("the victim's addresses");
    // The last is one that may be meant: that it is dialled says that the
    // others were looked at.
    let named: Vec<Multiaddr> =
        disguises(&inside, MALLORY).into_iter().chain([open.address()]).collect();
    let mut answer = wire::number(1, CONNECT);
    named.iter().for_each(|address| answer.extend(wire::bytes(2, &address.to_vec())));
    wire::send(&mut stream, &answer).await;
    soon("the victim's dial", async {
        while !open.was_called() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!inside.was_called());
    let _ = HUB;
}
