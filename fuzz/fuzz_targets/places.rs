//! Addresses: what is judged is what is dialled.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerage_core::routing::address::{
    Channel, Family, Host, Multiaddr, Place, Protocol, is_loopback, of_peer, peer_suffix,
};

fuzz_target!(|input: &[u8]| {
    let read = Multiaddr::try_from(input.to_vec()).ok();
    let text = std::str::from_utf8(input).ok().and_then(|text| text.parse().ok());
    for address in read.into_iter().chain(text) {
        check(&address);
    }
});

fn check(address: &Multiaddr) {
    let Ok(place) = Place::try_from(address) else { return };
    // Written and read again it is the same place.
    let written = Multiaddr::from(&place);
    assert_eq!(Place::try_from(&written).as_ref(), Ok(&place));
    // There is one host and one port, and they come first.
    let mut parts = address.iter();
    match (place.host(), parts.next()) {
        (Host::Ip(ip), Some(Protocol::Ip4(named))) => assert_eq!(*ip, named),
        (Host::Ip(ip), Some(Protocol::Ip6(named))) => assert_eq!(*ip, named),
        (Host::Name { name, family }, Some(part)) => check_name(name, *family, &part),
        (host, part) => panic!("{host:?} was read of {part:?}"),
    }
    let port =
        matches!(parts.next(), Some(Protocol::Tcp(n) | Protocol::Udp(n)) if n == place.port());
    assert!(port && place.port() != 0, "{address}");
    let more = |part: Protocol<'_>| {
        let elsewhere = matches!(
            part,
            Protocol::Ip4(_) | Protocol::Ip6(_) | Protocol::Tcp(_) | Protocol::Udp(_)
        );
        elsewhere || part.to_string().starts_with("/dns") || part.to_string().starts_with("/unix")
    };
    assert!(!parts.any(more), "{address}");
    assert!(
        place.relay().is_none()
            || !matches!(place.channel(), Channel::RelayHttp | Channel::RelayHttps)
    );
    check_peer(&place, address);
}

fn check_name(name: &str, family: Family, part: &Protocol<'_>) {
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)));
    assert!(name.parse::<std::net::IpAddr>().is_err(), "{name}");
    let said = match (family, part) {
        (Family::Any, Protocol::Dns(said))
        | (Family::V4, Protocol::Dns4(said))
        | (Family::V6, Protocol::Dns6(said)) => said,
        _ => panic!("{name} was read of {part:?}"),
    };
    assert_eq!(said.trim_end_matches('.').to_ascii_lowercase(), name);
}

fn check_peer(place: &Place, address: &Multiaddr) {
    assert_eq!(place.peer(), peer_suffix(address));
    if let Some(peer) = place.peer() {
        let bare = of_peer(address, &peer).expect("more than the peer");
        let bare_place = Place::try_from(&bare).expect("a place without its peer");
        assert_eq!(bare_place.host(), place.host());
        assert_eq!(is_loopback(&bare), is_loopback(address));
    }
}
