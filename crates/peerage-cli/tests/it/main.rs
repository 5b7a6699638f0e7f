//! The integration tests of `peerage-cli`, one module a topic.
