//! Limits: text from others.

/// The most marks without width that are shown on one character: 8. Written
/// languages need four; more pile up over the neighbouring lines.
pub const MAX_COMBINING_MARKS: usize = 8;
