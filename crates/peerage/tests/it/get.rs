//! A folder goes from one home to another, whatever happens on the way.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use peerage::{
    access::{Everybody, GuardedStore, Requester},
    data::Cid,
    exchange::{
        BlockSource, SourceError,
        bitswap::Bitswap,
        download::{Excess, GetError, GetEvent, Got, Provider},
        gateway::{self, Gateway},
        serving::ServingEvent,
    },
    home::Home,
    import::ImportOptions,
    node::Node,
    presets,
    session::{GetOptions, Session, SessionOptions, Share},
    store::{OwnerKind, Store},
};
use peerage_core::{
    data::{Block, HashKind, dag_pb::Writer},
    link::{Link, Target},
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// One peer with a home of its own, on loopback.
struct Peer {
    session: Session,
    folder: TempDir,
}

impl Peer {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path().join("home")).unwrap();
        let mut options = SessionOptions::new(presets::loopback());
        options.lan = false;
        let session = Session::open(&home, options).await.unwrap();
        Self { session, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn share(&self, path: &Path) -> Share {
        let options = ImportOptions { metadata: true, ..ImportOptions::default() };
        self.session.share(vec![path.to_path_buf()], options, Arc::new(())).await.unwrap()
    }

    async fn get(&self, share: &Share) -> Result<Got, GetError> {
        self.get_from(share, Vec::new(), |_| {}, CancellationToken::new()).await
    }

    async fn get_from(
        &self,
        share: &Share,
        extra: Vec<Provider>,
        watch: impl FnMut(GetEvent),
        stop: CancellationToken,
    ) -> Result<Got, GetError> {
        self.get_link(share.link.clone(), extra, watch, stop).await
    }

    async fn get_link(
        &self,
        link: Link,
        extra: Vec<Provider>,
        watch: impl FnMut(GetEvent),
        stop: CancellationToken,
    ) -> Result<Got, GetError> {
        let options = GetOptions { extra, ..GetOptions::default() };
        self.get_with(link, options, watch, stop).await
    }

    async fn get_with(
        &self,
        link: Link,
        options: GetOptions,
        mut watch: impl FnMut(GetEvent),
        stop: CancellationToken,
    ) -> Result<Got, GetError> {
        let (events, mut seen) = mpsc::channel(256);
        let target = Target::Link(link);
        let getting = self.session.get(&target, self.path("got"), options, events, stop);
        let watching = async {
            while let Some(event) = seen.recv().await {
                watch(event);
            }
        };
        tokio::join!(getting, watching).0
    }

    fn provider(&self) -> Provider {
        let node = self.session.node();
        Provider { peer: node.peer_id(), addresses: node.listen_addresses() }
    }
}

/// Everything that is to be kept of a tree, by path.
fn picture_of(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut picture = BTreeMap::new();
    for entry in walk(root) {
        let found = entry.symlink_metadata().unwrap();
        let content = if found.is_symlink() {
            format!("-> {:?}", fs::read_link(&entry).unwrap())
        } else if found.is_dir() {
            format!("folder {:o}", found.mode())
        } else {
            let hash = peerage::data::hash(0x55, Default::default(), &fs::read(&entry).unwrap());
            format!("{hash} {:o} {}", found.mode(), found.len())
        };
        let time = format!("{}.{}", found.mtime(), found.mtime_nsec());
        picture
            .insert(entry.strip_prefix(root).unwrap().to_path_buf(), format!("{content} {time}"));
    }
    picture
}

fn walk(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_path_buf()];
    if root.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(root).unwrap() {
            found.extend(walk(&entry.unwrap().path()));
        }
    }
    found
}

/// Bytes that repeat nowhere, different for every seed.
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A folder with one of everything.
fn make_album(root: &Path) {
    fs::create_dir_all(root.join("deep/er/est")).unwrap();
    fs::create_dir(root.join("empty folder")).unwrap();
    fs::write(root.join("empty file"), b"").unwrap();
    fs::write(root.join("small.txt"), b"dawn").unwrap();
    fs::write(root.join("deep/er/one chunk"), bytes(1 << 20, 1)).unwrap();
    fs::write(root.join("deep/er/est/large.bin"), bytes(40 * 1_000_000 + 7, 2)).unwrap();
    fs::write(root.join(OsStr::from_bytes(b"not utf-8 \xff\xfe")), b"x").unwrap();
    fs::write(root.join("new\nline \\ back 'quote\" \u{202e}"), b"y").unwrap();
    symlink("../small.txt", root.join("deep/link")).unwrap();
    symlink("/nowhere/at all", root.join("dangling")).unwrap();
    fs::set_permissions(root.join("small.txt"), fs::Permissions::from_mode(0o751)).unwrap();
    fs::set_permissions(root.join("deep"), fs::Permissions::from_mode(0o700)).unwrap();
    let many = root.join("many");
    fs::create_dir(&many).unwrap();
    for n in 0..300 {
        fs::write(many.join(format!("picture {n:04}.jpg")), bytes(100 + n * 7, n as u64 + 10))
            .unwrap();
    }
    let old = std::time::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    let file = fs::File::options().write(true).open(root.join("small.txt")).unwrap();
    file.set_modified(old).unwrap();
    fs::File::open(root.join("empty folder")).unwrap().set_modified(old).unwrap();
}

fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains(".peerage-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_arrives_whole_with_all_that_is_known_of_it() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let album = alice.path("summer");
    make_album(&album);
    let share = alice.share(&album).await;
    let got = bob.get(&share).await.unwrap();
    assert_eq!(got.path, bob.path("got/summer"));
    assert_eq!(picture_of(&got.path), picture_of(&album));
    assert_eq!(leftovers(&bob.path("got")), Vec::<PathBuf>::new());
    assert_eq!(got.bytes, share.imported.total_bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_got_it_serves_it_at_once() {
    let (alice, bob, carol) = (Peer::new().await, Peer::new().await, Peer::new().await);
    let album = alice.path("summer");
    make_album(&album);
    let share = alice.share(&album).await;
    bob.get(&share).await.unwrap();
    alice.session.close().await;
    let got = carol.get_from(&share, vec![bob.provider()], |_| {}, CancellationToken::new()).await;
    assert_eq!(picture_of(&got.unwrap().path), picture_of(&album));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_file_is_a_file() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    for (name, length) in [("none", 0), ("small", 5), ("large", 3_000_000)] {
        let file = alice.path(name);
        fs::write(&file, bytes(length, 3)).unwrap();
        let share = alice.share(&file).await;
        let got = bob.get(&share).await.unwrap();
        assert_eq!(picture_of(&got.path), picture_of(&file));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_get_continues_from_what_is_right_on_disk() {
    fn slow_at_times(cid: &Cid, data: Bytes) -> Option<Bytes> {
        if cid.codec() == 0x55 && data[0] > 230 {
            // So long that the download is seen on its way, and stopped there.
            std::thread::sleep(Duration::from_secs(2));
        }
        Some(data)
    }
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let file = alice.path("film");
    fs::write(&file, bytes(64 << 20, 4)).unwrap();
    let share = alice.share(&file).await;
    let stop = CancellationToken::new();
    let stopping = |event: GetEvent| {
        if matches!(event, GetEvent::Progress(progress) if progress.bytes > 8 << 20) {
            stop.cancel();
        }
    };
    let (_slow, slow) = twisted(alice.session.store().clone(), slow_at_times).await;
    let link = Link::new(share.imported.root).unwrap();
    let stopped = bob.get_link(link, vec![slow], stopping, stop.clone()).await;
    assert!(matches!(stopped, Err(GetError::Cancelled)), "{stopped:?}");
    let staged = &leftovers(&bob.path("got"))[0];
    let partial = staged.join(share.imported.root.to_string());
    // One byte of what has arrived is damaged meanwhile.
    let mut damaged = fs::read(&partial).unwrap();
    let at = damaged.iter().position(|byte| *byte != 0).unwrap();
    damaged[at] ^= 1;
    fs::write(&partial, damaged).unwrap();
    let got = bob.get(&share).await.unwrap();
    assert!(got.resumed > 4 << 20, "{got:?}");
    assert!(got.resumed < got.bytes);
    assert_eq!(fs::read(&got.path).unwrap(), bytes(64 << 20, 4));
    assert_eq!(leftovers(&bob.path("got")), Vec::<PathBuf>::new());
    assert_eq!(bob.session.store().owners().len(), 1, "earlier tries are forgotten");
}

/// Where a download of `share` grows.
fn staging_of(peer: &Peer, share: &Share) -> PathBuf {
    let cid = share.imported.root.to_string();
    peer.path("got").join(format!(".peerage-{}.partial", &cid[cid.len() - 20..]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_cannot_name_a_hidden_file() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let file = alice.path(".bash_profile");
    fs::write(&file, "touch pwned").unwrap();
    let share = alice.share(&file).await;
    let got = bob.get(&share).await.unwrap();
    assert_eq!(got.path, bob.path("got/_bash_profile"));
    assert!(!bob.path("got/.bash_profile").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_others_made_first_is_passed_over() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let file = alice.path("tool");
    fs::write(&file, bytes(3 << 20, 7)).unwrap();
    let share = alice.share(&file).await;
    let planted = staging_of(&bob, &share);
    fs::create_dir_all(&planted).unwrap();
    fs::write(planted.join("tool"), "planted").unwrap();
    // Whoever it belongs to: others may write to it.
    fs::set_permissions(&planted, fs::Permissions::from_mode(0o777)).unwrap();
    let got = bob.get(&share).await.unwrap();
    assert_eq!(fs::read(&got.path).unwrap(), bytes(3 << 20, 7));
    assert_eq!(fs::read(planted.join("tool")).unwrap(), b"planted", "nothing went there");
    assert_eq!(leftovers(&bob.path("got")), [planted]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_has_another_name_too_is_replaced() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let file = alice.path("tool");
    fs::write(&file, bytes(3 << 20, 7)).unwrap();
    let share = alice.share(&file).await;
    let staging = staging_of(&bob, &share);
    fs::create_dir_all(&staging).unwrap();
    fs::set_permissions(&staging, fs::Permissions::from_mode(0o700)).unwrap();
    let elsewhere = bob.path("elsewhere");
    fs::write(&elsewhere, bytes(3 << 20, 7)).unwrap();
    fs::hard_link(&elsewhere, staging.join("tool")).unwrap();
    let got = bob.get(&share).await.unwrap();
    fs::write(&elsewhere, "evil").unwrap();
    assert_eq!(fs::read(&got.path).unwrap(), bytes(3 << 20, 7));
    assert_eq!(leftovers(&bob.path("got")), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_gives_no_more_rights_than_the_umask_leaves() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let file = alice.path("open to all");
    fs::write(&file, "x").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o777)).unwrap();
    let share = alice.share(&file).await;
    let got = bob.get(&share).await.unwrap();
    let plain = bob.path("plain");
    fs::File::create(&plain).unwrap();
    let denied = 0o666 & !plain.metadata().unwrap().mode() & 0o777;
    let mode = got.path.metadata().unwrap().mode() & 0o777;
    assert_eq!(mode & denied, 0, "{mode:o}");
    assert_eq!(mode & 0o700, 0o700, "{mode:o}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_providers_share_the_work_and_one_may_go() {
    let (alice, bob, carol) = (Peer::new().await, Peer::new().await, Peer::new().await);
    let album = alice.path("films");
    fs::create_dir(&album).unwrap();
    for n in 0..4 {
        fs::write(album.join(format!("{n}")), bytes(40 << 20, 20 + n)).unwrap();
    }
    let share = alice.share(&album).await;
    let copy = bob.share(&album).await;
    assert_eq!(copy.imported.root, share.imported.root);
    let mut left = Some(alice.session.clone());
    let leaving = |event: GetEvent| {
        if matches!(event, GetEvent::Progress(progress) if progress.bytes > 20 << 20)
            && let Some(alice) = left.take()
        {
            tokio::spawn(async move { alice.close().await });
        }
    };
    let extra = vec![bob.provider()];
    let got = carol.get_from(&share, extra, leaving, CancellationToken::new()).await.unwrap();
    assert_eq!(picture_of(&got.path), picture_of(&album));
    assert_eq!(got.peers.len(), 2, "{got:?}");
}

/// Blocks of a store, and what becomes of some of them.
struct Twisted {
    store: Store,
    twist: fn(&Cid, Bytes) -> Option<Bytes>,
}

impl BlockSource for Twisted {
    fn get(&self, _: &Requester, cid: &Cid) -> Result<Option<Bytes>, SourceError> {
        let data = self.store.get(cid).map_err(SourceError::from)?;
        Ok(data.and_then(|data| (self.twist)(cid, data)))
    }
}

/// A peer that serves a store's blocks with a twist, and the way to it.
async fn twisted(store: Store, twist: fn(&Cid, Bytes) -> Option<Bytes>) -> (Node, Provider) {
    let node = Node::spawn(presets::loopback()).await.unwrap();
    let streams = node.accept(gateway::PROTOCOL).unwrap();
    let gateway = Gateway::new(Twisted { store, twist });
    tokio::spawn(async move { gateway.serve_streams(streams).await });
    let provider = Provider { peer: node.peer_id(), addresses: node.listen_addresses() };
    (node, provider)
}

fn lie(_: &Cid, data: Bytes) -> Option<Bytes> {
    if data.len() < 1 << 20 {
        return Some(data);
    }
    let mut wrong = data.to_vec();
    wrong[7] ^= 1;
    Some(wrong.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_loses_its_parts_and_no_wrong_byte_arrives() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let file = alice.path("film");
    fs::write(&file, bytes(50 << 20, 5)).unwrap();
    let share = alice.share(&file).await;
    let (_liar, lies) = twisted(alice.session.store().clone(), lie).await;
    let mut lost = Vec::new();
    let watch = |event: GetEvent| {
        if let GetEvent::ProviderLost { peer, again, .. } = event {
            lost.push((peer, again));
        }
    };
    let liar = lies.peer;
    let got = bob.get_from(&share, vec![lies], watch, CancellationToken::new()).await.unwrap();
    assert_eq!(fs::read(&got.path).unwrap(), bytes(50 << 20, 5));
    assert!(lost.iter().all(|entry| *entry == (liar, false)), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_alone_delivers_nothing() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let file = alice.path("film");
    fs::write(&file, bytes(5 << 20, 6)).unwrap();
    let mut share = alice.share(&file).await;
    let (_liar, lies) = twisted(alice.session.store().clone(), lie).await;
    share.link = Link::new(share.imported.root).unwrap();
    let refused = bob.get_from(&share, vec![lies], |_| {}, CancellationToken::new()).await;
    assert!(matches!(refused, Err(GetError::WrongBytes { .. })), "{refused:?}");
    assert!(!bob.path("got").join(share.imported.root.to_string()).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_provider_loses_its_parts() {
    fn stall(cid: &Cid, data: Bytes) -> Option<Bytes> {
        let leaf = cid.codec() == 0x55;
        if leaf {
            // Longer than the test lasts: the answer never goes on.
            std::thread::sleep(Duration::from_secs(3));
        }
        Some(data)
    }
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let file = alice.path("film");
    fs::write(&file, bytes(100 << 20, 7)).unwrap();
    let mut share = alice.share(&file).await;
    let (_slow, slow) = twisted(alice.session.store().clone(), stall).await;
    let stalled = slow.peer;
    let providers = vec![slow, alice.provider()];
    share.link = Link::new(share.imported.root).unwrap();
    let mut taken = 0;
    let watch = |event: GetEvent| {
        taken += usize::from(matches!(event, GetEvent::TakenOver { from, .. } if from == stalled));
    };
    let got = bob.get_from(&share, providers, watch, CancellationToken::new()).await.unwrap();
    assert_eq!(fs::read(&got.path).unwrap(), bytes(100 << 20, 7));
    assert!(taken > 0, "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_is_not_served_and_its_owner_is_told() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let file = alice.path("diary");
    fs::write(&file, bytes(3 << 20, 8)).unwrap();
    let share = alice.share(&file).await;
    let mut told = alice.session.events();
    fs::write(&file, bytes(3 << 20, 9)).unwrap();
    let stop = CancellationToken::new();
    let getting = bob.get_from(&share, Vec::new(), |_| {}, stop.clone());
    let telling = async {
        loop {
            let event = told.recv().await.unwrap();
            if let ServingEvent::FileChanged { path, .. } = event {
                stop.cancel();
                return path;
            }
        }
    };
    let (result, path) = tokio::join!(getting, telling);
    assert!(result.is_err());
    assert_eq!(path, file);
    assert!(!bob.path("got/diary").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_is_never_overwritten() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let file = alice.path("notes");
    fs::write(&file, b"mine").unwrap();
    let share = alice.share(&file).await;
    fs::create_dir(bob.path("got")).unwrap();
    fs::write(bob.path("got/notes"), b"yours").unwrap();
    let refused = bob.get(&share).await;
    assert!(matches!(refused, Err(GetError::OutputExists { .. })), "{refused:?}");
    assert_eq!(fs::read(bob.path("got/notes")).unwrap(), b"yours");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_has_not_got_it_says_so_at_once() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let file = alice.path("notes");
    fs::write(&file, b"mine").unwrap();
    let share = alice.share(&file).await;
    alice.session.unshare(share.imported.owner).await.unwrap();
    let refused = bob.get(&share).await;
    assert!(matches!(refused, Err(GetError::NotFound { .. })), "{refused:?}");
    assert_eq!(leftovers(&bob.path("got")), Vec::<PathBuf>::new());
}

/// A peer that has a store's blocks and speaks no gateway.
async fn bitswap_only(store: &Store) -> (Node, Bitswap, Provider) {
    let node = Node::spawn(presets::loopback()).await.unwrap();
    let blocks = GuardedStore::new(store.clone(), Arc::new(Everybody));
    let bitswap = Bitswap::start(&node, Some(blocks.into())).unwrap();
    let provider = Provider { peer: node.peer_id(), addresses: node.listen_addresses() };
    (node, bitswap, provider)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_speaks_only_bitswap_is_enough() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    make_album(&alice.path("summer"));
    let share = alice.share(&alice.path("summer")).await;
    let (_node, bitswap, provider) = bitswap_only(alice.session.store()).await;
    let link = Link::new(share.imported.root).unwrap();
    let mut exchanges = Vec::new();
    let watch = |event: GetEvent| {
        if let GetEvent::Connected { exchange, .. } = event {
            exchanges.push(exchange);
        }
    };
    let got = bob.get_link(link, vec![provider], watch, CancellationToken::new()).await.unwrap();
    assert_eq!(picture_of(&got.path), picture_of(&alice.path("summer")));
    assert_eq!(exchanges, ["bitswap"]);
    assert!(bitswap.bytes_sent() > got.bytes, "all of it came by bitswap");
}

/// A folder as no honest peer makes it.
fn folder(entries: &[(&[u8], Cid)]) -> Block {
    let mut node = Writer::with_capacity(256);
    for (name, cid) in entries {
        node.link(cid, b"", name, 10);
    }
    let (bytes, _) = node.finish(&[0x08, 0x01]);
    Block::new(0x70, HashKind::default(), bytes)
}

/// A file of 2^40 bytes in 41 blocks, from a megabyte on each twice as large.
fn petabyte(store: &Store) -> Block {
    let leaf = Block::new(0x55, HashKind::default(), Bytes::from(vec![7; 1 << 20]));
    let (mut below, mut size) = (leaf.clone(), 1_u64 << 20);
    let mut blocks = vec![leaf];
    for _ in 0..20 {
        let mut unixfs = vec![0x08, 0x02, 0x18];
        varint(&mut unixfs, 2 * size);
        for _ in 0..2 {
            unixfs.push(0x20);
            varint(&mut unixfs, size);
        }
        let mut node = Writer::with_capacity(256);
        for _ in 0..2 {
            node.link(below.cid(), b"", b"", size);
        }
        let (bytes, _) = node.finish(&unixfs);
        below = Block::new(0x70, HashKind::default(), bytes);
        blocks.push(below.clone());
        size *= 2;
    }
    pin(store, &below, &blocks);
    below
}

/// Has the store keep blocks.
fn pin(store: &Store, root: &Block, blocks: &[Block]) {
    let pin = store.add_owner(OwnerKind::Pin { root: *root.cid() }).unwrap();
    store.put(pin, blocks).unwrap();
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_that_says_that_it_is_too_large_leaves_nothing() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let root = petabyte(alice.session.store());
    let link = alice.session.link(*root.cid(), b"small", 10).unwrap();
    let refused = bob.get_link(link, Vec::new(), |_| {}, CancellationToken::new()).await;
    assert!(matches!(refused, Err(GetError::TooMuch(Excess::Bytes { .. }))), "{refused:?}");
    assert_eq!(leftovers(&bob.path("got")), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_that_hides_its_size_is_noticed_where_it_lies() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let file = petabyte(alice.session.store());
    // It says that the file has ten bytes.
    let root = folder(&[(b"huge", *file.cid())]);
    pin(alice.session.store(), &root, std::slice::from_ref(&root));
    let link = alice.session.link(*root.cid(), b"small", 10).unwrap();
    let refused = bob.get_link(link, Vec::new(), |_| {}, CancellationToken::new()).await;
    assert!(matches!(refused, Err(GetError::TooMuch(Excess::Bytes { .. }))), "{refused:?}");
    assert_eq!(leftovers(&bob.path("got")), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_folders_do_not_become_a_billion() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let mut below = folder(&[]);
    let mut blocks = vec![below.clone()];
    for _ in 0..30 {
        below = folder(&[(b"a", *below.cid()), (b"b", *below.cid())]);
        blocks.push(below.clone());
    }
    pin(alice.session.store(), &blocks[0], &blocks);
    let link = alice.session.link(*below.cid(), b"small", 10).unwrap();
    // What is allowed without this takes minutes to be made: the core's tests have it.
    let options = GetOptions { max_files: Some(2000), ..GetOptions::default() };
    let refused = bob.get_with(link, options, |_| {}, CancellationToken::new()).await;
    let allowed = Excess::Entries { allowed: 2000 };
    assert!(matches!(refused, Err(GetError::TooMuch(excess)) if excess == allowed), "{refused:?}");
    assert_eq!(leftovers(&bob.path("got")), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_would_leave_its_place_is_refused() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let leaf = Block::new(0x55, HashKind::default(), Bytes::from_static(b"evil"));
    let file = *leaf.cid();
    let mut deep = folder(&[(b"file", file)]);
    let mut blocks = vec![leaf];
    for _ in 0..600 {
        let above = folder(&[(b"d", *deep.cid())]);
        blocks.push(std::mem::replace(&mut deep, above));
    }
    let names: [&[u8]; 7] = [b"../x", b"..", b".", b"/etc/x", b"a/b", b"", b"nul\0"];
    let mut evil: Vec<Block> = names.iter().map(|name| folder(&[(name, file)])).collect();
    evil.push(folder(&[(b"twice", file), (b"twice", file)]));
    evil.push(deep);
    let roots: Vec<Cid> = evil.iter().map(|block| *block.cid()).collect();
    blocks.extend(evil);
    pin(alice.session.store(), &blocks[0], &blocks);
    // Our own gateway would refuse to serve the deepest; bitswap knows no depth.
    let (_node, _bitswap, evil) = bitswap_only(alice.session.store()).await;
    let before = walk(bob.folder.path());
    for root in roots {
        let link = Link::new(root).unwrap();
        let stop = CancellationToken::new();
        let refused = bob.get_link(link, vec![evil.clone()], |_| {}, stop).await;
        assert!(matches!(refused, Err(GetError::Malformed { .. })), "{root}: {refused:?}");
        let outside: Vec<PathBuf> =
            walk(bob.folder.path()).into_iter().filter(|path| !before.contains(path)).collect();
        assert!(outside.iter().all(|path| path.starts_with(bob.path("got"))), "{outside:?}");
        assert_eq!(leftovers(&bob.path("got")), Vec::<PathBuf>::new(), "{root}");
        assert_eq!(bob.session.store().owners(), [], "{root}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_refuses_for_good_is_not_asked_again() {
    let (alice, bob) = (Peer::new().await, Peer::new().await);
    let leaf = Block::new(0x55, HashKind::default(), Bytes::from_static(b"deep"));
    let mut deep = folder(&[(b"file", *leaf.cid())]);
    let mut blocks = vec![leaf];
    for _ in 0..300 {
        let above = folder(&[(b"d", *deep.cid())]);
        blocks.push(std::mem::replace(&mut deep, above));
    }
    let link = Link::new(*deep.cid()).unwrap();
    blocks.push(deep);
    pin(alice.session.store(), &blocks[0], &blocks);
    let refused =
        bob.get_link(link, vec![alice.provider()], |_| {}, CancellationToken::new()).await;
    match refused {
        Err(GetError::NotFound { reasons, .. }) => assert!(reasons.contains("deeper"), "{reasons}"),
        other => panic!("{other:?}"),
    }
}
