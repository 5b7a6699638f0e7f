//! Records in dag-cbor.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerage_core::data::dag_cbor::{self, Ipld};

fuzz_target!(|block: &[u8]| {
    let checked = dag_cbor::check(block).is_ok();
    let links = dag_cbor::links(block);
    let record = dag_cbor::decode::<Ipld>(block);
    assert!(checked || (links.is_err() && record.is_err()), "read what the check refused");
    let Ok(record) = record else { return };

    // What was read can be written, and then stays as it is.
    let written = dag_cbor::encode(&record).expect("a record that was read can be written");
    let again: Ipld = dag_cbor::decode(&written).expect("what was written is read");
    assert_eq!(dag_cbor::encode(&again).expect("as before"), written);

    let mut inside = Vec::new();
    record.references(&mut inside);
    let mut links = links.expect("a record that is read has links that are read");
    links.sort();
    inside.sort();
    assert_eq!(links, inside);
});
