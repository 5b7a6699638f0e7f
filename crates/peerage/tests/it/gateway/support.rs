//! Blocks to serve, and raw HTTP to speak.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use peerage::{
    PeerId,
    access::Requester,
    exchange::{
        BlockSource, SourceError,
        gateway::{Gateway, GatewayClient},
    },
};
use peerage_core::data::{
    Block, Cid, Profile,
    directory::{self, Entry},
    layout::FileLayout,
    unixfs::Metadata,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::compat::TokioAsyncReadCompatExt;

/// Blocks in memory, of which some can be made unreadable.
#[derive(Clone, Default)]
pub(crate) struct Blocks {
    blocks: Arc<HashMap<Cid, Bytes>>,
    changed: Arc<Mutex<HashSet<Cid>>>,
}

impl Blocks {
    /// From now on the block's file has changed.
    pub(crate) fn change(&self, cid: Cid) {
        self.changed.lock().unwrap().insert(cid);
    }

    pub(crate) fn of(&self, cid: &Cid) -> Bytes {
        self.blocks[cid].clone()
    }
}

impl BlockSource for Blocks {
    fn get(&self, _: &Requester, cid: &Cid) -> Result<Option<Bytes>, SourceError> {
        if self.changed.lock().unwrap().contains(cid) {
            return Err(SourceError::of_file(changed_file(), "the file has changed"));
        }
        Ok(self.blocks.get(cid).cloned())
    }
}

pub(crate) fn changed_file() -> PathBuf {
    PathBuf::from("/home/somebody/secret.jpg")
}

/// A folder with one file, `file name`, in blocks of `chunk` bytes.
pub(crate) struct Shared {
    pub(crate) blocks: Blocks,
    pub(crate) folder: Cid,
    pub(crate) file: Cid,
    pub(crate) leaves: Vec<Cid>,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn share(bytes: usize, chunk: usize) -> Shared {
    let bytes: Vec<u8> =
        (0..bytes as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]).collect();
    let profile = Profile { chunk_size: chunk, ..Profile::default() };
    let (mut blocks, mut leaves) = (HashMap::new(), Vec::new());
    let mut keep = |block: Block| {
        if block.cid().codec() == peerage_core::data::codec::RAW {
            leaves.push(*block.cid());
        }
        blocks.insert(*block.cid(), block.into_parts().1);
    };
    let mut layout = FileLayout::new(profile);
    for chunk in bytes.chunks(chunk) {
        layout.push_chunk(Bytes::copy_from_slice(chunk), &mut keep);
    }
    let file = layout.finish(&Metadata::default(), &mut keep).unwrap();
    let entry = Entry { name: "file name".into(), cid: file.cid, total_size: file.total_size };
    let folder = directory::build(vec![entry], &Metadata::default(), &profile, &mut keep).unwrap();
    Shared {
        blocks: Blocks { blocks: Arc::new(blocks), changed: Arc::default() },
        folder: folder.cid,
        file: file.cid,
        leaves,
        bytes,
    }
}

/// A client on a stream that the gateway serves.
pub(crate) async fn connect(gateway: &Gateway, peer: PeerId) -> GatewayClient {
    let (ours, theirs) = duplex(64 * 1024);
    let gateway = gateway.clone();
    tokio::spawn(async move { gateway.serve_stream(peer, theirs.compat()).await });
    GatewayClient::new(ours.compat()).await.unwrap()
}

/// The plain face of a gateway. It ends when dropped.
pub(crate) struct PlainFace {
    pub(crate) address: SocketAddr,
    serving: JoinHandle<()>,
}

impl PlainFace {
    pub(crate) async fn of(gateway: &Gateway) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let gateway = gateway.clone();
        let serving = tokio::spawn(async move { match gateway.serve_tcp(listener).await {} });
        Self { address, serving }
    }

    /// What is answered to these bytes, until the connection is closed.
    pub(crate) async fn answer_to(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let (mut from, mut to) = stream.split();
        let mut answer = Vec::new();
        // The gateway may close while it is still being written to.
        let (_, _) = tokio::join!(to.write_all(request), from.read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// What is answered to one request of this method, target and header lines.
    pub(crate) async fn ask(&self, method: &str, target: &str, lines: &str) -> String {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{lines}\r\n"
        );
        self.answer_to(head.as_bytes()).await
    }
}

impl Drop for PlainFace {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A client whose peer answers the first request with these bytes, and then
/// closes or waits.
pub(crate) async fn answered_with(answer: Vec<u8>, close: bool) -> GatewayClient {
    let (ours, theirs) = duplex(64 * 1024);
    tokio::spawn(async move { answer_once(theirs, &answer, close).await });
    GatewayClient::new(ours.compat()).await.unwrap()
}

async fn answer_once(mut stream: DuplexStream, answer: &[u8], close: bool) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await;
    let _ = stream.write_all(answer).await;
    if !close {
        // Until the client hangs up.
        while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
    }
}
