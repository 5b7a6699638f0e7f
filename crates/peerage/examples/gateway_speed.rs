//! How much the gateway costs on top of the stream that it runs over.
//!
//! Moves 1 GiB in blocks of 1 MiB, and 100 MB in blocks of 10 KiB, over TCP
//! between two nodes in this process: as bare bytes, and as a CAR over HTTP. Prints the
//! wall seconds and the CPU seconds of both ends together. Nothing is hashed.
//!
//! ```text
//! cargo run --release -p peerage --example gateway_speed
//! ```

use std::{collections::HashMap, error::Error, time::Instant};

use bytes::Bytes;
use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use peerage::{
    StreamProtocol,
    access::Requester,
    exchange::{
        BlockSource, SourceError,
        gateway::{self, CarBlocks, Gateway, GatewayClient},
    },
    node::Node,
    presets,
    routing::TransportKind,
};
use peerage_core::{
    data::{
        Cid, HashKind, Profile, codec, hash,
        layout::{FileLayout, Part},
        unixfs::Metadata,
    },
    exchange::gateway::GatewayRequest,
};

type Failure = Box<dyn Error + Send + Sync>;

const BARE: StreamProtocol = StreamProtocol::new("/peerage/bare/1");
const ROUNDS: usize = 3;

/// A file whose blocks all have the same bytes, under names of their own.
struct Uniform {
    inner: HashMap<Cid, Bytes>,
    leaf: Bytes,
    root: Cid,
    bytes: usize,
}

impl Uniform {
    fn of(blocks: usize, size: usize) -> Result<Self, Failure> {
        let (mut inner, mut layout) = (HashMap::new(), FileLayout::new(Profile::default()));
        let mut keep = |block: peerage_core::data::Block| {
            let (cid, data) = block.into_parts();
            inner.insert(cid, data);
        };
        for index in 0..blocks {
            let cid = hash(codec::RAW, HashKind::Sha2_256, &index.to_le_bytes());
            let part = Part { cid, file_bytes: size as u64, total_size: size as u64 };
            layout.push(part, &mut keep);
        }
        let root = layout.finish(&Metadata::default(), &mut keep)?.cid;
        Ok(Self { inner, leaf: vec![7; size].into(), root, bytes: blocks * size })
    }
}

impl BlockSource for Uniform {
    fn get(&self, _: &Requester, cid: &Cid) -> Result<Option<Bytes>, SourceError> {
        Ok(Some(self.inner.get(cid).unwrap_or(&self.leaf).clone()))
    }
}

/// Two nodes, of which one serves.
struct Pair {
    server: Node,
    client: Node,
}

impl Pair {
    async fn connected() -> Result<Self, Failure> {
        let mut listening = presets::loopback();
        listening.listen.retain(|address| TransportKind::of(address) == TransportKind::Tcp);
        let server = Node::spawn(listening).await?;
        let client = Node::spawn(presets::loopback()).await?;
        client.connect(server.peer_id(), &server.listen_addresses()).await?;
        Ok(Self { server, client })
    }

    /// Writes this many bytes, in pieces of 1 MiB, to each stream.
    fn serve_bare(&self, bytes: usize) -> Result<(), Failure> {
        let mut incoming = self.server.accept(BARE)?;
        tokio::spawn(async move {
            let piece = vec![7; 1 << 20];
            while let Some((_, mut stream)) = incoming.next().await {
                let mut left = bytes;
                while left > 0 {
                    let length = left.min(piece.len());
                    stream.write_all(&piece[..length]).await?;
                    left -= length;
                }
                stream.close().await?;
            }
            Ok::<_, std::io::Error>(())
        });
        Ok(())
    }

    async fn read_bare(&self) -> Result<usize, Failure> {
        let mut stream = self.client.open_stream(self.server.peer_id(), BARE).await?;
        let (mut buffer, mut total) = (vec![0; 256 * 1024], 0);
        loop {
            match stream.read(&mut buffer).await? {
                0 => return Ok(total),
                read => total += read,
            }
        }
    }

    fn serve_gateway(&self, source: Uniform) -> Result<(), Failure> {
        let incoming = self.server.accept(gateway::PROTOCOL)?;
        tokio::spawn(async move { Gateway::new(source).serve_streams(incoming).await });
        Ok(())
    }

    async fn read_gateway(&self, root: Cid) -> Result<usize, Failure> {
        let peer = self.server.peer_id();
        let stream = self.client.open_stream(peer, gateway::PROTOCOL).await?;
        let mut client = GatewayClient::new(stream).await?;
        let mut blocks = CarBlocks::new(client.get(&GatewayRequest::car(root)).await?);
        let mut total = 0;
        while let Some(block) = blocks.next().await {
            total += block?.1.len();
        }
        Ok(total)
    }
}

/// User and system seconds of this process, in hundredths.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|text| text.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

async fn measure(name: &str, run: impl AsyncFn() -> Result<usize, Failure>) -> Result<(), Failure> {
    let (mut best, mut cpu, mut bytes) = (f64::MAX, f64::MAX, 0);
    for _ in 0..ROUNDS {
        let (start, cpu_start) = (Instant::now(), cpu_seconds()?);
        bytes = run().await?;
        best = best.min(start.elapsed().as_secs_f64());
        cpu = cpu.min(cpu_seconds()? - cpu_start);
    }
    #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
    let gigabytes = bytes as f64 / 1e9;
    println!(
        "{name:<28} {best:6.3} s wall {:6.2} GB/s {cpu:6.2} s CPU {:6.2} s CPU/GB",
        gigabytes / best,
        cpu / gigabytes
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    for (blocks, size) in [(1024, 1 << 20), (10_000, 10 * 1024)] {
        let file = Uniform::of(blocks, size)?;
        let (root, bytes) = (file.root, file.bytes);
        let pair = Pair::connected().await?;
        pair.serve_bare(bytes)?;
        pair.serve_gateway(file)?;
        println!("{blocks} blocks of {} KiB, best of {ROUNDS}:", size / 1024);
        measure("  bare stream", async || pair.read_bare().await).await?;
        measure("  CAR over HTTP over stream", async || pair.read_gateway(root).await).await?;
        pair.client.shutdown().await;
        pair.server.shutdown().await;
    }
    Ok(())
}
