//! Kademlia, the pure part: which records, addresses and peers are taken from
//! others, and which are refused.

mod diversity;
mod record;
mod scope;

pub use diversity::{Diversity, Network};
pub use record::{Offer, RecordRefusal, check_record, record_key};
pub use scope::AddressScope;
