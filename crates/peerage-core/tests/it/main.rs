//! The integration tests of `peerage-core`, one module a topic.
mod limits;
mod unixfs_vectors;
