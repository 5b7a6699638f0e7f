//! Looking for one peer among `dnsaddr` texts, which may lead to further names.

use std::collections::{BTreeSet, VecDeque};

use libp2p_identity::PeerId;
use multiaddr::{Multiaddr, Protocol};

use super::{TEXT_PREFIX, list_name, peer_name};
use crate::limits::{
    MAX_ADDRESSES_PER_PEER, MAX_DNS_LABEL_BYTES, MAX_DNS_NAME_BYTES, MAX_DNSADDR_BYTES,
    MAX_DNSADDR_DEPTH, MAX_DNSADDR_QUESTIONS, MAX_DNSADDR_TEXTS,
};
use crate::routing::address::{peer_suffix, without_peer};

/// A name whose texts are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name, without a dot at its end.
    pub name: String,
    depth: u8,
}

/// A walk through `dnsaddr` texts in search of one peer. It asks for at most
/// [`MAX_DNSADDR_QUESTIONS`] names and follows [`MAX_DNSADDR_DEPTH`] of them
/// in a row, whatever the texts say.
///
/// ```
/// use peerage_core::discovery::zone::Walk;
/// # let peer: libp2p_identity::PeerId = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq".parse()?;
///
/// let mut walk = Walk::new(peer, ["example.org"]);
/// let own = walk.next_question().expect("the peer's own name");
/// let text = format!("dnsaddr=/ip4/192.0.2.1/tcp/4001/p2p/{peer}");
/// assert_eq!(walk.answer(&own, [text.as_bytes()]), ["/ip4/192.0.2.1/tcp/4001".parse()?]);
/// assert_eq!(walk.next_question().expect("the list").name, "_dnsaddr.example.org");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Walk {
    peer: PeerId,
    waiting: VecDeque<Question>,
    named: BTreeSet<String>,
    found: Vec<Multiaddr>,
}

impl Walk {
    /// Begins at the peer's own name in each zone, and then each zone's list.
    pub fn new<'a>(peer: PeerId, zones: impl IntoIterator<Item = &'a str> + Clone) -> Self {
        let mut walk =
            Self { peer, waiting: VecDeque::new(), named: BTreeSet::new(), found: Vec::new() };
        let own = zones.clone().into_iter().filter_map(|zone| peer_name(&peer, zone));
        for name in own.chain(zones.into_iter().map(list_name)) {
            walk.want(name, 1);
        }
        walk
    }

    /// The next name to ask for. All that are known can be asked for at once.
    pub fn next_question(&mut self) -> Option<Question> {
        self.waiting.pop_front()
    }

    /// Takes the texts of a name, and gives the addresses of the peer that are
    /// new, without the peer at their end.
    pub fn answer<'a>(
        &mut self,
        question: &Question,
        texts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Vec<Multiaddr> {
        let before = self.found.len();
        for text in texts.into_iter().take(MAX_DNSADDR_TEXTS) {
            if let Some(address) = read_text(text) {
                self.take(&address, question.depth);
            }
        }
        self.found[before..].to_vec()
    }

    fn take(&mut self, address: &Multiaddr, depth: u8) {
        let named = peer_suffix(address);
        let address = without_peer(address);
        if named.is_some_and(|peer| peer != self.peer) {
            return;
        }
        match address.iter().next() {
            Some(Protocol::Dnsaddr(name)) => self.want(list_name(&name), depth.saturating_add(1)),
            Some(_) if named.is_some() => self.keep(address),
            _ => {}
        }
    }

    fn keep(&mut self, address: Multiaddr) {
        if self.found.len() < MAX_ADDRESSES_PER_PEER && !self.found.contains(&address) {
            self.found.push(address);
        }
    }

    fn want(&mut self, name: String, depth: u8) {
        let name = name.to_ascii_lowercase();
        let wanted = depth <= MAX_DNSADDR_DEPTH && self.named.len() < MAX_DNSADDR_QUESTIONS;
        if wanted && is_name(&name) && self.named.insert(name.clone()) {
            self.waiting.push_back(Question { name, depth });
        }
    }
}

fn read_text(text: &[u8]) -> Option<Multiaddr> {
    if text.len() > MAX_DNSADDR_BYTES {
        return None;
    }
    std::str::from_utf8(text).ok()?.strip_prefix(TEXT_PREFIX)?.parse().ok()
}

/// Letters, digits, hyphens and underscores between dots.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let fits = (1..=MAX_DNS_LABEL_BYTES).contains(&label.len());
        fits && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.len() <= MAX_DNS_NAME_BYTES && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PEER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    const OTHER: &str = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq";

    fn walk() -> Walk {
        Walk::new(PEER.parse().unwrap(), ["example.org."])
    }

    fn answer(walk: &mut Walk, texts: &[String]) -> Vec<String> {
        let question = walk.next_question().unwrap();
        let found = walk.answer(&question, texts.iter().map(|text| text.as_bytes()));
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_the_peers_own_addresses_count_and_each_once() {
        let mut walk = walk();
        let texts = [
            format!("dnsaddr=/ip4/192.0.2.1/tcp/1/p2p/{PEER}"),
            format!("dnsaddr=/ip4/192.0.2.1/tcp/1/p2p/{PEER}"),
            format!("dnsaddr=/ip4/192.0.2.2/tcp/1/p2p/{OTHER}"),
            format!("/ip4/192.0.2.3/tcp/1/p2p/{PEER}"),
            "dnsaddr=/ip4/192.0.2.4/tcp/1".to_owned(),
            format!("dnsaddr=/p2p/{PEER}"),
            "dnsaddr=".to_owned(),
            "v=spf1 -all".to_owned(),
        ];
        assert_eq!(answer(&mut walk, &texts), ["/ip4/192.0.2.1/tcp/1"]);
        assert_eq!(answer(&mut walk, &texts), Vec::<String>::new());
        assert_eq!(walk.next_question(), None);
    }

    #[test]
    fn names_are_followed_unless_they_are_another_peers() {
        let mut walk = walk();
        let texts = [
            format!("dnsaddr=/dnsaddr/One.example.net/p2p/{PEER}"),
            "dnsaddr=/dnsaddr/two.example.net".to_owned(),
            format!("dnsaddr=/dnsaddr/three.example.net/p2p/{OTHER}"),
            "dnsaddr=/dnsaddr/a b".to_owned(),
        ];
        answer(&mut walk, &texts);
        let names: Vec<String> =
            std::iter::from_fn(|| walk.next_question()).map(|question| question.name).collect();
        let expected =
            ["_dnsaddr.example.org", "_dnsaddr.one.example.net", "_dnsaddr.two.example.net"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_chain_and_a_fan_of_names_end() {
        let mut chain = Walk::new(PEER.parse().unwrap(), ["0.example"]);
        let mut asked = 0_u8;
        while let Some(question) = chain.next_question() {
            asked += 1;
            let next = format!("dnsaddr=/dnsaddr/{asked}.example");
            chain.answer(&question, [next.as_bytes()]);
        }
        assert!(asked <= 2 * MAX_DNSADDR_DEPTH, "{asked}");

        let mut fan = walk();
        let texts: Vec<String> =
            (0..100).map(|n| format!("dnsaddr=/dnsaddr/{n}.example")).collect();
        answer(&mut fan, &texts);
        let waiting = std::iter::from_fn(|| fan.next_question()).count();
        assert_eq!(waiting + 1, MAX_DNSADDR_QUESTIONS);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_passed_over(texts: Vec<Vec<u8>>) {
            let mut walk = walk();
            while let Some(question) = walk.next_question() {
                walk.answer(&question, texts.iter().map(Vec::as_slice));
            }
        }
    }
}
