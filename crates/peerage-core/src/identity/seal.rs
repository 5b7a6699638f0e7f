//! How a passphrase protects a private key: Argon2id (RFC 9106) makes a key
//! of it, and XChaCha20-Poly1305 encrypts and authenticates with that.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use zeroize::Zeroizing;

use super::error::KeyFileError;
use crate::limits::{MAX_KEY_LANES, MAX_KEY_MEMORY_KIB, MAX_KEY_PASSES, MAX_PASSPHRASE_BYTES};

/// What Argon2id needs at the least for one lane, in KiB (RFC 9106, 3.1).
const MIN_MEMORY_KIB_PER_LANE: u32 = 8;

/// How much work it is to try one passphrase. Always within the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// The least that Argon2id takes: for tests, and for keys that need no
    /// protection.
    pub const MINIMUM: Self = Self { memory_kib: MIN_MEMORY_KIB_PER_LANE, passes: 1, lanes: 1 };

    /// A cost of that much memory (in KiB), passes over it, and lanes.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::Cost`] when one is zero or over its limit
    /// ([`MAX_KEY_MEMORY_KIB`], [`MAX_KEY_PASSES`], [`MAX_KEY_LANES`]), or
    /// the memory is under 8 KiB a lane.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, KeyFileError> {
        let allowed = (1..=MAX_KEY_LANES).contains(&lanes)
            && (1..=MAX_KEY_PASSES).contains(&passes)
            && (MIN_MEMORY_KIB_PER_LANE * lanes..=MAX_KEY_MEMORY_KIB).contains(&memory_kib);
        if !allowed {
            return Err(KeyFileError::Cost { memory_kib, passes, lanes });
        }
        Ok(Self { memory_kib, passes, lanes })
    }

    /// The memory that one try uses, in KiB.
    #[must_use]
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// The passes over that memory.
    #[must_use]
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// The lanes that the memory is divided into.
    #[must_use]
    pub const fn lanes(self) -> u32 {
        self.lanes
    }
}

/// 32 MiB and four passes: more work than OWASP's recommended minimum (19 MiB
/// and two, or 46 MiB and one), about a tenth of a second, and little enough
/// memory that a node stays small while it opens its key.
impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 32 * 1024, passes: 4, lanes: 1 }
    }
}

/// What a private key is sealed with, apart from the passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// How much work one try is.
    pub cost: Cost,
    /// Random bytes, new for every sealing.
    pub salt: [u8; 16],
    /// Random bytes, new for every sealing.
    pub nonce: [u8; 24],
}

impl Seal {
    /// Encrypts `secret`; `header` is authenticated with it.
    pub(super) fn close(
        &self,
        passphrase: &str,
        header: &[u8],
        secret: &[u8],
    ) -> Result<Vec<u8>, KeyFileError> {
        self.cipher(passphrase)?
            .encrypt(&XNonce::from(self.nonce), Payload { msg: secret, aad: header })
            .map_err(|_| KeyFileError::TooLarge)
    }

    /// Decrypts what [`Self::close`] made with the same passphrase and header.
    pub(super) fn open(
        &self,
        passphrase: &str,
        header: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        self.cipher(passphrase)?
            .decrypt(&XNonce::from(self.nonce), Payload { msg: ciphertext, aad: header })
            .map(Zeroizing::new)
            .map_err(|_| KeyFileError::WrongPassphrase)
    }

    fn cipher(&self, passphrase: &str) -> Result<XChaCha20Poly1305, KeyFileError> {
        if passphrase.is_empty() {
            return Err(KeyFileError::EmptyPassphrase);
        }
        if passphrase.len() > MAX_PASSPHRASE_BYTES {
            return Err(KeyFileError::LongPassphrase);
        }
        let Cost { memory_kib, passes, lanes } = self.cost;
        let params = Params::new(memory_kib, passes, lanes, Some(32))
            .expect("a cost is within what Argon2id takes");
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &self.salt, &mut key[..])
            .map_err(|_| KeyFileError::OutOfMemory { memory_kib })?;
        Ok(XChaCha20Poly1305::new((&*key).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAL: Seal = Seal { cost: Cost::MINIMUM, salt: [1; 16], nonce: [2; 24] };

    #[test]
    fn opens_with_the_same_passphrase_and_header_only() {
        let sealed = SEAL.close("dawn", b"header", b"secret").expect("sealed");
        assert_eq!(SEAL.open("dawn", b"header", &sealed).expect("opens")[..], b"secret"[..]);
        for (passphrase, header) in [("dusk", "header"), ("dawn", "other")] {
            let refused = SEAL.open(passphrase, header.as_bytes(), &sealed);
            assert_eq!(refused, Err(KeyFileError::WrongPassphrase));
        }
    }

    #[test]
    fn a_passphrase_has_a_least_and_a_greatest_length() {
        let close = |passphrase: &str| SEAL.close(passphrase, b"", b"").map(|_| ());
        assert_eq!(close(""), Err(KeyFileError::EmptyPassphrase));
        assert_eq!(close(&"x".repeat(MAX_PASSPHRASE_BYTES)), Ok(()));
        let longer = "x".repeat(MAX_PASSPHRASE_BYTES + 1);
        assert_eq!(close(&longer), Err(KeyFileError::LongPassphrase));
    }

    #[test]
    fn the_cost_is_bounded_on_both_sides() {
        let (memory, passes, lanes) = (MAX_KEY_MEMORY_KIB, MAX_KEY_PASSES, MAX_KEY_LANES);
        assert!(Cost::new(memory, passes, lanes).is_ok());
        assert_eq!(Cost::new(8, 1, 1), Ok(Cost::MINIMUM));
        for (memory_kib, passes, lanes) in [
            (memory + 1, 1, 1),
            (u32::MAX, 1, 1),
            (8, passes + 1, 1),
            (memory, 1, lanes + 1),
            (7, 1, 1),
            (8, 1, 2),
            (8, 0, 1),
            (8, 1, 0),
        ] {
            let refused = Cost::new(memory_kib, passes, lanes);
            assert_eq!(refused, Err(KeyFileError::Cost { memory_kib, passes, lanes }));
        }
    }
}
