//! Who am I, and who is that? Key pairs, the peer ids that follow from them,
//! and the file that a private key is kept in.
//!
//! A peer is its public key; its [`PeerId`] is a short name for that key as
//! the [peer id specification] of libp2p has it. Peerage makes Ed25519 keys,
//! or secp256k1 keys on request ([`KeyKind`]), and understands peers with RSA
//! keys: it verifies their signatures and reads their ids.
//!
//! [peer id specification]: https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md

mod error;
mod import;
mod key;
mod key_file;
mod name;
mod peer_id;
mod seal;

pub use libp2p_identity::{Keypair, PeerId, PublicKey};

pub use self::{
    error::KeyFileError,
    import::{ImportError, Imported, import},
    key::{KeyKind, UnknownKeyKind, generate},
    key_file::KeyFile,
    name::{IdentityName, NameError},
    peer_id::{PeerIdError, parse_peer_id, peer_id_to_cid},
    seal::{Cost, Seal},
};
