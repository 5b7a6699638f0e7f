//! Writes the seed corpora into `fuzz/seeds`: run `cargo run --example seeds`
//! in `fuzz` after a format or a target has changed, and commit what it writes.

use std::{fs, io, path::Path, time::Duration};

use bytes::Bytes;
use peerage_core::{
    data::{
        Block, Cid, HashKind, Profile, car, codec, dag_cbor,
        directory::{self, Entry},
        hash,
        layout::{self, FileLayout},
        symlink,
        unixfs::{Metadata, Mtime},
    },
    discovery::{
        Announcement, LegacyPeerRecord, Ports, SignedPeerRecord,
        registry::{Caller, Registry, Statement},
        rendezvous, tracker, zone,
    },
    exchange::{
        bitswap::{self, Message, Payload, Prefix, Presence, Version},
        gateway::{EntityBytes, GatewayRequest},
    },
    identity::{KeyKind, Keypair, generate, parse_peer_id},
    pipe,
    topology::kademlia::record_key,
};
use peerage_fuzz::push_part;

const LINKS: &str = include_str!("../../crates/peerage-core/tests/vectors/links-1.txt");
const CLEAR_KEY: &[u8] =
    include_bytes!("../../crates/peerage-core/tests/vectors/identity/clear-1.key");
const SEALED_KEY: &[u8] =
    include_bytes!("../../crates/peerage-core/tests/vectors/identity/sealed-1.key");
const KUBO_KEY: &[u8] =
    include_bytes!("../../crates/peerage-core/tests/vectors/identity/kubo-config-private-key.txt");
const PEER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

type Anything = Box<dyn std::error::Error>;
type Seeds = Vec<(&'static str, Vec<u8>)>;

fn main() -> Result<(), Anything> {
    let graphs = Graphs::build()?;
    write("bitswap", bitswap(&graphs))?;
    write("car", cars(&graphs))?;
    write("dag_cbor", records(&graphs)?)?;
    write("dag_pb", nodes(&graphs))?;
    write("discovery", announcements()?)?;
    write("download", downloads(&graphs))?;
    write("gateway", requests(&graphs))?;
    write("kademlia", offers()?)?;
    write("keys", keys())?;
    write("links", links(&graphs))?;
    write("pipe", frames())?;
    write("places", places())?;
    write("select", walks(&graphs)?)?;
    write("static_list", static_lists())?;
    write("text", texts())?;
    write("yamux", yamux_frames())?;
    write("zone", zone()?)?;
    write("tracker", trackers()?)?;
    Ok(())
}

fn write(target: &str, seeds: Seeds) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&folder)?;
    for (name, bytes) in seeds {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// Small graphs of every kind; the root is the first of each.
struct Graphs {
    file: Vec<Block>,
    inline: Vec<Block>,
    folder: Vec<Block>,
    sharded: Vec<Block>,
    symlink: Vec<Block>,
}

impl Graphs {
    fn build() -> Result<Self, Anything> {
        let profile = Profile { chunk_size: 4, max_links: 2, ..Profile::default() };
        let mtime = Mtime { seconds: 1_600_000_000, nanoseconds: 5 };
        let metadata = Metadata { mode: Some(0o600), mtime: Some(mtime) };
        let file = file(profile)?;
        let inline = vec![layout::inline(b"dawn", &metadata, &profile)];
        let symlink = vec![symlink::encode(b"../dawn.jpg", &metadata, &profile)?];
        let mut entries = vec![entry("dawn.jpg", &file[0]), entry("to dawn", &symlink[0])];
        let folder = folder(entries.clone(), &profile, [&file, &symlink])?;
        entries.extend((0..6).map(|n| entry(&format!("{n}.txt"), &inline[0])));
        let sharding = Profile { hamt_threshold: 0, hamt_fanout: 8, ..profile };
        let sharded = self::folder(entries, &sharding, [&file, &inline])?;
        Ok(Self { file, inline, folder, sharded, symlink })
    }
}

fn file(profile: Profile) -> Result<Vec<Block>, Anything> {
    let mut blocks = Vec::new();
    let mut layout = FileLayout::new(profile);
    for chunk in ["abcd", "efgh", "ij"] {
        layout.push_chunk(Bytes::from_static(chunk.as_bytes()), &mut |block| blocks.push(block));
    }
    layout.finish(&Metadata::default(), &mut |block| blocks.push(block))?;
    blocks.reverse();
    Ok(blocks)
}

fn folder(
    entries: Vec<Entry>,
    profile: &Profile,
    below: [&Vec<Block>; 2],
) -> Result<Vec<Block>, Anything> {
    let mut blocks = Vec::new();
    directory::build(entries, &Metadata::default(), profile, &mut |block| blocks.push(block))?;
    blocks.reverse();
    blocks.extend(below.into_iter().flatten().cloned());
    Ok(blocks)
}

fn entry(name: &str, block: &Block) -> Entry {
    Entry { name: name.to_owned().into(), cid: *block.cid(), total_size: 100 }
}

/// `head`, and the blocks of a graph as parts.
fn with_blocks(head: &[u8], graph: &[Block]) -> Vec<u8> {
    let mut input = head.to_vec();
    for block in graph {
        push_part(&mut input, block.data());
    }
    input
}

fn parts(head: &[u8], parts: &[&str]) -> Vec<u8> {
    let mut input = head.to_vec();
    for part in parts {
        push_part(&mut input, part.as_bytes());
    }
    input
}

fn bitswap(graphs: &Graphs) -> Seeds {
    let cids: Vec<Cid> = graphs.folder.iter().map(|block| *block.cid()).collect();
    let mut wants = Message::wants(cids.iter().map(|cid| bitswap::Entry::block(*cid, 1)).collect());
    wants.wantlist.entries.push(bitswap::Entry::cancel(cids[0]));
    wants.wantlist.full = true;
    let payload =
        |block: &Block| Payload { prefix: Prefix::of(block.cid()), data: block.data().clone() };
    let answers = Message {
        blocks: graphs.file.iter().map(payload).collect(),
        presences: cids.iter().map(|cid| Presence { cid: *cid, have: cid == &cids[0] }).collect(),
        pending_bytes: 7,
        ..Message::default()
    };
    vec![
        ("wants", wants.encode(Version::V1_2).to_vec()),
        ("answers", answers.encode(Version::V1_2).to_vec()),
        ("answers-1.0", answers.encode(Version::V1_0).to_vec()),
        ("prefix", Prefix::of(&cids[0]).to_bytes().to_vec()),
    ]
}

fn cars(graphs: &Graphs) -> Seeds {
    let mut inner = car::header(&[*graphs.file[0].cid()]).to_vec();
    for block in &graphs.file {
        inner.extend_from_slice(&car::frame(block.cid(), block.data().len()));
        inner.extend_from_slice(block.data());
    }
    // A pragma, which is a header of version 2 without roots; no
    // characteristics; where the inner version 1 begins, its size, no index.
    let mut outer = b"\x0a\xa1\x67version\x02".to_vec();
    outer.extend_from_slice(&[0; 16]);
    outer.extend_from_slice(&51_u64.to_le_bytes());
    outer.extend_from_slice(&(inner.len() as u64).to_le_bytes());
    outer.extend_from_slice(&[0; 8]);
    outer.extend_from_slice(&inner);
    let head = |steps: [u8; 4], bytes: &[u8]| [&steps[..], bytes].concat();
    vec![
        ("version-1", head([255; 4], &inner)),
        ("version-1-in-small-steps", head([0, 1, 2, 3], &inner)),
        ("version-2", head([9, 50, 7, 200], &outer)),
    ]
}

fn records(graphs: &Graphs) -> Result<Seeds, Anything> {
    Ok(vec![
        ("record", record(graphs)?.data().to_vec()),
        ("list", dag_cbor::encode(&(-5, 1.5, "text", [true, false], None::<u8>))?.to_vec()),
        ("nested", [vec![0x81; 40], vec![0x40]].concat()),
    ])
}

/// `{"left": [link, link], "n": 300}`
fn record(graphs: &Graphs) -> Result<Block, Anything> {
    let links = [*graphs.file[0].cid(), *graphs.inline[0].cid()];
    let map = std::collections::BTreeMap::from([
        ("n".to_owned(), dag_cbor::Ipld::Integer(300)),
        ("left".to_owned(), dag_cbor::Ipld::List(links.map(dag_cbor::Ipld::Link).to_vec())),
    ]);
    Ok(Block::new(codec::DAG_CBOR, HashKind::Sha2_256, dag_cbor::encode(&map)?))
}

fn nodes(graphs: &Graphs) -> Seeds {
    let root = |graph: &[Block]| graph[0].data().to_vec();
    vec![
        ("file", root(&graphs.file)),
        ("inline", root(&graphs.inline)),
        ("folder", root(&graphs.folder)),
        ("shard", root(&graphs.sharded)),
        ("symlink", root(&graphs.symlink)),
    ]
}

fn announcements() -> Result<Seeds, Anything> {
    let mut announcement = Announcement::new(parse_peer_id(PEER)?, "Ann's laptop");
    announcement.os = "linux".to_owned();
    announcement.version = "1".to_owned();
    announcement.ports = Ports { quic: Some(4001), tcp: Some(4002), websocket: Some(4003) };
    let text = announcement.to_txt();
    let entries: Vec<&str> = text.iter().flat_map(|(key, value)| [*key, value]).collect();
    Ok(vec![
        ("whole", parts(&[0xa1, 0x0f], &entries)),
        ("only-id", parts(&[0xa1, 0x0f], &["ID", PEER])),
    ])
}

fn offers() -> Result<Seeds, Anything> {
    let key = Keypair::ed25519_from_bytes([1; 32])?;
    let address = "/ip4/192.0.2.1/udp/4001/quic-v1";
    let record = |sequence| -> Result<SignedPeerRecord, Anything> {
        Ok(SignedPeerRecord::sign(&key, sequence, vec![address.parse()?])?)
    };
    let (old, new) = (record(1)?.encode(), record(2)?.encode());
    let name = record_key(&key.public().to_peer_id());
    let offer = |address: &str, parts: [&[u8]; 3]| {
        let mut input = Vec::new();
        push_part(&mut input, address.as_bytes());
        parts.iter().for_each(|part| push_part(&mut input, part));
        input
    };
    Ok(vec![
        ("first", offer(address, [&name, &new, &[]])),
        ("newer", offer("/ip6/fd00::1/tcp/1", [&name, &new, &old])),
        ("stale", offer("/dns4/localhost/tcp/1/ws", [&name, &old, &new])),
    ])
}

fn downloads(graphs: &Graphs) -> Seeds {
    vec![
        ("file", with_blocks(&[0], &graphs.file)),
        ("inline", with_blocks(&[0], &graphs.inline)),
        ("folder", with_blocks(&[0], &graphs.folder)),
        ("sharded", with_blocks(&[0], &graphs.sharded)),
        ("raw", with_blocks(&[1], &graphs.file[1..2])),
    ]
}

fn requests(graphs: &Graphs) -> Seeds {
    let root = *graphs.folder[0].cid();
    let whole = GatewayRequest::car(root).duplicates(true);
    let range = GatewayRequest::car(root)
        .below([b"a folder".as_slice(), b"\xff"])
        .bytes(EntityBytes { from: -10, to: None });
    let raw = GatewayRequest::raw(root);
    let request =
        |request: &GatewayRequest| parts(&[], &["GET", &request.target(), request.accept()]);
    let bare =
        format!("/ipfs/{root}?filename=%C3%A4.car&car-order=unk&car-version=1&dag-scope=block");
    vec![
        ("whole", request(&whole)),
        ("range", request(&range)),
        ("raw", request(&raw)),
        (
            "accept",
            parts(&[], &["HEAD", &bare, "*/*;q=0.1, application/vnd.ipld.car;q=0.9;dups=n"]),
        ),
        ("protocols", parts(&[], &["GET", "/.well-known/libp2p/protocols", ""])),
        ("bytes", parts(&[], &["GET", "3:-7", ""])),
    ]
}

fn keys() -> Seeds {
    let sealed = String::from_utf8_lossy(SEALED_KEY);
    let cheap = sealed.lines().map(|line| match line.strip_prefix("cost: ") {
        Some(_) => "cost: memory=8 passes=1 lanes=1\n".to_owned(),
        None => format!("{line}\n"),
    });
    vec![
        ("clear", CLEAR_KEY.to_vec()),
        ("sealed", SEALED_KEY.to_vec()),
        ("sealed-cheaply", cheap.collect::<String>().into_bytes()),
        ("kubo", KUBO_KEY.to_vec()),
    ]
}

fn links(graphs: &Graphs) -> Seeds {
    let mut seeds: Seeds = ["bare", "readable", "qr", "relay", "later"]
        .into_iter()
        .zip(LINKS.lines().filter_map(|line| line.split(' ').next()))
        .map(|(name, link)| (name, link.as_bytes().to_vec()))
        .collect();
    let cid = graphs.folder[0].cid();
    let inlined = hash(codec::RAW, HashKind::Blake3, b"dawn");
    seeds.push(("ipfs", format!(" ipfs://{cid}/\n").into_bytes()));
    seeds.push(("blake3", format!("/ipfs/{inlined}").into_bytes()));
    seeds.push(("peer", PEER.as_bytes().to_vec()));
    seeds
}

fn frames() -> Seeds {
    let whole = [&[2][..], &pipe::header(3), b"abc", &pipe::header(1), b"d", &pipe::header(0)];
    let after_the_end = [&[9][..], &pipe::header(0), b"x"];
    vec![("whole", whole.concat()), ("after-the-end", after_the_end.concat())]
}

/// How large a piece may be, how many bytes come at once, the frames.
fn yamux_frames() -> Seeds {
    let header = |kind: u8, flags: u8, length: u8| [0, kind, 0, flags, 0, 0, 0, 1, 0, 0, 0, length];
    let opens = [&[3, 4][..], &header(0, 1, 6), b"abcdef", &header(0, 4, 1), b"g"].concat();
    let window = [&[0, 0][..], &header(1, 0, 255), &header(2, 1, 9)].concat();
    vec![("data", opens), ("others", window)]
}

/// Flags, a range, how many names, the names, the blocks: see the target.
fn walks(graphs: &Graphs) -> Result<Seeds, Anything> {
    const ALL: u8 = 2;
    const ENTITY: u8 = 1;
    const RANGED: u8 = 8;
    const DUPLICATES: u8 = 16;
    const RECORD: u8 = 32;
    let named = |flags: u8, names: &[&str]| {
        let count = u8::try_from(names.len()).unwrap_or(u8::MAX);
        parts(&[flags, 3, 0, count], names)
    };
    // A byte is a flag set, so the scope has to survive the remainder by 3.
    let flags = |scope: u8, others: u8| {
        (0..8).map(|bits| others | bits).find(|flags| flags % 3 == scope).unwrap_or(others)
    };
    let record: Vec<Block> = [record(graphs)?].into_iter().chain(graphs.file.clone()).collect();
    Ok(vec![
        ("all", with_blocks(&named(flags(ALL, 0), &[]), &graphs.folder)),
        ("duplicates", with_blocks(&named(flags(ALL, DUPLICATES), &[]), &graphs.sharded)),
        ("range", with_blocks(&named(flags(ENTITY, RANGED), &["dawn.jpg"]), &graphs.folder)),
        ("in-shards", with_blocks(&named(flags(ALL, 0), &["dawn.jpg"]), &graphs.sharded)),
        ("record", with_blocks(&named(flags(ALL, RECORD), &["left", "0"]), &record)),
    ])
}

fn static_lists() -> Seeds {
    let list = format!(
        "# home\n/ip4/192.168.1.9/tcp/4001/p2p/{PEER} # by cable\n\n\
         /dns4/hub.example.org/tcp/443/wss/p2p/{PEER}\n/ip6/2600::1/udp/1/quic-v1/p2p/{PEER}\n"
    );
    let json = format!(
        "{{\n  \"{PEER}\": [\"tcp://192.168.1.9:4001\", \"tcp://[2600::1]:1\"],\n  \
         \"QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN\": \"tcp://hub.example.org:443\"\n}}\n"
    );
    vec![
        ("list", list.into_bytes()),
        ("no-peer", b"/ip4/127.0.0.1/tcp/0".to_vec()),
        ("json", json.into_bytes()),
    ]
}

fn places() -> Seeds {
    let circuit = format!("/ip4/192.0.2.1/tcp/4001/p2p/{PEER}/p2p-circuit/p2p/{PEER}");
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("tcp", text("/ip4/192.0.2.1/tcp/4001")),
        ("quic", text("/ip6/2001:db8::1/udp/4001/quic-v1")),
        ("roaming", text("/ip4/192.0.2.1/udp/4001")),
        ("websocket", text("/dns4/hub.example/tcp/443/tls/ws")),
        ("wss", text("/dns6/hub.example/tcp/443/wss")),
        ("relay", text("/dns/hub.example/tcp/443/https/p2p-circuit")),
        ("circuit", text(&circuit)),
        ("two-hosts", text("/ip4/192.0.2.1/tcp/4001/ip4/127.0.0.1/tcp/22")),
        ("path", text("/ip4/192.0.2.1/tcp/80/x-parity-ws/%2Fadmin")),
        ("number", text("/dns/127.1/tcp/80")),
        ("webtransport", text("/ip4/192.0.2.1/udp/4001/quic-v1/webtransport")),
        ("binary", vec![4, 192, 0, 2, 1, 6, 15, 161]),
    ]
}

fn texts() -> Seeds {
    let text = |columns: u8, text: &str| [&[columns][..], text.as_bytes()].concat();
    vec![
        ("plain", text(80, "dawn.jpg")),
        ("long", text(13, "a-very-long-name-\u{1b}[2J.jpg")),
        ("wide", text(9, "夏の写真 👩‍👩‍👧.jpg")),
        ("direction", text(40, "می‌خواهم\u{202e}gpj.exe")),
        ("marks", text(20, &format!("a{}b", "\u{301}".repeat(12)))),
        ("device", text(20, "CON.txt")),
        ("not-utf-8", [&[30][..], b"\xffdawn\xc3 "].concat()),
    ]
}

/// What is read, and its parts: see the target.
fn zone() -> Result<Seeds, Anything> {
    let label = zone::label(&parse_peer_id(PEER)?).unwrap_or_default();
    let address = format!("dnsaddr=/ip4/192.0.2.1/tcp/1/p2p/{PEER}");
    let further = format!("dnsaddr=/dnsaddr/one.example.net/p2p/{PEER}");
    let keypair = generate(KeyKind::Ed25519, [1; 32].into());
    let record = SignedPeerRecord::sign(&keypair, 1, vec!["/ip4/192.0.2.1/tcp/1".parse()?])?;
    Ok(vec![
        ("peer", parts(&[0], &["_dnsaddr", &label])),
        ("texts", parts(&[1], &[&address, &further, "dnsaddr=/dnsaddr/two.example.net"])),
        ("value", [&[2][..], &record.encode()].concat()),
    ])
}
fn trackers() -> Result<Seeds, Anything> {
    let key = Keypair::ed25519_from_bytes([1; 32])?;
    let record = SignedPeerRecord::sign(&key, 1, vec!["/ip4/192.0.2.1/tcp/4001".parse()?])?;
    let legacy = LegacyPeerRecord::sign(&key, &record)?;
    let keys = vec!["topic:lisbon".to_owned()];
    let announce = tracker::Message::announcement(&record, Some(&legacy), keys, 600);
    let query = tracker::Message::QueryClientAnnouncement(vec![record.peer().to_base58()]);
    let find = tracker::Message::FindKey {
        key: "topic:lisbon".to_owned(),
        limit: Some(9),
        cookie: Some(0),
    };
    let announcements = [announce, query, find, tracker::Message::Withdraw];

    let namespace = "lisbon".to_owned();
    let (bytes, ttl) = (legacy.encode(), Some(7200));
    let registration =
        rendezvous::Registration { namespace: namespace.clone(), record: bytes, ttl };
    let register = rendezvous::Message::Register(registration);
    let cookie = Some([&[0; 8], namespace.as_bytes()].concat());
    let named = Some(namespace.clone());
    let discover = rendezvous::Message::Discover { namespace: named, limit: Some(9), cookie };
    let unregister = rendezvous::Message::Unregister { namespace };
    let registrations = [register, discover, unregister];

    let mut registry = Registry::new(parse_peer_id(PEER)?);
    let caller = Caller { peer: record.peer(), seen: vec![[192, 0, 2, 1].into()] };
    let statement = Statement::both(record.clone(), legacy.clone())?;
    let now = Duration::from_secs(1_700_000_000);
    registry.announce(&caller, statement, &["topic:lisbon".parse()?], None, now)?;
    Ok(vec![
        ("announcements", requests_in(0, announcements.iter().map(tracker::Message::encode))),
        ("registrations", requests_in(1, registrations.iter().map(rendezvous::Message::encode))),
        ("snapshot", [&[2], &registry.snapshot()[..]].concat()),
        ("record", [&[2], &record.encode()[..]].concat()),
        ("legacy-record", [&[2], &legacy.encode()[..]].concat()),
    ])
}

fn requests_in(kind: u8, requests: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut input = vec![kind];
    for request in requests {
        push_part(&mut input, &request);
    }
    input
}
