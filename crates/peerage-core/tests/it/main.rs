//! The integration tests of `peerage-core`, one module a topic.
mod unixfs_vectors;
