//! Limits: the home folder.

/// The most identities in one key store: 1024, so that listing them stays
/// quick whatever is in the folder.
pub const MAX_IDENTITIES: usize = 1024;
