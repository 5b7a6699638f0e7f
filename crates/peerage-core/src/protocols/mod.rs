//! What two peers say on a stream: the codec and the state machine of every
//! protocol.

pub mod exchange;
