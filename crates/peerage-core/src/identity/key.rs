//! The kinds of key that Peerage makes, and how one is made from a seed.

use std::{fmt, str::FromStr};

use libp2p_identity::{KeyType, Keypair, PublicKey, secp256k1};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::advice::Advice;

/// The kind of an identity's key pair.
///
/// ```
/// use peerage_core::identity::KeyKind;
///
/// assert_eq!("secp256k1".parse(), Ok(KeyKind::Secp256k1));
/// assert_eq!(KeyKind::default().to_string(), "ed25519");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Ed25519 (RFC 8032): small, fast, and what every libp2p peer reads.
    #[default]
    Ed25519,
    /// ECDSA over secp256k1, the curve of Bitcoin.
    Secp256k1,
}

impl KeyKind {
    /// The kind of a public key, if it is one that Peerage makes.
    #[must_use]
    pub fn of(key: &PublicKey) -> Option<Self> {
        match key.key_type() {
            KeyType::Ed25519 => Some(Self::Ed25519),
            KeyType::Secp256k1 => Some(Self::Secp256k1),
            _ => None,
        }
    }

    /// The kind's name in key files and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Secp256k1 => "secp256k1",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no kind of key that Peerage makes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a kind of key that can be made here")]
pub struct UnknownKeyKind;

impl Advice for UnknownKeyKind {
    fn hint(&self) -> Option<&'static str> {
        Some("choose ed25519 or secp256k1")
    }
}

impl FromStr for KeyKind {
    type Err = UnknownKeyKind;

    fn from_str(text: &str) -> Result<Self, UnknownKeyKind> {
        [Self::Ed25519, Self::Secp256k1]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownKeyKind)
    }
}

/// Makes the key pair that follows from a seed.
///
/// The seed must be 32 bytes from a cryptographic source of randomness, used
/// for nothing else: whoever knows it has the private key. The same seed
/// gives the same key.
///
/// ```
/// use peerage_core::identity::{KeyKind, generate};
///
/// // A real seed comes from the operating system.
/// let keypair = generate(KeyKind::Ed25519, [7; 32].into());
/// assert!(keypair.public().to_peer_id().to_string().starts_with("12D3KooW"));
/// ```
#[must_use]
pub fn generate(kind: KeyKind, seed: Zeroizing<[u8; 32]>) -> Keypair {
    match kind {
        KeyKind::Ed25519 => ed25519(seed),
        KeyKind::Secp256k1 => secp256k1(seed),
    }
}

fn ed25519(mut seed: Zeroizing<[u8; 32]>) -> Keypair {
    Keypair::ed25519_from_bytes(&mut seed[..]).expect("any 32 bytes are an Ed25519 private key")
}

/// The seed as a number must be from 1 up to the curve's order, which all but
/// about one in 2^128 are; for that one, its hash is taken instead.
fn secp256k1(mut seed: Zeroizing<[u8; 32]>) -> Keypair {
    loop {
        let next = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(&seed[..])));
        match secp256k1::SecretKey::try_from_bytes(&mut seed[..]) {
            Ok(secret) => return secp256k1::Keypair::from(secret).into(),
            Err(_) => seed = next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_key() {
        for kind in [KeyKind::Ed25519, KeyKind::Secp256k1] {
            let first = generate(kind, [1; 32].into());
            assert_eq!(first.public(), generate(kind, [1; 32].into()).public());
            assert_ne!(first.public(), generate(kind, [2; 32].into()).public());
            assert_eq!(KeyKind::of(&first.public()), Some(kind));
        }
    }

    #[test]
    fn seeds_that_are_no_secp256k1_key_still_give_one() {
        for seed in [[0; 32], [0xff; 32]] {
            let keypair = generate(KeyKind::Secp256k1, seed.into());
            let signature = keypair.sign(b"dawn").expect("signs");
            assert!(keypair.public().verify(b"dawn", &signature));
        }
    }

    #[test]
    fn kinds_have_names() {
        assert_eq!("ed25519".parse(), Ok(KeyKind::Ed25519));
        assert_eq!("rsa".parse::<KeyKind>(), Err(UnknownKeyKind));
    }
}
