use multiaddr::Protocol;
use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::{
    data::hash,
    identity::{KeyKind, PeerIdError, generate},
    text::{FileNameError, Platform},
};

const CID: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
const CID_V0: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
const PEER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

fn parse(text: &str) -> Result<Link, LinkError> {
    text.parse()
}

fn error(text: &str) -> LinkError {
    parse(text).expect_err(text)
}

fn peer(seed: u8) -> PeerId {
    generate(KeyKind::Ed25519, [seed; 32].into()).public().to_peer_id()
}

fn name(bytes: &[u8]) -> FileName {
    FileName::parse(bytes, Platform::Unix).expect("a file name")
}

/// What version 1 means can't change: the links are in people's messages.
#[test]
fn version_1_stays_frozen() {
    for line in include_str!("../../tests/vectors/links-1.txt").lines() {
        let (text, meaning) = line.split_once(' ').expect("a link and its meaning");
        let link = parse(text).expect(text);
        assert_eq!(described(&link), meaning, "{text}");
        assert_eq!(parse(&link.to_string()), Ok(link));
    }
}

fn described(link: &Link) -> String {
    let providers = link.providers().iter().map(|provider| {
        let addresses = provider.addresses().iter().map(|address| format!("{address};"));
        format!("{} {}", provider.peer(), addresses.collect::<String>())
    });
    let name = link.name().map(|name| name.as_bytes().escape_ascii().to_string());
    let providers = providers.collect::<Vec<_>>().join(" ");
    format!("{} [{providers}] {name:?} {:?}", link.cid(), link.size())
}

#[test]
fn the_text_is_what_is_documented() {
    let addresses = ["/ip4/192.168.1.5/tcp/4001", "/ip4/192.168.1.5/udp/4001/quic-v1"];
    let addresses = addresses.map(|address| address.parse().expect("an address")).to_vec();
    let provider = Provider::new(PEER.parse().expect("a peer id"), addresses).expect("a provider");
    let link = Link::new(CID.parse().expect("a CID"))
        .and_then(|link| link.with_provider(provider))
        .expect("a link")
        .with_name(name("Été_1.".as_bytes()))
        .with_size(12_345);
    assert_eq!(
        link.to_string(),
        format!(
            "peerage:1/{CID}/{PEER}-atakqaifayh2c-atakqaifseba7ionam/n=%C3%89t%C3%A9%5F1%2E/s=12345"
        )
    );
    assert_eq!(
        link.to_qr_text(),
        format!(
            "PEERAGE:1/{}/{}-ATAKQAIFAYH2C-ATAKQAIFSEBA7IONAM/n=%C3%89t%C3%A9%5F1%2E/s=12345",
            CID.to_uppercase(),
            "K51QZI5UQU5DHDMYB9BD18PYPU2WP5LPV2XNSKFMRQA4LB5KNQRYROTB05E7OR"
        )
    );
}

#[test]
fn the_peers_own_id_is_left_out_of_addresses() {
    let own = peer(1);
    let relay: Multiaddr = format!("/dns4/relay.example/tcp/1/p2p/{}/p2p-circuit", peer(2))
        .parse()
        .expect("an address");
    let provider = Provider::new(own, vec![relay.clone().with(Protocol::P2p(own))]);
    assert_eq!(provider.expect("a provider").addresses(), [relay]);
    let other: Multiaddr =
        format!("/ip4/1.2.3.4/tcp/1/p2p/{}", peer(2)).parse().expect("an address");
    assert_eq!(Provider::new(own, vec![other]), Err(LinkError::OtherPeersAddress));
    assert_eq!(Provider::new(own, vec![Multiaddr::empty()]), Err(LinkError::BadAddress));
}

#[test]
fn each_wrong_thing_has_its_reason() {
    let link = format!("peerage:1/{CID}");
    let long = format!("{link}/n={}", "x".repeat(256));
    assert_eq!(error("https://example.org/"), LinkError::NotALink);
    assert_eq!(error("peerage:"), LinkError::NotALink);
    assert_eq!(error("peerage:one/x"), LinkError::NotALink);
    assert_eq!(error("peerage:+1/x"), LinkError::NotALink);
    assert_eq!(error("peerage:2/whatever"), LinkError::NewerVersion { version: 2 });
    assert_eq!(error("peerage:1"), LinkError::BadCid);
    assert_eq!(error(&link[..link.len() - 4]), LinkError::BadCid);
    assert_eq!(error(&format!("{link}/")), LinkError::EmptyPart);
    assert_eq!(error(&format!("{link}//{PEER}")), LinkError::EmptyPart);
    assert_eq!(error(&format!("{link} /{PEER}")), LinkError::Broken);
    assert_eq!(error(&format!("{link}\n/{PEER}")), LinkError::Broken);
    assert!(matches!(error(&format!("{link}/{}", &PEER[..30])), LinkError::BadPeerId(_)));
    assert_eq!(error(&format!("{link}/-aa")), LinkError::BadPeerId(PeerIdError::Empty));
    for address in ["", "a", "atakqaifay", "8888"] {
        assert_eq!(error(&format!("{link}/{PEER}-{address}")), LinkError::BadAddress);
    }
    assert_eq!(error(&format!("{link}/n=a%2")), LinkError::BadEncoding);
    assert_eq!(error(&format!("{link}/n=a%zz")), LinkError::BadEncoding);
    assert_eq!(error(&format!("{link}/n=")), LinkError::BadName(FileNameError::Empty));
    assert_eq!(error(&format!("{link}/n=..%2Fx")), LinkError::BadName(FileNameError::Separator));
    assert_eq!(error(&long), LinkError::BadName(FileNameError::TooLong));
    assert_eq!(error(&format!("{link}/n=a/n=b")), LinkError::Twice { field: "names" });
    assert_eq!(error(&format!("{link}/s=1/s=1")), LinkError::Twice { field: "sizes" });
    for size in ["", "-1", "+1", "1e3", "18446744073709551616"] {
        assert_eq!(error(&format!("{link}/s={size}")), LinkError::BadSize);
    }
}

#[test]
fn only_what_can_be_read_and_verified_is_taken() {
    let digest = *hash(codec::RAW, HashKind::Sha2_256, b"dawn").hash();
    let git = Cid::new_v1(0x78, digest);
    let sha3 = cid::multihash::Multihash::wrap(0x16, &[0; 32]).expect("fits");
    let short = cid::multihash::Multihash::wrap(0x12, &[0; 20]).expect("fits");
    assert_eq!(error(&format!("peerage:1/{git}")), LinkError::UnsupportedCodec { codec: 0x78 });
    for (hash, code) in [(sha3, 0x16), (short, 0x12)] {
        let cid = Cid::new_v1(codec::RAW, hash);
        assert_eq!(Link::new(cid), Err(LinkError::UnsupportedHash { code }));
    }
    assert!(Link::new(hash(codec::RAW, HashKind::Blake3, b"dawn")).is_ok());
    assert!(parse(&format!("peerage:1/{CID_V0}")).is_ok());
}

#[test]
fn the_limits_hold_on_both_sides() {
    let link = format!("peerage:1/{CID}");
    let most = format!("{link}{}", format!("/{PEER}").repeat(MAX_LINK_PROVIDERS));
    assert!(parse(&most).is_ok());
    let providers = MAX_LINK_PROVIDERS + 1;
    assert_eq!(error(&format!("{most}/{PEER}")), LinkError::TooManyProviders { providers });

    let most = format!("{link}/{PEER}{}", "-atakqaifayh2c".repeat(MAX_LINK_ADDRESSES));
    assert!(parse(&most).is_ok());
    let addresses = MAX_LINK_ADDRESSES + 1;
    let refused = LinkError::TooManyAddresses { addresses };
    assert_eq!(error(&format!("{most}-atakqaifayh2c")), refused);

    let padding = "x".repeat(MAX_LINK_BYTES - link.len() - "/x=".len());
    let longest = format!("{link}/x={padding}");
    assert!(parse(&longest).is_ok());
    assert_eq!(error(&format!("{longest}x")), LinkError::TooLong { bytes: MAX_LINK_BYTES + 1 });
}

#[test]
fn a_link_that_would_be_too_long_is_not_made() {
    let domain = "x".repeat(200);
    let address: Multiaddr = format!("/dns4/{domain}/tcp/1").parse().expect("an address");
    let provider = Provider::new(peer(1), vec![address; 8]).expect("a provider");
    let link = Link::new(CID.parse().expect("a CID")).expect("a link");
    let one = link.with_provider(provider.clone()).expect("fits");
    let longest = one.clone().with_name(name(&[0xff; 255])).with_size(u64::MAX);
    assert_eq!(parse(&longest.to_string()), Ok(longest));
    assert!(matches!(one.with_provider(provider), Err(LinkError::TooLong { .. })));
}

#[test]
fn unknown_fields_and_the_case_of_the_scheme_are_ignored() {
    let plain = parse(&format!("peerage:1/{CID}/n=a")).expect("a link");
    assert_eq!(parse(&format!("Peerage:1/{CID}/later=x/n=a/k=")), Ok(plain));
}

#[test]
fn a_target_is_a_link_or_a_cid() {
    let link = format!("peerage:1/{CID}/{PEER}/n=a/s=5");
    let target = Target::parse(&format!(" {link}\n")).expect("a link");
    assert_eq!((target.providers().len(), target.size()), (1, Some(5)));
    assert_eq!(target.name(), Some(&name(b"a")));
    for text in [
        CID,
        &CID.to_uppercase(),
        &format!("ipfs://{CID}"),
        &format!("IPFS://{CID}/"),
        &format!("/ipfs/{CID}"),
    ] {
        assert_eq!(
            Target::parse(text).map(|target| target.cid().to_string()),
            Ok(CID.into()),
            "{text}"
        );
    }
    assert_eq!(Target::parse(CID_V0).map(|target| target.cid().to_string()), Ok(CID_V0.into()));
}

#[test]
fn a_wrong_target_has_its_reason() {
    for (text, error) in [
        ("", LinkError::NotALink),
        ("photos", LinkError::NotALink),
        ("x/ipfs/QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n", LinkError::NotALink),
        ("https://ipfs.io/ipfs/bafy", LinkError::NotALink),
        (PEER, LinkError::NamesPeer),
        ("k51qzi5uqu5dhdmyb9bd18pypu2wp5lpv2xnskfmrqa4lb5knqryrotb05e7or", LinkError::NamesPeer),
        (&CID[..50], LinkError::BadCid),
        (&format!("ipfs://{CID}/a.jpg"), LinkError::PathBelow),
        (&format!("{CID} {CID}"), LinkError::Broken),
        (&"x".repeat(MAX_LINK_BYTES + 1), LinkError::TooLong { bytes: MAX_LINK_BYTES + 1 }),
    ] {
        assert_eq!(Target::parse(text), Err(error), "{text}");
    }
}

fn any_address() -> impl Strategy<Value = Multiaddr> {
    prop_oneof![
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| {
            Multiaddr::from(std::net::Ipv4Addr::from(ip)).with(Protocol::Tcp(port))
        }),
        (any::<[u8; 16]>(), any::<u16>()).prop_map(|(ip, port)| {
            Multiaddr::from(std::net::Ipv6Addr::from(ip))
                .with(Protocol::Udp(port))
                .with(Protocol::QuicV1)
        }),
        ("[a-z.]{1,30}", any::<u16>(), 0_u8..8).prop_map(|(domain, port, relay)| {
            Multiaddr::from(Protocol::Dns(domain.into()))
                .with(Protocol::Tcp(port))
                .with(Protocol::P2p(peer(relay)))
                .with(Protocol::P2pCircuit)
        }),
    ]
}

fn any_link() -> impl Strategy<Value = Link> {
    let provider = (0_u8..8, vec(any_address(), 0..4));
    let name = vec(any::<u8>(), 1..=255);
    (any::<[u8; 4]>(), any::<bool>(), vec(provider, 0..4), option::of(name), any::<Option<u64>>())
        .prop_map(|(data, old, providers, bytes, size)| {
            let v1 = hash(codec::DAG_PB, HashKind::Sha2_256, &data);
            let cid = if old { Cid::new_v0(*v1.hash()).expect("SHA-256") } else { v1 };
            let mut link = Link::new(cid).expect("a link");
            for (seed, addresses) in providers {
                let provider = Provider::new(peer(seed), addresses).expect("a provider");
                link = link.with_provider(provider).expect("fits");
            }
            link.name = bytes.and_then(|bytes| FileName::parse(&bytes, Platform::Unix).ok());
            Link { size, ..link }
        })
}

proptest! {
    #[test]
    fn a_link_is_read_as_it_was_written(link in any_link()) {
        let text = link.to_string();
        prop_assert!(text.len() <= MAX_LINK_BYTES);
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/-=.%".contains(&byte)));
        prop_assert_eq!(&parse(&text)?, &link);
        prop_assert_eq!(&parse(&link.to_qr_text())?, &link);
        prop_assert_eq!(Target::parse(&text)?, Target::Link(link));
    }

    #[test]
    fn never_panics(text in any::<String>()) {
        let _ = Target::parse(&text);
        let _ = parse(&format!("peerage:1/{CID}/{text}"));
    }

    #[test]
    fn what_is_accepted_is_read_again_as_the_same(text in "[-/=%a-zA-Z0-9.]{0,60}", bytes in vec(any::<u8>(), 0..40)) {
        let address = BASE32_NOPAD.encode(&bytes);
        for text in [format!("peerage:1/{CID}/{text}"), format!("peerage:1/{CID}/{PEER}-{address}/{text}")] {
            if let Ok(link) = parse(&text) {
                prop_assert_eq!(parse(&link.to_string())?, link);
            }
        }
    }
}
