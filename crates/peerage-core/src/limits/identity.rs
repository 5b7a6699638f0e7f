//! Limits: keys and names.

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

/// The longest text that is read as a peer id, in bytes: 128. The longest
/// written form of one (an RSA peer's, in base 16) is under 90.
pub const MAX_PEER_ID_TEXT_BYTES: usize = 128;
