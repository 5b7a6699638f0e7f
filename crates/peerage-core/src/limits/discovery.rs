//! Limits: what says where peers are.

// --- announcements on the local network ---

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

// --- given a key, which peers, at which addresses? ---

/// The longest name of a topic, in bytes.
pub const MAX_TOPIC_BYTES: usize = 256;

/// The largest signed peer record, in bytes: sixteen addresses of 100 bytes
/// each, the largest RSA key and its signature.
pub const MAX_PEER_RECORD_BYTES: usize = 4096;

// --- the Mainline DHT and the DNS ---

/// The largest peer record in the Mainline DHT, in bytes: BEP 44 allows 1,000
/// with the four bytes of bencoding. Addresses are left out until it fits.
pub const MAX_MAINLINE_VALUE_BYTES: usize = 996;

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

// --- Kademlia ---

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

/// The largest list of peers that is read, in bytes: 2,048 lines of the usual
/// length.
pub const MAX_STATIC_LIST_BYTES: usize = 256 * 1024;

/// How many addresses a list of peers has at the most.
pub const MAX_STATIC_ENTRIES: usize = 2048;

// --- who is where, under which keys ---

/// How many peers a registry holds: 65,536, at 2 KiB or so each.
pub const MAX_REGISTRY_PEERS: usize = 65_536;

/// How many bytes a registry holds, as it counts them: 128 MiB. A peer with
/// the largest record and all its keys takes some 50 KiB.
pub const MAX_REGISTRY_BYTES: usize = 128 * 1024 * 1024;

/// How many peers of one network (an IPv4 address, or the /56 of an IPv6 one)
/// a registry holds: homes and offices stay below, a carrier's shared address
/// may not, and it takes 512 networks to fill the registry.
pub const MAX_REGISTRY_PEERS_PER_NETWORK: usize = 128;

/// How many peers of one network an answer under a CID names, and any other when
/// not all have room; which ones is drawn each time.
pub const MAX_REGISTRY_ANSWERED_PER_NETWORK: usize = 2;

/// How many CIDs a peer is kept under; what a peer shares most recently.
pub const MAX_REGISTRY_CIDS_PER_PEER: usize = 128;

/// How many topics, or namespaces of rendezvous, a peer is kept under.
pub const MAX_REGISTRY_TOPICS_PER_PEER: usize = 32;

/// How many keys a peer is kept under: CIDs, topics and its own id. More in a
/// snapshot are passed over.
pub const MAX_REGISTRY_KEYS_PER_PEER: usize =
    MAX_REGISTRY_CIDS_PER_PEER + MAX_REGISTRY_TOPICS_PER_PEER + 1;

/// How many hosts with private addresses a peer may name as its own: three
/// transports on each of five interfaces fill a record. More would make a
/// crowd dial the machines of its own networks.
pub const MAX_REGISTRY_PRIVATE_HOSTS: usize = 5;

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

// --- announce, query and rendezvous ---

/// The largest answer of a tracker, in bytes: [`MAX_TRACKER_RESULTS`] of the
/// largest records, and their addresses as text, at most five times as long.
pub const MAX_TRACKER_ANSWER_BYTES: usize = 1024 * 1024;

/// How deep a message of a tracker nests: an answer, its list, a peer, its
/// addresses; and as much again for fields of other versions.
pub const MAX_TRACKER_MESSAGE_DEPTH: usize = 16;

/// How many texts a list in a message of a tracker holds: all keys of a peer,
/// and then some, so that a list that is too long for its purpose is answered
/// and not malformed.
pub const MAX_TRACKER_MESSAGE_TEXTS: usize = 256;

/// How many peers one query names, as in Spacedrive's tracker.
pub const MAX_TRACKER_QUERY_PEERS: usize = 15;

/// How many peers one answer names.
pub const MAX_TRACKER_RESULTS: usize = 32;

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
