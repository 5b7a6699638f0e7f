//! A dialler and a listener, and what each of them is behind.

use std::{fmt, io, str::FromStr};

/// The types of NAT that either side can be behind.
const TYPES: [&str; 13] = [
    "none",
    "cone",
    "conereject",
    "coneopen",
    "addrcone",
    "fullcone",
    "remap",
    "sym",
    "udpblock",
    "web",
    "cgnat",
    "cgnatsym",
    "v6only",
];

/// Where a listener can be instead: behind the dialler's own router.
const TOGETHER: [&str; 2] = ["same", "hairpin"];

/// What the name of a type ends with when its router maps ports on request.
const MAPS_PORTS: &str = "+igd";

/// Where no router of one's own has a public IPv4 address to map ports of.
const NO_ROUTER_TO_ASK: [&str; 6] = ["none", "v6only", "cgnat", "cgnatsym", "same", "hairpin"];

/// The pairs of `usual`: those that other software was measured with, and
/// those that it cannot reach.
const USUAL: &str = "none:none,cone:cone,conereject:cone,coneopen:coneopen,addrcone:cone,\
    fullcone:cone,remap:remap,remap:cone,cone:remap,cgnat:cgnat,cgnat:cone,\
    none:sym,sym:none,fullcone:sym,addrcone:sym,sym:fullcone,sym:addrcone,cgnatsym:fullcone,\
    cone:sym,sym:cone,sym:sym,cone+igd:sym,sym+igd:sym,sym:cone+igd,sym:sym+igd,\
    udpblock:cone,cone:udpblock,udpblock:udpblock,web:cone,cone:web,web:web,\
    v6only:v6only,v6only:cone,cone:v6only,cone:same,cone:hairpin";

/// A side of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Side {
    /// The type of NAT, as the lab names it.
    pub(crate) nat: String,
    /// The router maps ports on request.
    pub(crate) maps_ports: bool,
}

/// A dialler and a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) dialler: Side,
    pub(crate) listener: Side,
}

impl Pair {
    /// Reads pairs with commas between them, `usual` or `all`.
    pub(crate) fn read_all(text: &str) -> io::Result<Vec<Self>> {
        match text {
            "usual" => Self::read_all(USUAL),
            "all" => Ok(Self::all()),
            pairs => pairs.split(',').map(|pair| pair.trim().parse()).collect(),
        }
    }

    /// Every type with every other, as far as the lab has them.
    fn all() -> Vec<Self> {
        let listeners = || TYPES.iter().chain(&TOGETHER);
        let pairs =
            TYPES.iter().flat_map(|one| listeners().map(move |other| format!("{one}:{other}")));
        pairs.filter_map(|pair| pair.parse().ok()).collect()
    }

    /// Whether the lab has it; its README says what it refuses.
    fn is_possible(&self) -> bool {
        let (dialler, listener) = (self.dialler.nat.as_str(), self.listener.nat.as_str());
        let keeps_ports = ["cone", "conereject", "coneopen", "addrcone", "fullcone"];
        let listener_is_possible = match listener {
            "same" => dialler != "none",
            "hairpin" => keeps_ports.contains(&dialler),
            other => TYPES.contains(&other),
        };
        let no_router = |side: &Side| NO_ROUTER_TO_ASK.contains(&side.nat.as_str());
        let mapped = [&self.dialler, &self.listener].map(|side| side.maps_ports && no_router(side));
        TYPES.contains(&dialler) && listener_is_possible && mapped == [false; 2]
    }

    /// Both are behind the same router.
    pub(crate) fn is_together(&self) -> bool {
        TOGETHER.contains(&self.listener.nat.as_str())
    }
}

impl FromStr for Pair {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        let wrong = || {
            let message = format!("`{text}` is not a pair such as `cone:sym` or `cone:sym+igd`");
            io::Error::new(io::ErrorKind::InvalidInput, message)
        };
        let (dialler, listener) = text.split_once(':').ok_or_else(wrong)?;
        let pair = Self { dialler: Side::read(dialler), listener: Side::read(listener) };
        if pair.is_possible() { Ok(pair) } else { Err(wrong()) }
    }
}

impl Side {
    fn read(text: &str) -> Self {
        let nat = text.strip_suffix(MAPS_PORTS);
        Self { nat: nat.unwrap_or(text).to_owned(), maps_ports: nat.is_some() }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.nat, if self.maps_ports { MAPS_PORTS } else { "" })
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.dialler, self.listener)
    }
}
