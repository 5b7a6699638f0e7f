//! The integration tests of `peerage-core`, one module a topic.
