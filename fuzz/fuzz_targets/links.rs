//! Links, and whatever else a person may paste.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerage_core::{
    identity::{parse_peer_id, peer_id_to_cid},
    limits::{MAX_LINK_ADDRESSES, MAX_LINK_BYTES, MAX_LINK_PROVIDERS},
    link::{Link, Target},
};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(peer) = parse_peer_id(text) {
        assert_eq!(parse_peer_id(&peer.to_base58()), Ok(peer));
        assert_eq!(parse_peer_id(&peer_id_to_cid(&peer).to_string()), Ok(peer));
    }
    match Target::parse(text) {
        Ok(Target::Link(link)) => {
            assert_eq!(text.trim().parse().as_ref(), Ok(&link));
            check(&link);
        }
        Ok(Target::Cid(cid)) => {
            assert_eq!(Target::parse(&cid.to_string()), Ok(Target::Cid(cid)));
            check(&Link::new(cid).expect("a target's CID is one that a link takes"));
        }
        Err(error) => {
            assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
        }
    }
});

/// A link that was read is written in two forms, and each is read as the same.
fn check(link: &Link) {
    assert!(link.providers().len() <= MAX_LINK_PROVIDERS);
    assert!(link.providers().iter().all(|peer| peer.addresses().len() <= MAX_LINK_ADDRESSES));
    for text in [link.to_string(), link.to_qr_text()] {
        if text.len() <= MAX_LINK_BYTES {
            assert_eq!(text.parse().as_ref(), Ok(link), "{text}");
        }
    }
}
