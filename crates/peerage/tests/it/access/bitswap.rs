//! Bitswap: blocks, word of blocks, and their sizes.

use bytes::Bytes;
use peerage::{
    access::Requester,
    exchange::bitswap::Bitswap,
    node::Node,
    presets,
    store::{Batch, OwnerKind},
};
use peerage_core::{
    data::{Block, Cid, HashKind, codec},
    exchange::bitswap::{Entry, Message, Presence, Want},
};

use super::support::House;
use crate::{bitswap::Stranger, support::blocks::noise};

fn block(seed: u64, length: usize) -> Block {
    Block::new(codec::RAW, HashKind::Sha2_256, noise(seed, length))
}

/// Serves a house by bitswap.
async fn serve(house: &House) -> (Node, Bitswap) {
    let node = Node::spawn(presets::loopback()).await.unwrap();
    let bitswap = Bitswap::start(&node, Some(house.guarded().into())).unwrap();
    (node, bitswap)
}

/// Asks for word of the first two and for the third.
fn wants(blocks: &[Block; 3]) -> Message {
    let [large, tiny, wanted] = blocks.each_ref().map(|block| *block.cid());
    let word = |cid: Cid| Entry { want: Want::Have, ..Entry::block(cid, 1) };
    Message::wants(vec![word(large), word(tiny), Entry::block(wanted, 1)])
}

/// What somebody hears who asks for three blocks.
async fn hear(stranger: &mut Stranger, node: &Node, blocks: &[Block; 3]) -> Message {
    stranger.tell(node, &wants(blocks)).await;
    stranger.hear().await
}

fn absent(blocks: &[Block; 3]) -> Vec<Presence> {
    blocks.iter().map(|block| Presence { cid: *block.cid(), have: false }).collect()
}

fn datas(message: &Message) -> Vec<Bytes> {
    message.blocks.iter().map(|payload| payload.data.clone()).collect()
}

#[tokio::test]
async fn who_may_not_read_hears_what_who_asks_an_empty_peer_hears() {
    let blocks = [block(1, 5000), block(2, 50), block(3, 5000)];
    let (house, empty) = (House::new(), House::new());
    let owner = house.store.add_owner(OwnerKind::database("somewhere")).unwrap();
    let mut batch = Batch::new(owner);
    blocks.iter().for_each(|block| batch.block(block.clone()));
    house.store.write(batch).unwrap();
    let ((full_node, full), (empty_node, _empty)) = (serve(&house).await, serve(&empty).await);

    let (mut alice, mut bob) = (Stranger::start().await, Stranger::start().await);
    let refused = hear(&mut alice, &full_node, &blocks).await;
    assert_eq!(refused, hear(&mut bob, &empty_node, &blocks).await);
    assert_eq!(refused.presences, absent(&blocks));
    assert!(refused.blocks.is_empty());
    assert_eq!(full.bytes_sent(), 0);

    // Once it may, it is sent what it still waits for, and is told the rest.
    house.rights.allow(Requester::Peer(alice.node.peer_id()), owner);
    full.arrived(&blocks.each_ref().map(|block| *block.cid()));
    let allowed = alice.hear().await;
    assert_eq!(datas(&allowed), [blocks[1].data().clone(), blocks[2].data().clone()]);
    assert_eq!(allowed.presences, [Presence { cid: *blocks[0].cid(), have: true }]);

    // Others still may not; and when the owner goes, neither may it.
    let mut carol = Stranger::start().await;
    assert_eq!(hear(&mut carol, &full_node, &blocks).await, refused);
    house.store.remove_owner(owner).unwrap();
    assert_eq!(hear(&mut alice, &full_node, &blocks).await, refused);
}

#[tokio::test]
async fn one_of_two_owners_is_enough() {
    let blocks = [block(1, 5000), block(2, 50), block(3, 5000)];
    let house = House::new();
    let owners = [0; 2].map(|_| {
        let owner = house.store.add_owner(OwnerKind::database("somewhere")).unwrap();
        let mut batch = Batch::new(owner);
        blocks.iter().for_each(|block| batch.block(block.clone()));
        house.store.write(batch).unwrap();
        owner
    });
    let (node, _bitswap) = serve(&house).await;
    for owner in owners {
        let mut alice = Stranger::start().await;
        house.rights.allow(Requester::Peer(alice.node.peer_id()), owner);
        let answer = hear(&mut alice, &node, &blocks).await;
        assert_eq!(datas(&answer).len(), 2, "{answer:?}");
    }
    house.store.remove_owner(owners[0]).unwrap();
    let (mut bob, mut carol) = (Stranger::start().await, Stranger::start().await);
    house.rights.allow(Requester::Peer(bob.node.peer_id()), owners[0]);
    house.rights.allow(Requester::Peer(carol.node.peer_id()), owners[1]);
    assert_eq!(hear(&mut bob, &node, &blocks).await.presences, absent(&blocks));
    assert_eq!(datas(&hear(&mut carol, &node, &blocks).await).len(), 2);
}
