//! The integration tests of `peerage`, one module a topic.
