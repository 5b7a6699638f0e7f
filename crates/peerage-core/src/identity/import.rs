//! Bringing a key from elsewhere: our own key file, or libp2p's `PrivateKey`
//! message as Kubo's `ipfs key export` writes it, or the same in base64 as
//! Kubo's configuration has it under `Identity.PrivKey`.

use data_encoding::BASE64;
use libp2p_identity::Keypair;
use prost::Message as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::{error::KeyFileError, key_file::KeyFile};
use crate::advice::Advice;
use crate::limits::MAX_KEY_FILE_BYTES;

/// libp2p's `PrivateKey` message, of the [peer id specification].
///
/// [peer id specification]: https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
#[derive(Clone, PartialEq, prost::Message)]
struct PrivateKey {
    #[prost(int32, required, tag = "1")]
    kind: i32,
    #[prost(bytes = "vec", required, tag = "2")]
    data: Vec<u8>,
}

const RSA: i32 = 0;
const ED25519: i32 = 1;
const SECP256K1: i32 = 2;
const ECDSA: i32 = 3;

/// A key that was read from bytes of any form that is understood.
#[derive(Debug)]
pub enum Imported {
    /// Our own key file, which may be sealed.
    KeyFile(KeyFile),
    /// A key in clear.
    Key(Keypair),
}

/// Why bytes were not read as a private key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportError {
    /// Our own key file, with something wrong.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// A private key of a kind that can't be used here.
    #[error("this is an {kind} key, and only ed25519 and secp256k1 keys can be imported")]
    UnsupportedKind {
        /// The kind.
        kind: &'static str,
    },
    /// A key in PEM.
    #[error("this key is in PEM form")]
    Pem,
    /// A JSON file, such as Kubo's whole configuration.
    #[error("this is a JSON file")]
    Json,
    /// A private key that is damaged.
    #[error("this looks like a libp2p private key, but it is damaged")]
    Damaged,
    /// Nothing that is understood.
    #[error("this is no private key")]
    NotAKey,
}

impl Advice for ImportError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::KeyFile(error) => error.hint(),
            Self::UnsupportedKind { .. } => Some("make a new identity"),
            Self::Pem => {
                Some("export it with `ipfs key export --format=libp2p-protobuf-cleartext NAME`")
            }
            Self::Json => Some("give only the text of Identity.PrivKey of Kubo's configuration"),
            Self::Damaged => Some("export it again"),
            Self::NotAKey => Some(
                "give a Peerage key file, a libp2p-protobuf-cleartext export, or Kubo's Identity.PrivKey",
            ),
        }
    }
}

/// Reads a private key in any form that is understood.
///
/// A key in clear that comes back is checked: its public half belongs to its
/// private half. The caller wipes `bytes`. Takes time linear in the length,
/// which is bounded.
///
/// ```
/// use peerage_core::identity::{Imported, import};
///
/// # let private_key = include_str!("../../tests/vectors/identity/kubo-config-private-key.txt");
/// // `private_key` is the text of Identity.PrivKey in Kubo's configuration.
/// let Imported::Key(keypair) = import(private_key.as_bytes())? else { panic!("in clear") };
/// println!("imported {}", keypair.public().to_peer_id());
/// # Ok::<(), peerage_core::identity::ImportError>(())
/// ```
///
/// # Errors
///
/// When it is of another kind (RSA), in a form that is not read (with what to
/// do instead), damaged, or no key.
pub fn import(bytes: &[u8]) -> Result<Imported, ImportError> {
    if bytes.len() > MAX_KEY_FILE_BYTES {
        return Err(KeyFileError::TooLarge.into());
    }
    let text = bytes.trim_ascii();
    if text.starts_with(b"peerage identity ") {
        return Ok(Imported::KeyFile(KeyFile::parse(text)?));
    }
    if text.starts_with(b"-----BEGIN") {
        return Err(ImportError::Pem);
    }
    if text.starts_with(b"{") {
        return Err(ImportError::Json);
    }
    match BASE64.decode(text).map(Zeroizing::new) {
        Ok(message) => from_protobuf(&message),
        Err(_) => from_protobuf(bytes),
    }
    .map(Imported::Key)
}

fn from_protobuf(bytes: &[u8]) -> Result<Keypair, ImportError> {
    let mut message = PrivateKey::decode(bytes).map_err(|_| ImportError::NotAKey)?;
    let keypair = from_message(&mut message);
    message.data.zeroize();
    keypair
}

fn from_message(message: &mut PrivateKey) -> Result<Keypair, ImportError> {
    match message.kind {
        RSA if !message.data.is_empty() => Err(ImportError::UnsupportedKind { kind: "RSA" }),
        ECDSA => Err(ImportError::UnsupportedKind { kind: "ECDSA" }),
        ED25519 => ed25519(&mut message.data),
        SECP256K1 => libp2p_identity::secp256k1::SecretKey::try_from_bytes(&mut message.data)
            .map(|secret| libp2p_identity::secp256k1::Keypair::from(secret).into())
            .map_err(|_| ImportError::Damaged),
        _ => Err(ImportError::NotAKey),
    }
}

/// The private and the public half; old software appended the public half
/// once more, which the specification asks readers to take.
fn ed25519(data: &mut [u8]) -> Result<Keypair, ImportError> {
    let (pair, repeated) = data.split_at_mut_checked(64).ok_or(ImportError::Damaged)?;
    if !repeated.is_empty() && repeated != &pair[32..] {
        return Err(ImportError::Damaged);
    }
    libp2p_identity::ed25519::Keypair::try_from_bytes(pair)
        .map(Keypair::from)
        .map_err(|_| ImportError::Damaged)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER_PERMISSIVE;
    use proptest::prelude::*;

    use super::*;
    use crate::identity::{KeyKind, generate};

    // Examples from libp2p's specification of peer ids: private, public.
    const ED25519_EXAMPLE: [&str; 2] = [
        "080112407e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
        "080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
    ];
    const SECP256K1_EXAMPLE: [&str; 2] = [
        "0802122053dadf1d5a164d6b4acdb15e24aa4c5b1d3461bdbd42abedb0a4404d56ced8fb",
        "08021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca99",
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).expect("hexadecimal")
    }

    fn key(bytes: &[u8]) -> Keypair {
        match import(bytes) {
            Ok(Imported::Key(keypair)) => keypair,
            other => panic!("{other:?}"),
        }
    }

    fn error(bytes: &[u8]) -> ImportError {
        import(bytes).map(|_| ()).expect_err("refused")
    }

    #[test]
    fn reads_the_examples_of_the_specification_raw_and_in_base64() {
        for [private, public] in [ED25519_EXAMPLE, SECP256K1_EXAMPLE] {
            let private = bytes(private);
            let base64 = format!("{}\n", BASE64.encode(&private));
            for form in [private.as_slice(), base64.as_bytes()] {
                assert_eq!(key(form).public().encode_protobuf(), bytes(public));
            }
        }
    }

    #[test]
    fn reads_the_old_form_with_the_public_half_twice() {
        let mut private = bytes(ED25519_EXAMPLE[0]);
        let half = private[36..].to_vec();
        private.extend_from_slice(&half);
        private[3] = 96;
        assert_eq!(key(&private).public().encode_protobuf(), bytes(ED25519_EXAMPLE[1]));
        private[70] ^= 1;
        assert_eq!(error(&private), ImportError::Damaged);
    }

    #[test]
    fn reads_what_kubo_exports() {
        let text = include_str!("../../tests/vectors/identity/kubo-config-private-key.txt");
        let id = include_str!("../../tests/vectors/identity/kubo-config-peer-id.txt");
        assert_eq!(key(text.as_bytes()).public().to_peer_id().to_string(), id.trim());
    }

    #[test]
    fn reads_our_own_key_file() {
        let keypair = generate(KeyKind::Ed25519, [7; 32].into());
        let text = KeyFile::clear(&keypair).expect("a file").to_text();
        let Ok(Imported::KeyFile(file)) = import(text.as_bytes()) else { panic!("a key file") };
        assert_eq!(file.peer_id(), keypair.public().to_peer_id());
        let newer = text.replace("identity 1", "identity 9");
        let expected = KeyFileError::NewerVersion { version: 9 };
        assert_eq!(error(newer.as_bytes()), ImportError::KeyFile(expected));
    }

    #[test]
    fn says_what_else_it_is_and_what_to_do() {
        let rsa = PrivateKey { kind: RSA, data: vec![0x30; 1200] }.encode_to_vec();
        let ecdsa = PrivateKey { kind: ECDSA, data: vec![0x30; 100] }.encode_to_vec();
        let short = PrivateKey { kind: ED25519, data: vec![1; 63] }.encode_to_vec();
        let zero = PrivateKey { kind: SECP256K1, data: vec![0; 32] }.encode_to_vec();
        assert_eq!(error(&rsa), ImportError::UnsupportedKind { kind: "RSA" });
        assert_eq!(error(&ecdsa), ImportError::UnsupportedKind { kind: "ECDSA" });
        assert_eq!(error(&short), ImportError::Damaged);
        assert_eq!(error(&zero), ImportError::Damaged);
        assert_eq!(error(b"-----BEGIN PRIVATE KEY-----\nMC4C"), ImportError::Pem);
        assert_eq!(error(b"{\"Identity\": {}}"), ImportError::Json);
        for other in [&b""[..], b"hello", b"\xff\xd8\xff\xe0 a picture"] {
            assert_eq!(error(other), ImportError::NotAKey);
        }
        let large = vec![b'A'; MAX_KEY_FILE_BYTES + 1];
        assert_eq!(error(&large), ImportError::KeyFile(KeyFileError::TooLarge));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = import(&bytes);
        }

        #[test]
        fn never_panics_on_messages(kind in -1_i32..5, data in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = import(&PrivateKey { kind, data }.encode_to_vec());
        }
    }
}
