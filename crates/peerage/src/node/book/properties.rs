//! What holds after any history of an address book: it says what a model says
//! that remembers everything, as far as its limits let it.

use libp2p::multiaddr::Protocol;
use proptest::prelude::*;

use super::*;

/// How many peers the histories are about.
const PEERS: usize = 6;

/// What is said of a peer: its number, and addresses.
type Word = (usize, Vec<Said>);

#[derive(Clone, Copy, Debug)]
enum Said {
    At(u16),
    Named(u16),
    OtherPeer(u16),
    Nowhere,
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        6 => (1u16..40).prop_map(Said::At),
        2 => (1u16..40).prop_map(Said::Named),
        1 => (1u16..40).prop_map(Said::OtherPeer),
        1 => Just(Said::Nowhere),
    ]
}

fn address(port: u16) -> Multiaddr {
    format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap()
}

fn peer(number: usize) -> PeerId {
    let digest = u64::try_from(number).unwrap().to_be_bytes();
    PeerId::from_multihash(cid::multihash::Multihash::wrap(0, &digest).unwrap()).unwrap()
}

fn spell(number: usize, said: Said) -> Multiaddr {
    match said {
        Said::At(port) => address(port),
        Said::Named(port) => address(port).with(Protocol::P2p(peer(number))),
        Said::OtherPeer(port) => address(port).with(Protocol::P2p(peer(number + 1))),
        Said::Nowhere => "/ip4/0.0.0.0/tcp/1".parse().unwrap(),
    }
}

/// All that was said, the peers spoken of last at the end, and of each its
/// addresses in the same order.
#[derive(Default)]
struct Model(Vec<(usize, Vec<u16>)>);

impl Model {
    fn add(&mut self, number: usize, all: &[Said]) {
        let useful = all.iter().filter_map(|said| match said {
            Said::At(port) | Said::Named(port) => Some(*port),
            Said::OtherPeer(_) | Said::Nowhere => None,
        });
        let useful: Vec<u16> = useful.collect();
        if useful.is_empty() {
            return;
        }
        let place = self.0.iter().position(|(known, _)| *known == number);
        let mut ports = place.map(|place| self.0.remove(place).1).unwrap_or_default();
        for port in useful {
            ports.retain(|known| *known != port);
            ports.push(port);
        }
        let forgotten = ports.len().saturating_sub(MAX_ADDRESSES_PER_PEER);
        self.0.push((number, ports.split_off(forgotten)));
        let forgotten = self.0.len().saturating_sub(MAX_KNOWN_PEERS);
        self.0.drain(..forgotten);
    }

    fn of(&self, number: usize) -> Vec<Multiaddr> {
        let ports = self.0.iter().find(|(known, _)| *known == number);
        ports.into_iter().flat_map(|(_, ports)| ports.iter().rev().copied()).map(address).collect()
    }
}

fn word(peers: usize) -> impl Strategy<Value = Word> {
    (0..peers, prop::collection::vec(said(), 0..20))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The book begins full but for a few, so that it forgets soon.
    #[test]
    fn any_history_leaves_what_the_model_says(
        free in 0..PEERS,
        words in prop::collection::vec(word(PEERS), 1..80),
    ) {
        let (mut book, mut model) = (AddressBook::default(), Model::default());
        for number in PEERS..PEERS + MAX_KNOWN_PEERS - free {
            book.add(peer(number), &[address(1)]);
            model.add(number, &[Said::At(1)]);
        }
        for (number, all) in words {
            let addresses: Vec<_> = all.iter().map(|said| spell(number, *said)).collect();
            book.add(peer(number), &addresses);
            model.add(number, &all);
            let order: Vec<_> = model.0.iter().map(|(number, _)| peer(*number)).collect();
            prop_assert_eq!(&book.order, &order);
            prop_assert_eq!(book.addresses.len(), order.len());
            for number in 0..PEERS {
                prop_assert_eq!(book.of(&peer(number)), model.of(number));
            }
        }
    }
}
