//! Limits: what says where peers are.

// --- announcements on the local network ---

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

// --- the Mainline DHT and the DNS ---

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

/// After how many seconds of silence a connection to the zone's server makes room
/// for another when there is none.
pub const ZONE_SILENCE_SECONDS: u64 = 1;

/// How many connections to the zone's server one network holds.
pub const MAX_ZONE_CONNECTIONS_PER_NETWORK: usize = 8;

/// How many questions a second the zone answers one source: many times what a
/// resolver asks that keeps answers for a minute.
pub const ZONE_QUESTIONS_PER_SECOND: u32 = 20;

/// How many questions a source may ask at once: a resolver of many clients that
/// just started.
pub const ZONE_QUESTION_BURST: u32 = 50;

/// How long one look-up in the DNS lasts, in seconds: a few names, each asked
/// for twice.
pub const DNS_LOOK_UP_SECONDS: u64 = 10;

// --- Kademlia ---

/// How many findings are taken of one way in one look-up. More providers than
/// that are not asked anyway.
pub const MAX_FINDINGS_PER_LOOK_UP: usize = 256;

// --- announce, query and rendezvous ---

/// The largest request to a tracker, in bytes: a record in both forms, its
/// addresses as text and all keys are under 50 KiB.
pub const MAX_TRACKER_REQUEST_BYTES: usize = 64 * 1024;

/// The longest sentence with which a tracker refuses, in bytes.
pub const MAX_TRACKER_SENTENCE_BYTES: usize = 256;

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

/// After how many seconds of silence a stream to a tracker makes room for
/// another's when there is none.
pub const TRACKER_SILENCE_SECONDS: u64 = 5;

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
