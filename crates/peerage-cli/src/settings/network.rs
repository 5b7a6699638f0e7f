//! Where in the world this home's node finds peers and is found: what the
//! home's file says, and what is asked for besides.

use std::{io::ErrorKind, net::SocketAddr, path::Path};

use peerage::{
    Multiaddr,
    discovery::{DnsConfig, MainlineConfig},
    node::NodeConfig,
    session::Wide,
    topology::kademlia::KademliaConfig,
};
use serde::Deserialize;

use crate::{
    args::GlobalArgs,
    failure::{Code, Failure},
    limits::MAX_SETTINGS_BYTES,
    target::parse_address,
};

/// The file in a home that holds what need not be typed each time.
const FILE: &str = "config.toml";

/// Which network of Kademlia to take part in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Network {
    /// Peerage's own, by way of the hubs.
    #[default]
    Peerage,
    /// The public IPFS network.
    Ipfs,
    /// None.
    Off,
}

/// What the file may say; every line can be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Reach {
    /// Hubs: addresses that end in `/p2p/PEER`.
    pub(crate) hubs: Vec<String>,
    /// Zones of hubs in the DNS.
    pub(crate) zones: Vec<String>,
    /// Name servers to ask, instead of the system's.
    pub(crate) name_servers: Vec<SocketAddr>,
    /// Whether to take part in `BitTorrent`'s Mainline DHT.
    pub(crate) mainline: bool,
    /// Which network of Kademlia to take part in.
    pub(crate) kademlia: Network,
    /// Whether not to ask the router for ports.
    pub(crate) no_port_mapping: bool,
}

impl Reach {
    /// What the home's file says, and the options besides.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or understood.
    pub(crate) fn settle(home: &Path, global: &GlobalArgs) -> Result<Self, Failure> {
        let mut reach = read(&home.join(FILE))?;
        reach.hubs.extend(global.hub.iter().cloned());
        reach.zones.extend(global.zone.iter().cloned());
        reach.mainline |= global.mainline;
        reach.no_port_mapping |= global.no_port_mapping;
        Ok(reach)
    }

    fn hub_addresses(&self) -> Result<Vec<Multiaddr>, Failure> {
        self.hubs.iter().map(|text| parse_address(text)).collect()
    }

    /// Sets up a node for it.
    ///
    /// # Errors
    ///
    /// When a hub's address is none.
    pub(crate) fn apply(&self, config: &mut NodeConfig) -> Result<(), Failure> {
        config.hubs = self.hub_addresses()?;
        config.roaming |= !config.hubs.is_empty();
        Ok(())
    }

    fn kademlia(&self, hubs: &[Multiaddr]) -> Option<KademliaConfig> {
        match self.kademlia {
            Network::Off => None,
            Network::Ipfs => Some(KademliaConfig::ipfs()),
            Network::Peerage if hubs.is_empty() => None,
            Network::Peerage => {
                let mut kademlia = KademliaConfig::default();
                hubs.iter().for_each(|hub| {
                    kademlia.add_boot_node(hub);
                });
                Some(kademlia)
            }
        }
    }

    /// The ways of finding peers that it asks for.
    ///
    /// # Errors
    ///
    /// When a hub's address is none.
    pub(crate) fn wide(&self) -> Result<Wide, Failure> {
        let dns = (!self.zones.is_empty()).then(|| DnsConfig {
            zones: self.zones.clone(),
            name_servers: self.name_servers.clone(),
        });
        let mainline = self.mainline.then(MainlineConfig::default);
        let trackers = self.hub_addresses()?;
        let kademlia = self.kademlia(&trackers);
        Ok(Wide { trackers, dns, kademlia, mainline })
    }
}

fn read(file: &Path) -> Result<Reach, Failure> {
    let name = file.display();
    match std::fs::metadata(file) {
        // What is wrong with the home itself is said where it is opened.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Reach::default());
        }
        Err(error) => return Err(Failure::reading(&name, &error)),
        Ok(about) if about.len() > MAX_SETTINGS_BYTES => {
            let what = format!("{name} is larger than {MAX_SETTINGS_BYTES} bytes");
            return Err(Failure::new(Code::Usage, what, "shorten it"));
        }
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(file).map_err(|error| Failure::reading(&name, &error))?;
    toml::from_str(&text).map_err(|error| {
        let what = format!("{name} is not understood: {}", error.to_string().trim_end());
        Failure::new(Code::Usage, what, "correct the line that is named")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_what_need_not_be_typed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        assert_eq!(read(&file).unwrap(), Reach::default());
        std::fs::write(&file, "zones = [\"peers.example.org\"]\nkademlia = \"off\"\n").unwrap();
        let reach = read(&file).unwrap();
        assert_eq!((reach.zones.len(), reach.kademlia), (1, Network::Off));
    }

    #[test]
    fn a_line_that_means_nothing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        std::fs::write(&file, "hub = 3\n").unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("hub"));
    }
}
