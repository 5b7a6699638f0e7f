//! The examples of the handbook and of the README: compiled and run among the
//! documentation's tests, and in no other build. `.ci/handbook` sees to it that
//! no chapter with an example is left out.

#![allow(missing_docs, reason = "nothing of it is ever documented")]

macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        $(#[doc = include_str!(concat!("../../../", $path))] struct $name;)*
    };
}

pages! {
    Readme: "README.md",
    WhyRust: "docs/handbook/src/why-rust.md",
    WhatItGrants: "docs/handbook/src/what-it-grants.md",
    Consistency: "docs/handbook/src/consistency.md",
    Identity: "docs/handbook/src/identity.md",
    Discovery: "docs/handbook/src/discovery.md",
    Mainline: "docs/handbook/src/discovery/mainline.md",
    Tracker: "docs/handbook/src/discovery/tracker.md",
    MulticastDns: "docs/handbook/src/discovery/multicast-dns.md",
    StaticList: "docs/handbook/src/discovery/static-list.md",
    Dns: "docs/handbook/src/discovery/dns.md",
    PeerRouting: "docs/handbook/src/peer-routing.md",
    Topology: "docs/handbook/src/topology.md",
    ContentRouting: "docs/handbook/src/content-routing.md",
    DataStructures: "docs/handbook/src/data-structures.md",
    HandyModules: "docs/handbook/src/handy-modules.md",
    Protocol: "docs/handbook/src/protocol.md",
    Applications: "docs/handbook/src/applications.md",
}
