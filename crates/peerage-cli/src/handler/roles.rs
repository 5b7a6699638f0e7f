//! `roles`: what a peer is made of, and which of it runs in this home.

use std::collections::BTreeSet;

use peerage::{exchange::gateway, pipe, routing::TransportKind};

use crate::{
    context::Context,
    event::{Event, RoleLine},
    failure::Failure,
    host::Host,
};

/// A role, as the handbook has it.
struct Role {
    name: &'static str,
    question: &'static str,
    ways: &'static [&'static str],
    not_yet: &'static [&'static str],
}

/// All roles, in the order of the handbook's chapters; its page of roles has the
/// same ways, and a test compares the two.
const ROLES: [Role; 8] = [
    Role {
        name: "identity",
        question: "Who am I, and who is that?",
        ways: &["ed25519", "secp256k1"],
        not_yet: &["pairing"],
    },
    Role {
        name: "discovery",
        question: "Given a key, which peers are there, and where?",
        ways: &["lan", "kademlia", "mainline", "tracker", "dns", "static"],
        not_yet: &[],
    },
    Role {
        name: "peer routing",
        question: "Given a peer, how do I get a stream?",
        ways: &["tcp", "quic", "websocket", "roaming", "relay", "circuit", "port-mapping"],
        not_yet: &[],
    },
    Role {
        name: "topology",
        question: "Which peers do I stay connected with?",
        ways: &["hubs", "kademlia"],
        not_yet: &[],
    },
    Role {
        name: "content routing",
        question: "Given a message, which peers get it?",
        ways: &[],
        not_yet: &["gossip"],
    },
    Role {
        name: "data structures",
        question: "What survives an unreliable network and strangers?",
        ways: &["blocks", "files", "car"],
        not_yet: &["databases"],
    },
    Role {
        name: "protocol",
        question: "What do two peers say on a stream?",
        ways: &["gateway", "http", "bitswap", "pipe", "ping"],
        not_yet: &["payment", "replicas"],
    },
    Role {
        name: "applications",
        question: "What do people do with it?",
        ways: &["command"],
        not_yet: &["pictures"],
    },
];

/// What runs wherever a home's node does: its store, and what asks it this.
const ALWAYS: [&str; 4] = ["blocks", "files", "car", "command"];

/// Says of each role which ways it has, and which of them run.
///
/// # Errors
///
/// Never; it has a `Result` like all of them.
pub(super) async fn roles(host: &Host, context: &Context) -> Result<(), Failure> {
    let running = running(host).await;
    for role in ROLES {
        let runs = role.ways.iter().filter(|way| running.contains(**way));
        let line = RoleLine {
            role: role.name.to_owned(),
            question: role.question.to_owned(),
            ways: owned(role.ways),
            running: runs.map(ToString::to_string).collect(),
            not_yet: owned(role.not_yet),
        };
        context.say(Event::Role(line)).await;
    }
    Ok(())
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// The names of all ways that run, whichever role they are of: as the node, the
/// finder and the session have them at this moment, not as they were asked for.
async fn running(host: &Host) -> BTreeSet<String> {
    let (session, node) = (host.session(), host.node());
    let reach = node.reach().await;
    let mut running: BTreeSet<String> = ALWAYS.map(String::from).into();
    running.extend(host.key_kind().map(|kind| kind.to_string()));
    running.extend(session.finder().status().iter().map(|status| status.way.to_string()));
    let addresses = node.listen_addresses();
    running.extend(addresses.iter().filter_map(|one| transport(TransportKind::of(one))));
    running.extend(node.accepted_protocols().iter().filter_map(|one| protocol(one.as_ref())));
    let besides = [
        ("port-mapping", reach.mapped.iter().any(|(_, outside)| outside.is_some())),
        ("hubs", !reach.hubs.is_empty()),
        ("http", session.http().is_some()),
    ];
    running.extend(besides.iter().filter(|(_, runs)| *runs).map(|(way, _)| way.to_string()));
    running
}

fn transport(kind: TransportKind) -> Option<String> {
    let name = match kind {
        TransportKind::Tcp => "tcp",
        TransportKind::Quic => "quic",
        TransportKind::WebSocket => "websocket",
        TransportKind::Roaming => "roaming",
        TransportKind::Relay => "relay",
        TransportKind::Circuit => "circuit",
        _ => return None,
    };
    Some(name.to_owned())
}

fn protocol(name: &str) -> Option<String> {
    let way = match name {
        name if name == gateway::PROTOCOL.as_ref() => "gateway",
        name if name == pipe::PROTOCOL || name == pipe::SECRET_PROTOCOL => "pipe",
        name if name.starts_with("/ipfs/bitswap") => "bitswap",
        name if name.starts_with("/ipfs/ping/") => "ping",
        _ => return None,
    };
    Some(way.to_owned())
}
