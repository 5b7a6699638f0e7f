//! Limits: links.

/// The longest link, in bytes: 4 KiB, more than a QR code holds and about what
/// chats and shells pass on whole.
pub const MAX_LINK_BYTES: usize = 4 * 1024;

/// The most providers that a link names: 8.
pub const MAX_LINK_PROVIDERS: usize = 8;

/// The most addresses that a link gives for one provider: 16; a machine with
/// more has too many for a receiver to try in turn.
pub const MAX_LINK_ADDRESSES: usize = 16;
