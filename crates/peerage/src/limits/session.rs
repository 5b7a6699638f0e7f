//! Limits: a running peer of one home.

/// How many keys a session is found under besides its peer id: as many as any
/// way announces. With more, the newest content stays.
pub const MAX_PUBLISHED_KEYS: usize = 1024;
