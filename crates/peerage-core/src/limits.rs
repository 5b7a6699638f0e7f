//! Every limit on what comes from outside, with its reason.
//!
//! One place, so that a reader can see at a glance what a hostile peer, file
//! or link can make us spend. `docs/limits.md` lists the same.

// --- data: blocks and graphs ---

/// The largest block that is accepted, in bytes: 2 MiB, as bitswap's
/// specification and Kubo have it, with room for the dag-pb frame around a
/// chunk of exactly 2 MiB.
pub const MAX_BLOCK_BYTES: usize = 2 * 1024 * 1024 + 1024;

// --- protocols: the IPFS trustless gateway ---

/// The longest path and query of a gateway request, in bytes. A path of the
/// deepest and longest names that file systems allow is 4 KiB, and percent
/// encoding triples it.
pub const MAX_GATEWAY_TARGET_BYTES: usize = 16 * 1024;

/// The most names in the path of a gateway request: deeper than any folder
/// that people keep, and each costs the server a block or a few to read.
pub const MAX_GATEWAY_PATH_NAMES: usize = 128;

/// The longest name in the path of a gateway request, in bytes, once decoded.
/// File systems stop at 255; other software's UnixFS folders may go further.
pub const MAX_GATEWAY_NAME_BYTES: usize = 1024;

/// The most alternatives that are read of an `Accept` header. Browsers send
/// ten or so.
pub const MAX_GATEWAY_ACCEPT_RANGES: usize = 32;

/// The longest `filename` that a gateway request may ask to see in the answer,
/// in bytes: what file systems allow.
pub const MAX_GATEWAY_FILENAME_BYTES: usize = 255;

/// The most header fields of a gateway's request or answer. Browsers send
/// twenty or so.
pub const MAX_GATEWAY_HEADERS: usize = 64;

/// The most bytes of a gateway request's line and header, or an answer's:
/// the longest target, and as much again for the fields.
pub const MAX_GATEWAY_HEADER_BYTES: usize = 2 * MAX_GATEWAY_TARGET_BYTES;

/// The longest text that is read of a gateway's refusal, in bytes.
pub const MAX_GATEWAY_SENTENCE_BYTES: usize = 4 * 1024;

/// How long a client waits for a gateway's next byte, in seconds: a peer that
/// died is noticed within this time, and its parts are asked of others.
pub const GATEWAY_STALL_SECONDS: u64 = 5;

/// How many gateway requests are answered at once. Each holds up to two blocks
/// in memory (one on its way, one read ahead), of at most 2 MiB.
pub const MAX_GATEWAY_REQUESTS: usize = 12;

/// How many of them may hold a block that is read ahead. With the ones on
/// their way, no more than 18 blocks are in memory: 20 MiB with blocks of
/// 1 MiB, 40 MiB with the largest.
pub const MAX_GATEWAY_READ_AHEAD: usize = 6;

/// How long a request waits for its turn, in milliseconds, before it is
/// answered with 'too many requests': less than clients wait for a byte.
pub const GATEWAY_TURN_MILLISECONDS: u64 = 4_000;

/// How many streams and connections a gateway keeps open at once. An idle one
/// costs a task and a few kilobytes.
pub const MAX_GATEWAY_CONNECTIONS: usize = 256;

/// How many of them may belong to one peer: enough for a client that asks for
/// several parts at once, and too few to push the others out.
pub const MAX_GATEWAY_CONNECTIONS_PER_PEER: usize = 16;

/// How long a gateway waits for a request on an open stream, and for its
/// header's last byte, in seconds.
pub const GATEWAY_HEADER_SECONDS: u64 = 30;

/// How long a gateway waits for a client to take
/// [`GATEWAY_WRITE_STALL_BYTES`], in seconds.
pub const GATEWAY_WRITE_STALL_SECONDS: u64 = 30;

/// What a client must take within [`GATEWAY_WRITE_STALL_SECONDS`] to keep its
/// answer, in bytes: 2 KiB a second, what a modem of 1990 could.
pub const GATEWAY_WRITE_STALL_BYTES: usize = 64 * 1024;

// --- discovery: announcements on the local network ---

/// The most entries of a DNS-SD TXT record that are looked at. Ours has at most eight;
/// a browser's own additions still fit.
pub const MAX_TXT_ENTRIES: usize = 32;

/// The most bytes of a whole TXT record: what RFC 6763, section 6.2 says fits
/// one Ethernet packet.
pub const MAX_TXT_BYTES: usize = 1300;

/// The longest device name, in bytes: the length of a DNS label (RFC 1035,
/// section 2.3.4). A longer one is cut at a character.
pub const MAX_DEVICE_NAME_BYTES: usize = 63;

/// The longest name of an operating system or of a version, in bytes. A longer
/// one is cut at a character.
pub const MAX_DEVICE_DETAIL_BYTES: usize = 32;

/// The most announcements from the local network that are kept. A network of
/// more devices is no home or office; the rest are not shown, so that a flood
/// of invented names costs a fixed amount of memory.
pub const MAX_NEARBY_PEERS: usize = 256;

/// The most announcements kept that claim one and the same peer id. Anybody
/// on the network can claim it, so the true one must not be crowded out by the
/// first liar, nor may liars fill the list with it.
pub const MAX_NEARBY_PER_PEER: usize = 4;

/// The most addresses kept of one announcement: three transports on ten
/// addresses of a host.
pub const MAX_NEARBY_ADDRESSES: usize = 32;

/// The most hosts nearby whose addresses are searched for at one time, so that
/// invented hosts do not make us fill the network with questions.
pub const MAX_ADDRESS_SEARCHES: usize = 16;

/// The most DNS records and timers that the multicast DNS responder may hold
/// of what others sent, before it is restarted empty: 256 peers with eight
/// records each and two timers a record is 6,144; twice that is no home.
pub const MAX_RESPONDER_RECORDS: i64 = 12_288;

/// The most events about nearby peers that wait for a reader. A slower reader
/// is told that it missed some.
pub const MAX_NEARBY_EVENTS: usize = 256;

// --- data: nodes, records, CARs and walks ---

/// The most links one dag-pb node may have: what fits in the largest block
/// when every link has a SHA-256 CID and a short name, rounded up. Bounds what
/// decoding a block can allocate.
pub const MAX_NODE_LINKS: usize = 65_536;

/// The longest name of a folder's entry, in bytes: what Linux, macOS and
/// Windows file systems allow at most (`NAME_MAX`).
pub const MAX_NAME_BYTES: usize = 255;

/// The longest target of a symbolic link, in bytes: Linux's `PATH_MAX`.
pub const MAX_SYMLINK_BYTES: usize = 4096;

/// The largest fan-out of a sharded folder that is read: the UnixFS
/// specification's and Kubo's.
pub const MAX_HAMT_FANOUT: usize = 1024;

/// The deepest nesting of a dag-cbor record: far more than any record of ours
/// or OrbitDB's has, far less than a thread's stack takes.
pub const MAX_CBOR_DEPTH: usize = 64;

/// The most values in a dag-cbor record. A decoded value takes about a hundred
/// bytes, so a block of one-byte values would otherwise grow a hundredfold;
/// this bounds a record to some 13 MB.
pub const MAX_CBOR_ITEMS: usize = 131_072;

/// The largest header of a CAR, in bytes: some 1,500 roots, where one is usual.
pub const MAX_CAR_HEADER_BYTES: usize = 64 * 1024;

/// The largest section of a CAR, in bytes: the largest block and its CID.
pub const MAX_CAR_SECTION_BYTES: usize = MAX_BLOCK_BYTES + 128;

/// The deepest graph that is walked, in blocks below its root. Folders as deep
/// as the longest path of 4096 bytes have names of 16 bytes on average.
pub const MAX_DAG_DEPTH: u32 = 256;

/// The most links that a walk holds for later: those of the blocks between
/// the root and where it is. A folder of one block holds about 5,000, so this
/// is enough for any path; it bounds a walk to some 16 MB.
pub const MAX_WALK_PENDING: usize = 131_072;

/// The most blocks that a walk without duplicates remembers, at up to 40 bytes
/// each. Beyond, a block that occurs again may be sent again.
pub const MAX_WALK_SEEN: usize = 262_144;

/// The most blocks of one walk: 64 TiB of the usual chunks. Ends walks of
/// graphs that repeat themselves exponentially.
pub const MAX_WALK_BLOCKS: u64 = 1 << 26;

// --- identity: keys and names ---

/// The largest key file that is read, in bytes: 16 KiB. Ours are under 1 KiB;
/// the largest RSA keys in use, which are recognised in order to be refused
/// by name, are under 8 KiB.
pub const MAX_KEY_FILE_BYTES: usize = 16 * 1024;

/// The longest passphrase, in bytes: 1024. Far beyond what anybody types, and
/// nothing to hash.
pub const MAX_PASSPHRASE_BYTES: usize = 1024;

/// The most memory that a key file can make us use to open it, in KiB:
/// 256 MiB, eight times our own setting, which the smallest machines have.
pub const MAX_KEY_MEMORY_KIB: u32 = 256 * 1024;

/// The most passes over that memory that a key file can ask for: 16, so that
/// the most expensive file costs some seconds.
pub const MAX_KEY_PASSES: u32 = 16;

/// The most lanes that a key file can ask for: 8. They are computed one after
/// another, so they cost no threads.
pub const MAX_KEY_LANES: u32 = 8;

/// The longest name of an identity, in characters: 64, which fits every file
/// system with room for a suffix.
pub const MAX_IDENTITY_NAME_CHARS: usize = 64;

/// The most identities in one key store: 1024, so that listing them stays
/// quick whatever is in the folder.
pub const MAX_IDENTITIES: usize = 1024;

/// The longest text that is read as a peer id, in bytes: 128. The longest
/// written form of one (an RSA peer's, in base 16) is under 90.
pub const MAX_PEER_ID_TEXT_BYTES: usize = 128;

// --- links ---

/// The longest link, in bytes: 4 KiB, more than a QR code holds and about what
/// chats and shells pass on whole.
pub const MAX_LINK_BYTES: usize = 4 * 1024;

/// The most providers that a link names: 8.
pub const MAX_LINK_PROVIDERS: usize = 8;

/// The most addresses that a link gives for one provider: 16; a machine with
/// more has too many for a receiver to try in turn.
pub const MAX_LINK_ADDRESSES: usize = 16;

// --- text from others ---

/// The most marks without width that are shown on one character: 8. Written
/// languages need four; more pile up over the neighbouring lines.
pub const MAX_COMBINING_MARKS: usize = 8;

// --- download: receiving a graph ---

/// How many bytes one request asks for at most, where the sizes are known:
/// 16 MiB. Large enough that requests cost nothing beside the bytes, small
/// enough that several providers share a file and a slow one holds little.
pub const DOWNLOAD_UNIT_BYTES: u64 = 16 * 1024 * 1024;

/// How many parts may wait to be fetched at once: some 200 bytes each, so that
/// a folder made to exhaust memory takes 50 MB at most. Real folders are cut
/// into shards of 256 entries and stay far below.
pub const DOWNLOAD_PENDING_ITEMS: usize = 250_000;

/// How many links may lie between the root and a block: folders in folders,
/// their shards, and the nodes of a file. File systems stop at a few hundred.
pub const DOWNLOAD_GRAPH_DEPTH: u16 = 512;

/// The longest path below the output, in bytes: what Linux opens (`PATH_MAX`).
pub const DOWNLOAD_PATH_BYTES: usize = 4096;

// --- exchange: bitswap ---

/// The largest bitswap message that is read or written, in bytes, without its
/// length prefix: 4 MiB, as go-bitswap and js-bitswap have it.
pub const MAX_BITSWAP_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// How many entries (wants, blocks and presences together) one bitswap message
/// may carry. The shortest useful entry is about 40 bytes on the wire, and Kubo
/// cuts its want-lists at 512 KiB, so 32,768 is more than peers send; it keeps
/// the decoded form of a message of empty entries near 3 MiB.
pub const MAX_BITSWAP_MESSAGE_ENTRIES: usize = 32_768;

/// How many wants of one peer a bitswap server remembers. Kubo keeps 1,024;
/// twice that lets a peer ask for the whole of one wide node at a time.
pub const MAX_BITSWAP_WANTS_PER_PEER: usize = 2048;

/// How many wants one bitswap session holds, queued and asked together: two
/// layers of 1,024-link nodes.
pub const MAX_BITSWAP_SESSION_WANTS: usize = 4096;

/// How many peers one bitswap session asks at the same time.
pub const MAX_BITSWAP_SESSION_PEERS: usize = 64;

/// Up to how many bytes of blocks a bitswap session has on their way from one
/// peer, or waiting to be taken out, before it asks for more: 16 MiB fills a
/// path of 1 Gbit/s with 100 ms of delay and stays small beside the memory
/// that a process may use.
pub const BITSWAP_WINDOW_BYTES: usize = 16 * 1024 * 1024;

/// How many blocks that nobody asked for a peer may send before a bitswap
/// session gives it up: answers cross cancels, so a few are honest.
pub const MAX_BITSWAP_UNWANTED_BLOCKS: u32 = 64;

/// The size in bytes from which a bitswap server sends no more blocks in the
/// same message: large enough to make a message's cost small, small enough
/// that a message of one more block of 2 MiB stays under the message limit.
pub const BITSWAP_REPLY_BYTES: usize = 1024 * 1024;

/// How many bitswap streams of other peers are read at the same time. Helia
/// opens one for every message, Kubo two or so for each peer.
pub const MAX_BITSWAP_STREAMS: usize = 256;

/// How many peers a bitswap server answers at the same time. With the wants of
/// each they take 60 MB at worst; honest ones a hundredth of it.
pub const MAX_BITSWAP_SERVED_PEERS: usize = 128;

/// How many bytes of large messages (over 64 KiB) are being read from all
/// bitswap peers together: what many peers that send slowly can make us hold.
pub const BITSWAP_INCOMING_BYTES: usize = 32 * 1024 * 1024;

/// How many answers of 1 MiB or so wait to be written to all bitswap peers
/// together: what many peers that read slowly can make us hold.
pub const MAX_BITSWAP_REPLIES: usize = 24;

/// How many changes of the want-list may wait to be sent to one bitswap peer
/// before it is given up as one that does not read.
pub const MAX_BITSWAP_QUEUED_ENTRIES: usize = 16_384;

/// A block of up to this many bytes is sent at once to a peer that only asked
/// whether it is there, as Kubo and Helia do: the answer costs about the same.
pub const BITSWAP_SMALL_BLOCK_BYTES: u64 = 1024;

// --- node: connections and streams ---

/// How many connections may be established that others opened: 128, far
/// above what a share among people needs, and small enough that every one of
/// them at its worst ([`MAX_STREAMS_PER_CONNECTION`] full windows) can be
/// borne by a desktop machine.
pub const MAX_INCOMING_CONNECTIONS: u32 = 128;

/// How many connections we open ourselves at the most.
pub const MAX_OUTGOING_CONNECTIONS: u32 = 128;

/// How many connections a node opens that takes part in Kademlia, unless it is
/// set to more: a look-up leaves some twenty of them, for as long as they idle,
/// and friends must find room beside them. With those of others, they stay
/// within the 1,024 files that a process may usually open.
pub const MAX_KADEMLIA_OUTGOING_CONNECTIONS: u32 = 512;

/// How many connections one peer may hold: both sides may dial several
/// addresses at once, and the spare connections close when they idle.
pub const MAX_CONNECTIONS_PER_PEER: u32 = 8;

/// How many connections may be in their handshake, each way; handshakes cost
/// the most CPU time that a stranger can make us spend.
pub const MAX_PENDING_CONNECTIONS: u32 = 64;

/// How many streams, each way, a connection carries at once: 128, because
/// bitswap peers open one for each message. One more is refused; the
/// connection stays.
pub const MAX_STREAMS_PER_CONNECTION: usize = 128;

/// How many streams opened by others a node serves at once, over all
/// connections: each may hold a window of 256 KiB that nobody has read yet.
pub const MAX_INCOMING_STREAMS: usize = 1024;

/// How many streams of one protocol wait to be accepted; more are refused.
pub const MAX_UNACCEPTED_STREAMS: usize = 64;

/// How many requests to open a stream wait for one connection.
pub const MAX_QUEUED_STREAM_REQUESTS: usize = 64;

/// How many peers the address book knows; the one unused longest goes first.
pub const MAX_KNOWN_PEERS: usize = 1024;

/// How many addresses are kept for one peer, and tried for one connection:
/// each costs a handshake and the time of its head start.
pub const MAX_ADDRESSES_PER_PEER: usize = 16;

/// How many peers are being dialled at once.
pub const MAX_CONNECT_ATTEMPTS: usize = 64;

/// How many callers wait for the same peer to be connected.
pub const MAX_CONNECT_WAITERS: usize = 256;

/// How much the receive windows of one connection may grow, all together,
/// beyond the 256 KiB that every stream has: 8 MiB carry 640 Mbit/s over a
/// round trip of 100 ms, and four providers at once stay within 32 MiB.
pub const MAX_WINDOW_GROWTH: usize = 8 * 1024 * 1024;

/// How much one QUIC stream may send ahead. `noq` ends a connection as soon as
/// more than 2,048 packets of a stream wait for a lost one; as many carry 2.3 MB
/// on paths of 1,200 bytes a packet.
pub const MAX_QUIC_STREAM_WINDOW: usize = 2 * 1024 * 1024;

/// How many protocols of a peer are remembered.
pub const MAX_PROTOCOLS_PER_PEER: usize = 128;

/// How many bytes of a peer's agent string are kept.
pub const MAX_AGENT_BYTES: usize = 256;

// --- import: files that become blocks ---

/// How many folders deep an import goes: well below what a download follows
/// ([`DOWNLOAD_GRAPH_DEPTH`], which also counts shards and the nodes of files).
pub const MAX_IMPORT_DEPTH: usize = 240;

// --- pipes ---

/// The longest frame of a pipe, in bytes: as much as a muxer's frame, so that
/// one is not cut into many.
pub const MAX_PIPE_PAYLOAD_BYTES: usize = 256 * 1024;

// --- reaching peers: relays and hubs ---

/// How many relays a node keeps in mind; it holds a connection with the nearest.
pub const MAX_RELAYS: usize = 8;

/// How many hubs a node keeps a connection with.
pub const MAX_HUBS: usize = 4;

/// How many of our own addresses are remembered with whom they were reached by.
pub const MAX_REACHABILITY_ADDRESSES: usize = 64;

/// How many peers may be reached through one relay at once; each costs a
/// connection, some 100 KB.
pub const MAX_RELAY_RESERVATIONS: usize = 1024;

/// How many of them may come from one IP address: a household or an office
/// behind one router.
pub const MAX_RELAY_RESERVATIONS_PER_IP: u32 = 32;

/// How many circuits a relay carries at once.
pub const MAX_RELAY_CIRCUITS: usize = 256;

/// How many of them one peer may hold.
pub const MAX_RELAY_CIRCUITS_PER_PEER: usize = 8;

/// How many bytes a circuit carries each way: an album of pictures between two
/// peers that no hole can be punched for.
pub const MAX_RELAY_CIRCUIT_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// How many seconds a circuit lives: four hours.
pub const MAX_RELAY_CIRCUIT_SECONDS: u64 = 4 * 60 * 60;

/// How many bytes a second one peer may send through a relay of roaming
/// connections: 400 Mbit/s, so that a relay is seldom the narrowest part of a
/// path, and one peer does not fill a gigabit line.
pub const RELAY_CLIENT_BYTES_PER_SECOND: u32 = 50_000_000;

/// How many peers a hub's relay of roaming connections holds at once, at some
/// 100 KB each.
pub const MAX_RELAY_CLIENTS: usize = 4096;

/// How many of them may come from one network (an IPv4 address, or the /56 of
/// an IPv6 one): an office, and 32 networks to fill the relay.
pub const MAX_RELAY_CLIENTS_PER_NETWORK: u32 = 128;

/// How many connections to the relay may be about to become clients.
pub const MAX_RELAY_HANDSHAKES: usize = 256;

/// How many of them may come from one network.
pub const MAX_RELAY_HANDSHAKES_PER_NETWORK: u32 = 32;

/// For how many seconds a connection to the relay may be about to: a few round
/// trips over the slowest line.
pub const RELAY_HANDSHAKE_SECONDS: u64 = 15;

// --- the hub ---

/// How many connections a hub holds that others opened, at some 100 KB each
/// while little goes on. Plain nodes hold [`MAX_INCOMING_CONNECTIONS`].
pub const MAX_HUB_CONNECTIONS: u32 = 4096;

/// How many of them may come from one network (an IPv4 address, or the /56 of
/// an IPv6 one): as many as a registry has peers of it.
pub const MAX_HUB_CONNECTIONS_PER_NETWORK: u32 = 128;

/// How many connections of a hub may be in their handshake, each way: after an
/// outage all its peers come back at once.
pub const MAX_HUB_PENDING_CONNECTIONS: u32 = 256;

/// Among how many of the live peers, the newest, the answers of a hub's zone
/// are dealt out: records of 8 MB at the most, which are copied every few
/// seconds.
pub const MAX_ZONE_LIVE_PEERS: usize = 2048;

/// How many connections the page of metrics holds.
pub const MAX_METRICS_CONNECTIONS: usize = 16;

/// The most bytes of the line and header of a request for metrics: the least
/// that hyper takes.
pub const MAX_METRICS_HEADER_BYTES: usize = 8192;

/// For how many seconds a connection for metrics lives.
pub const METRICS_CONNECTION_SECONDS: u64 = 60;

// --- discovery: given a key, which peers, at which addresses? ---

/// The longest name of a topic, in bytes.
pub const MAX_TOPIC_BYTES: usize = 256;

/// The largest signed peer record, in bytes: sixteen addresses of 100 bytes
/// each, the largest RSA key and its signature.
pub const MAX_PEER_RECORD_BYTES: usize = 4096;

// --- discovery: the Mainline DHT and the DNS ---

/// The largest peer record in the Mainline DHT, in bytes: BEP 44 allows 1,000
/// with the four bytes of bencoding. Addresses are left out until it fits.
pub const MAX_MAINLINE_VALUE_BYTES: usize = 996;

/// The most keys that a node announces in the Mainline DHT: each costs a walk
/// through it every twenty minutes. More are not announced.
pub const MAX_MAINLINE_KEYS: usize = 64;

/// How many announcements walk through the Mainline DHT at once: each talks to
/// some fifty nodes, and routers of homes keep few flows of UDP.
pub const MAX_MAINLINE_WALKS: usize = 4;

/// How many places that one look-up in the Mainline DHT names are asked who
/// they are. Anybody can announce any number; the rest are passed over.
pub const MAX_MAINLINE_PLACES: usize = 64;

/// How many places one look-up asks at once who they are, at two handshakes
/// each.
pub const MAX_MAINLINE_QUESTIONS: usize = 8;

/// How long one look-up in the Mainline DHT lasts, in seconds: a walk takes
/// some five, and asking who is there the rest.
pub const MAINLINE_LOOK_UP_SECONDS: u64 = 10;

/// How long announcing one key in the Mainline DHT may last, in seconds: a
/// walk, and one more round trip.
pub const MAINLINE_ANNOUNCE_SECONDS: u64 = 30;

/// How many info hashes a node keeps for others in the Mainline DHT; those not
/// asked for longest go first.
pub const MAX_MAINLINE_INFO_HASHES: usize = 500;

/// How many places a node keeps for each of those: some 3 MB with
/// [`MAX_MAINLINE_INFO_HASHES`].
pub const MAX_MAINLINE_PEERS_PER_HASH: usize = 100;

/// How many items, mutable and not each, a node keeps for others in the
/// Mainline DHT: some 1 MB each.
pub const MAX_MAINLINE_VALUES: usize = 1000;

/// How many places one look-up of a peer in the Mainline DHT gives that are not
/// the peer's own word, at two addresses each.
pub const MAX_MAINLINE_HINTS: usize = 8;

/// How many requests a second a node of the Mainline DHT answers one source: a
/// walk asks one node a few times.
pub const MAINLINE_REQUESTS_PER_SECOND: u32 = 50;

/// How many requests a source may send it at once: many walks that begin
/// together behind one NAT.
pub const MAINLINE_REQUEST_BURST: u32 = 200;

/// The largest answer of the zone over UDP, in bytes: what passes every network
/// in one packet, as agreed on the DNS flag day 2020.
pub const MAX_DNS_UDP_BYTES: usize = 1232;

/// How many peers one answer of the zone names: enough to join by, and the next
/// answer names others.
pub const MAX_ZONE_PEERS: usize = 8;

/// How many addresses of each of those peers it gives, so that one answer has
/// room for several.
pub const MAX_ZONE_ADDRESSES_PER_PEER: usize = 4;

/// For how many seconds the zone answers from the same list of live peers: a
/// list of thousands is not made for every question.
pub const ZONE_SNAPSHOT_SECONDS: u64 = 5;

/// How many TCP connections the zone's server holds; each has a few seconds to
/// ask.
pub const MAX_ZONE_CONNECTIONS: usize = 64;

/// After how many seconds of silence the zone's server closes a TCP connection;
/// after six times that it does so anyhow.
pub const ZONE_CONNECTION_SECONDS: u64 = 5;

/// How many questions a second the zone answers one source: many times what a
/// resolver asks that keeps answers for a minute.
pub const ZONE_QUESTIONS_PER_SECOND: u32 = 20;

/// How many questions a source may ask at once: a resolver of many clients that
/// just started.
pub const ZONE_QUESTION_BURST: u32 = 50;

/// How many sources a rate limit tells apart, at some 64 bytes each; the rest
/// share one rate, however many addresses are forged.
pub const MAX_RATED_SOURCES: usize = 4096;

/// How many `dnsaddr` names that lead to each other are followed: libp2p's own
/// list of bootstrap peers needs two.
pub const MAX_DNSADDR_DEPTH: u8 = 4;

/// How many names one look-up in the DNS asks for; a list can name any number
/// of others.
pub const MAX_DNSADDR_QUESTIONS: usize = 16;

/// How many texts of one DNS answer are read: as many as fit 16 KiB.
pub const MAX_DNSADDR_TEXTS: usize = 128;

/// The longest of those texts that is read, in bytes: an address with two peer
/// ids and two certificate hashes has 400.
pub const MAX_DNSADDR_BYTES: usize = 1024;

/// How long one look-up in the DNS lasts, in seconds: a few names, each asked
/// for twice.
pub const DNS_LOOK_UP_SECONDS: u64 = 10;

// --- discovery: Kademlia ---

/// The longest key of a record in Kademlia, in bytes: what Kubo takes of
/// provider records, and more than the key of any peer's record.
pub const MAX_KADEMLIA_KEY_BYTES: usize = 80;

/// The largest message of Kademlia, in bytes: the specification's and Kubo's
/// default; a peer's record fits four times.
pub const MAX_KADEMLIA_MESSAGE_BYTES: usize = 16 * 1024;

/// How many records of other peers a node keeps for Kademlia: 16 MiB of the
/// largest. Twenty nodes keep each record, so this is enough while one peer in
/// two hundred can be reached and keeps some.
pub const MAX_KADEMLIA_RECORDS: usize = 4096;

/// How many of them may have come from one peer, which may pass on those of
/// others: a quarter, so that no single one fills the store.
pub const MAX_KADEMLIA_RECORDS_PER_SOURCE: usize = 1024;

/// How many provider records of other peers a node keeps: some 16 MiB with a
/// few addresses each.
pub const MAX_KADEMLIA_PROVIDERS: usize = 32_768;

/// How many of them may be under one key: the replication factor, as answers
/// carry no more. The first stay, so that a crowd cannot push them out.
pub const MAX_KADEMLIA_PROVIDERS_PER_KEY: usize = 20;

/// How many of them one peer may have: a hundred shares, ten times over, and
/// too few for one to fill the store.
pub const MAX_KADEMLIA_PROVIDERS_PER_PEER: usize = 1024;

/// Under how many keys a node announces itself. Each is announced to twenty
/// peers again and again.
pub const MAX_KADEMLIA_PROVIDED_KEYS: usize = 1024;

/// How many peers of one network (an IPv4 /24, an IPv6 /64) may be in one
/// bucket of 20 of the routing table: 2, as Kubo has it. Peer ids cost nothing,
/// addresses do.
pub const MAX_KADEMLIA_BUCKET_PEERS_PER_NETWORK: usize = 2;

/// How many look-ups may run for callers at once; each talks to three to ten
/// peers at a time.
pub const MAX_KADEMLIA_LOOK_UPS: usize = 64;

/// How many answers of a look-up wait for its caller; more are left out.
pub const MAX_KADEMLIA_ANSWERS: usize = 256;

/// How long a look-up lasts at most, in seconds. Good ones take one or two.
pub const KADEMLIA_LOOK_UP_SECONDS: u64 = 30;

/// How long a peer may take to answer a request of Kademlia, in seconds: a
/// look-up waits for few peers at a time, and the dead among them must not
/// hold it up.
pub const KADEMLIA_REQUEST_SECONDS: u64 = 4;

/// How many peers are kept of what all ways have found; the worst goes first.
/// At 12 KB for one at its worst they take 12 MB.
pub const MAX_FOUND_PEERS: usize = 1024;

/// How many addresses one way may claim for one peer: as many as a record
/// holds. The oldest goes first.
pub const MAX_CLAIMED_ADDRESSES: usize = 16;

/// The longest claimed address, in bytes: one through a relay with the
/// certificates of a browser's transport has 250.
pub const MAX_CLAIMED_ADDRESS_BYTES: usize = 512;

/// How many addresses of one peer are dialled at one host, so that nobody sends
/// a crowd there: a peer's five transports fit, and ports that it had before.
pub const MAX_DIALLED_PER_HOST: usize = 8;

/// How many findings are taken of one way in one look-up. More providers than
/// that are not asked anyway.
pub const MAX_FINDINGS_PER_LOOK_UP: usize = 256;

/// The largest list of peers that is read, in bytes: 2,048 lines of the usual
/// length.
pub const MAX_STATIC_LIST_BYTES: usize = 256 * 1024;

/// How many addresses a list of peers has at the most.
pub const MAX_STATIC_ENTRIES: usize = 2048;

// --- the registry of a tracker: who is where, under which keys ---

/// How many peers a registry holds: 65,536, at 2 KiB or so each.
pub const MAX_REGISTRY_PEERS: usize = 65_536;

/// How many bytes a registry holds, as it counts them: 128 MiB. A peer with
/// the largest record and all its keys takes some 50 KiB.
pub const MAX_REGISTRY_BYTES: usize = 128 * 1024 * 1024;

/// How many peers of one network (an IPv4 address, or the /56 of an IPv6 one)
/// a registry holds: homes and offices stay below, a carrier's shared address
/// may not, and it takes 512 networks to fill the registry.
pub const MAX_REGISTRY_PEERS_PER_NETWORK: usize = 128;

/// How many CIDs a peer is kept under; what a peer shares most recently.
pub const MAX_REGISTRY_CIDS_PER_PEER: usize = 128;

/// How many topics, or namespaces of rendezvous, a peer is kept under.
pub const MAX_REGISTRY_TOPICS_PER_PEER: usize = 32;

/// How many hosts with private addresses a peer may name as its own: three
/// transports on each of five interfaces fill a record. More would make a
/// crowd dial the machines of its own networks.
pub const MAX_REGISTRY_PRIVATE_HOSTS: usize = 5;

/// How many parts an address may have that is handed out: twice what one over
/// a relay has. As text, parts of two bytes grow tenfold.
pub const MAX_REGISTRY_ADDRESS_PARTS: usize = 16;

/// From how many places a peer is remembered to have been seen: two of each
/// family of addresses.
pub const MAX_REGISTRY_SEEN: usize = 4;

/// How many registrations one question makes a registry look at.
pub const MAX_REGISTRY_SCAN: usize = 1024;

/// The shortest time for which a peer can be kept, in seconds.
pub const REGISTRY_MIN_TTL_SECONDS: u64 = 60;

/// For how long a peer is kept that does not say, in seconds: an hour, as the
/// announcements of Spacedrive had it.
pub const REGISTRY_TTL_SECONDS: u64 = 3600;

/// The longest time for which a peer can be kept, in seconds: 72 hours, as the
/// specification of rendezvous recommends.
pub const REGISTRY_MAX_TTL_SECONDS: u64 = 259_200;

/// The largest snapshot of a registry that is read, in bytes: 256 MiB, above
/// what the fullest one writes.
pub const MAX_REGISTRY_SNAPSHOT_BYTES: usize = 256 * 1024 * 1024;

// --- trackers: announce, query and rendezvous ---

/// The largest request to a tracker, in bytes: a record in both forms, its
/// addresses as text and all keys are under 50 KiB.
pub const MAX_TRACKER_REQUEST_BYTES: usize = 64 * 1024;

/// The largest answer of a tracker, in bytes: [`MAX_TRACKER_RESULTS`] of the
/// largest records, and their addresses as text, at most five times as long.
pub const MAX_TRACKER_ANSWER_BYTES: usize = 1024 * 1024;

/// How many peers one query names, as in Spacedrive's tracker.
pub const MAX_TRACKER_QUERY_PEERS: usize = 15;

/// How many peers one answer names.
pub const MAX_TRACKER_RESULTS: usize = 32;

/// The longest sentence with which a tracker refuses, in bytes.
pub const MAX_TRACKER_SENTENCE_BYTES: usize = 256;

/// The longest cookie, in bytes: a number and a namespace.
pub const MAX_TRACKER_COOKIE_BYTES: usize = 512;

/// The longest namespace of rendezvous, in bytes: the specification's.
pub const MAX_RENDEZVOUS_NAMESPACE_BYTES: usize = 255;

/// For how long a registration holds that does not say, in seconds: two hours,
/// the specification's.
pub const RENDEZVOUS_TTL_SECONDS: u64 = 7200;

/// The largest answer of a rendezvous point, in bytes:
/// [`MAX_TRACKER_RESULTS`] of the largest records with their namespaces.
pub const MAX_RENDEZVOUS_ANSWER_BYTES: usize = 256 * 1024;

/// How many streams a tracker serves at once: at the largest request and
/// answer each 136 MiB, at honest ones a hundredth of it.
pub const MAX_TRACKER_STREAMS: usize = 128;

/// How many of them may belong to one peer.
pub const MAX_TRACKER_STREAMS_PER_PEER: usize = 4;

/// How many requests one stream carries.
pub const MAX_TRACKER_REQUESTS_PER_STREAM: usize = 64;

/// For how many seconds a stream to a tracker is served: enough for its
/// requests over a slow line, and the end of one that sends byte by byte.
pub const TRACKER_STREAM_SECONDS: u64 = 30;

/// How many requests a peer may make of a tracker at once; one more a second.
pub const TRACKER_PEER_BURST: u32 = 64;

/// How many requests a network may make at once, whatever peer ids its peers
/// invent; sixteen more a second.
pub const TRACKER_NETWORK_BURST: u32 = 1024;

/// How many peers and networks a tracker counts the requests of. When so many
/// ask within a minute, further ones are refused until the others rest.
pub const MAX_TRACKER_RATES: usize = 16_384;

/// How many trackers a peer uses.
pub const MAX_TRACKERS: usize = 8;

/// How many trackers are asked at the same time.
pub const MAX_TRACKERS_AT_ONCE: usize = 4;

/// How many seconds a tracker may take to be reached and to answer.
pub const TRACKER_ANSWER_SECONDS: u64 = 10;

/// How many answers to one question a tracker is asked for, one after another.
pub const MAX_TRACKER_PAGES: usize = 4;
