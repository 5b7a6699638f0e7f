//! What a stranger offers to Kademlia: an address, the key of a record, a
//! record, and the one that is kept under that key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerage_core::topology::kademlia::{AddressScope, Offer, check_record, record_key};
use peerage_fuzz::Parts;

fuzz_target!(|input: &[u8]| {
    let mut parts = Parts::of(input);
    if let Some(Ok(address)) = parts.text().map(str::parse) {
        let admits = |scope: AddressScope| scope.admits(&address);
        assert!(!admits(AddressScope::Internet) || admits(AddressScope::Private));
        assert!(!admits(AddressScope::Private) || admits(AddressScope::Machine));
    }
    let (key, value, stored) = (parts.part(), parts.part(), parts.part());
    let stored = Some(stored).filter(|stored| !stored.is_empty());
    if let Ok(Offer::Newer(record) | Offer::Same(record)) = check_record(key, value, stored) {
        assert_eq!(record_key(&record.peer()), key);
        let again = check_record(key, &record.encode(), Some(value));
        assert!(matches!(again, Ok(Offer::Same(same)) if same.sequence() == record.sequence()));
    }
});
