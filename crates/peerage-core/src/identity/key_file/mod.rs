//! The file that a private key is kept in.
//!
//! Lines of text, so that its owner can see what it is and which peer it
//! makes; the key itself either in clear or sealed by a passphrase:
//!
//! ```text
//! peerage identity 1
//! kind: ed25519
//! peer: 12D3KooW…
//! seal: argon2id xchacha20-poly1305        or: none, and then no cost, salt and nonce
//! cost: memory=32768 passes=4 lanes=1
//! salt: <16 bytes in base64>
//! nonce: <24 bytes in base64>
//! key: <libp2p's PrivateKey message in base64, or what it is sealed to>
//! check: <the first 8 bytes of SHA-256 over all above, in hexadecimal>
//! ```
//!
//! The lines above `key` are authenticated with the sealed key. The check
//! tells a damaged file from a wrong passphrase; it protects nothing.

use std::fmt::{self, Write as _};

use data_encoding::{BASE64, HEXLOWER};
use libp2p_identity::{Keypair, PeerId};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    error::KeyFileError,
    key::KeyKind,
    peer_id::parse_peer_id,
    seal::{Cost, Seal},
};
use crate::limits::MAX_KEY_FILE_BYTES;

const MAGIC: &str = "peerage identity ";
const VERSION: u64 = 1;
const NO_SEAL: &str = "none";
const SEALED: &str = "argon2id xchacha20-poly1305";
const CHECK_BYTES: usize = 8;
/// More than any file that we write, so that its text never moves in memory
/// and leaves a copy of the key behind.
const TEXT_CAPACITY: usize = 1024;

/// A private key as it is kept in a file: in clear, or sealed by a passphrase.
///
/// ```
/// use peerage_core::identity::{Cost, KeyFile, KeyKind, Seal, generate};
///
/// let keypair = generate(KeyKind::Ed25519, [7; 32].into());
/// // Real salts and nonces are random.
/// let seal = Seal { cost: Cost::MINIMUM, salt: [1; 16], nonce: [2; 24] };
/// let text = KeyFile::sealed(&keypair, "a good long phrase", seal)?.to_text();
///
/// let file = KeyFile::parse(text.as_bytes())?;
/// assert_eq!(file.peer_id(), keypair.public().to_peer_id());
/// assert_eq!(file.open(Some("a good long phrase"))?.public(), keypair.public());
/// # Ok::<(), peerage_core::identity::KeyFileError>(())
/// ```
#[derive(Clone)]
pub struct KeyFile {
    kind: KeyKind,
    peer_id: PeerId,
    body: Body,
}

#[derive(Clone)]
enum Body {
    Clear(Zeroizing<Vec<u8>>),
    Sealed { seal: Seal, ciphertext: Vec<u8> },
}

impl KeyFile {
    /// A file with the key in clear: whoever reads it can act as this peer.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::UnsupportedKind`] for an RSA or other key.
    pub fn clear(keypair: &Keypair) -> Result<Self, KeyFileError> {
        let (kind, peer_id, secret) = parts(keypair)?;
        Ok(Self { kind, peer_id, body: Body::Clear(secret) })
    }

    /// A file with the key sealed by a passphrase (its UTF-8 bytes as they
    /// are). This takes the time and memory that the seal's cost names.
    ///
    /// # Errors
    ///
    /// When the passphrase is empty or too long, the memory is not there, or
    /// the key is of another kind.
    pub fn sealed(keypair: &Keypair, passphrase: &str, seal: Seal) -> Result<Self, KeyFileError> {
        let (kind, peer_id, secret) = parts(keypair)?;
        let empty = Body::Sealed { seal, ciphertext: Vec::new() };
        let mut file = Self { kind, peer_id, body: empty };
        let ciphertext = seal.close(passphrase, file.header().as_bytes(), &secret)?;
        file.body = Body::Sealed { seal, ciphertext };
        Ok(file)
    }

    /// Reads a file's bytes; the key stays sealed. Line ends may be those of
    /// Windows. Takes time linear in the length, which is bounded.
    ///
    /// # Errors
    ///
    /// When the bytes are something else, of a newer version, damaged, too
    /// large, or ask for too much work.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyFileError> {
        if bytes.len() > MAX_KEY_FILE_BYTES {
            return Err(KeyFileError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| KeyFileError::NotAKeyFile)?;
        let mut fields = Fields::begin(text)?;
        let kind = fields.next("kind")?.parse().map_err(|_| damaged("its kind"))?;
        let peer_id = parse_peer_id(fields.next("peer")?).map_err(|_| damaged("its peer id"))?;
        let body = match fields.next("seal")? {
            NO_SEAL => Body::Clear(fields.base64("key")?),
            SEALED => {
                Body::Sealed { seal: fields.seal()?, ciphertext: fields.base64("key")?.to_vec() }
            }
            _ => return Err(damaged("its seal")),
        };
        let check = fields.next("check")?;
        let file = Self { kind, peer_id, body };
        file.verify(check, fields)?;
        Ok(file)
    }

    /// The file's text, to be written where its owner alone can read it. It is
    /// wiped from memory when dropped.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = self.checked_text();
        let check = check_of(&text);
        line(&mut text, "check", &check);
        text
    }

    /// Opens the key. For a sealed one this takes the time and memory that the
    /// file's cost names; for one in clear, a passphrase is not looked at.
    ///
    /// # Errors
    ///
    /// When a passphrase is needed, wrong or too long, the memory is not
    /// there, or what is inside is not the key that the file names.
    pub fn open(&self, passphrase: Option<&str>) -> Result<Keypair, KeyFileError> {
        let secret = match &self.body {
            Body::Clear(secret) => secret.clone(),
            Body::Sealed { seal, ciphertext } => {
                let passphrase = passphrase.ok_or(KeyFileError::PassphraseNeeded)?;
                seal.open(passphrase, self.header().as_bytes(), ciphertext)?
            }
        };
        let keypair =
            Keypair::from_protobuf_encoding(&secret).map_err(|_| damaged("the key itself"))?;
        let public = keypair.public();
        if public.to_peer_id() != self.peer_id || KeyKind::of(&public) != Some(self.kind) {
            return Err(damaged("the key is another peer's"));
        }
        Ok(keypair)
    }

    /// The kind of the key.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The peer that the file says the key makes; [`Self::open`] checks it.
    #[must_use]
    pub const fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Whether a passphrase is needed to open the key.
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        matches!(self.body, Body::Sealed { .. })
    }

    fn header(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(TEXT_CAPACITY));
        text.push_str(MAGIC);
        let _ = writeln!(text, "{VERSION}");
        line(&mut text, "kind", self.kind.as_str());
        line(&mut text, "peer", &self.peer_id.to_base58());
        match &self.body {
            Body::Clear(_) => line(&mut text, "seal", NO_SEAL),
            Body::Sealed { seal: Seal { cost, salt, nonce }, .. } => {
                line(&mut text, "seal", SEALED);
                line(&mut text, "cost", &cost_text(*cost));
                line(&mut text, "salt", &BASE64.encode(salt));
                line(&mut text, "nonce", &BASE64.encode(nonce));
            }
        }
        text
    }

    fn checked_text(&self) -> Zeroizing<String> {
        let mut text = self.header();
        let key = match &self.body {
            Body::Clear(secret) => secret.as_slice(),
            Body::Sealed { ciphertext, .. } => ciphertext,
        };
        line(&mut text, "key", &Zeroizing::new(BASE64.encode(key)));
        text
    }

    /// The check is over the text as we write it, so that a file which was
    /// read differently than it was written is refused too.
    fn verify(&self, check: &str, mut rest: Fields<'_>) -> Result<(), KeyFileError> {
        if check != check_of(&self.checked_text()) {
            return Err(damaged("its check does not match"));
        }
        if rest.lines.any(|line| !line.trim().is_empty()) {
            return Err(damaged("there is something after its end"));
        }
        Ok(())
    }
}

/// Shows everything but the key.
impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile")
            .field("kind", &self.kind)
            .field("peer_id", &self.peer_id)
            .field("is_sealed", &self.is_sealed())
            .finish_non_exhaustive()
    }
}

fn parts(keypair: &Keypair) -> Result<(KeyKind, PeerId, Zeroizing<Vec<u8>>), KeyFileError> {
    let public = keypair.public();
    let kind = KeyKind::of(&public).ok_or(KeyFileError::UnsupportedKind)?;
    let secret = keypair.to_protobuf_encoding().map_err(|_| KeyFileError::UnsupportedKind)?;
    Ok((kind, public.to_peer_id(), Zeroizing::new(secret)))
}

fn line(text: &mut String, name: &str, value: &str) {
    text.extend([name, ": ", value, "\n"]);
}

fn cost_text(cost: Cost) -> String {
    format!("memory={} passes={} lanes={}", cost.memory_kib(), cost.passes(), cost.lanes())
}

fn check_of(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text)[..CHECK_BYTES])
}

const fn damaged(part: &'static str) -> KeyFileError {
    KeyFileError::Damaged { part }
}

/// The lines of a file that are not read yet.
struct Fields<'a> {
    lines: std::str::Lines<'a>,
}

impl<'a> Fields<'a> {
    fn begin(text: &'a str) -> Result<Self, KeyFileError> {
        let mut lines = text.lines();
        let version = lines
            .next()
            .and_then(|first| first.strip_prefix(MAGIC))
            .and_then(|version| version.parse().ok())
            .ok_or(KeyFileError::NotAKeyFile)?;
        match version {
            VERSION => Ok(Self { lines }),
            0 => Err(KeyFileError::NotAKeyFile),
            version => Err(KeyFileError::NewerVersion { version }),
        }
    }

    fn next(&mut self, name: &'static str) -> Result<&'a str, KeyFileError> {
        self.lines
            .next()
            .and_then(|line| line.strip_prefix(name)?.strip_prefix(": "))
            .ok_or(damaged("a line is missing or changed"))
    }

    fn base64(&mut self, name: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        BASE64
            .decode(self.next(name)?.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| damaged("a line is not base64"))
    }

    fn array<const LENGTH: usize>(
        &mut self,
        name: &'static str,
    ) -> Result<[u8; LENGTH], KeyFileError> {
        let bytes = self.base64(name)?;
        bytes.as_slice().try_into().map_err(|_| damaged("its salt or nonce has the wrong length"))
    }

    fn seal(&mut self) -> Result<Seal, KeyFileError> {
        let cost = parse_cost(self.next("cost")?)?;
        Ok(Seal { cost, salt: self.array("salt")?, nonce: self.array("nonce")? })
    }
}

fn parse_cost(text: &str) -> Result<Cost, KeyFileError> {
    let mut values = text.split(' ');
    let mut next = |name: &str| {
        values
            .next()
            .and_then(|value| value.strip_prefix(name)?.strip_prefix('=')?.parse::<u32>().ok())
            .ok_or(damaged("its cost"))
    };
    Cost::new(next("memory")?, next("passes")?, next("lanes")?)
}

#[cfg(test)]
mod tests;
