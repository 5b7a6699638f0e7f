//! Measures bitswap between two nodes of this process over loopback: MB/s of
//! verified blocks of 1 MiB.
//!
//! `cargo run --release --example bitswap_speed [MIB]`

use std::{collections::HashMap, time::Instant};

use bytes::Bytes;
use peerage::{
    access::Requester,
    exchange::{
        BlockSource, SourceError,
        bitswap::{Bitswap, Event},
    },
    node::Node,
    presets,
};
use peerage_core::data::{Block, Cid, HashKind, codec};

struct Shelf(HashMap<Cid, Bytes>);

impl BlockSource for Shelf {
    fn get(&self, _: &Requester, cid: &Cid) -> Result<Option<Bytes>, SourceError> {
        Ok(self.0.get(cid).cloned())
    }
}

fn block(number: usize) -> Block {
    let mut data = vec![0; 1024 * 1024];
    data[..8].copy_from_slice(&(number as u64).to_le_bytes());
    Block::new(codec::RAW, HashKind::Sha2_256, data.into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(1024), |text| text.parse())?;
    let blocks: Vec<Block> = (0..count).map(block).collect();
    let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
    let shelf = Shelf(blocks.into_iter().map(Block::into_parts).collect());
    let bob = Node::spawn(presets::loopback()).await?;
    let _serving = Bitswap::start(&bob, Some(shelf.into()))?;
    let alice = Node::spawn(presets::loopback()).await?;
    alice.connect(bob.peer_id(), &bob.listen_addresses()).await?;
    let session = Bitswap::start(&alice, None)?.session(&[bob.peer_id()])?;
    let begin = Instant::now();
    let mut bytes = 0;
    for some in cids.chunks(2048) {
        session.want(some)?;
        while let Some(event) = session.next().await {
            match event {
                Event::Block { block, .. } => bytes += block.data().len(),
                other => return Err(format!("{other:?}").into()),
            }
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{:.0} MB/s ({bytes} bytes in {seconds:.2} s)", bytes as f64 / 1e6 / seconds);
    Ok(())
}
