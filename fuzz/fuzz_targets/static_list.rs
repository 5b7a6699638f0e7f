//! Lists of peers, and which of their addresses are worth dialling.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerage_core::{
    discovery::{Findings, Network, Surroundings, WayName, read_static_list},
    limits::{MAX_ADDRESSES_PER_PEER, MAX_STATIC_ENTRIES},
};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(list) = read_static_list(text) else { return };
    assert!(list.len() <= MAX_STATIC_ENTRIES);
    let here = Surroundings::new([Network::new([192, 168, 1, 7].into(), 24)]);
    let mut findings = Findings::default();
    for entry in &list {
        assert!(entry.addresses.len() <= MAX_ADDRESSES_PER_PEER);
        let worth = here.worth_dialling(&entry.addresses);
        assert!(worth.iter().all(|address| entry.addresses.contains(address)));
        findings.take(WayName::Static, entry, std::time::Duration::ZERO);
    }
    let written: String = list
        .iter()
        .flat_map(|entry| entry.addresses.iter().map(|it| format!("{it}/p2p/{}\n", entry.peer)))
        .collect();
    if written.len() <= peerage_core::limits::MAX_STATIC_LIST_BYTES {
        assert_eq!(read_static_list(&written).as_ref(), Ok(&list));
    }
});
