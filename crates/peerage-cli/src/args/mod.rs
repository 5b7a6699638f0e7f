//! What can be typed: every verb and option, as clap's derive reads them.

mod hub;
mod identity;
mod pipe;
mod transfer;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

pub(crate) use self::{
    hub::HubArgs,
    identity::{IdentityVerb, KeyChoice},
    pipe::PipeVerb,
    transfer::{
        AddArgs, ExportArgs, GetArgs, HashChoice, ImportArgs, LayoutArgs, ProfileChoice, ShareArgs,
    },
};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "peerage",
    version,
    about = "Share folders and streams with other peers, without a server in between",
    after_help = "Exit codes: 0 done, 1 unexpected, 2 usage, 3 bad link or address, 4 peer not \
                  reachable, 5 peer lost or refused, 6 content not found, 7 verification failed, \
                  8 cannot write, 9 home in use, 10 identity or passphrase, 11 cannot read, \
                  130 interrupted.",
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    /// What holds for every verb.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The options that every verb has.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct GlobalArgs {
    /// The folder that holds identities, the store and the running node
    #[arg(long, global = true, env = "PEERAGE_HOME", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) home: Option<PathBuf>,
    /// Use this identity instead of the one in use
    #[arg(long, global = true, env = "PEERAGE_IDENTITY", value_name = "NAME")]
    pub(crate) identity: Option<String>,
    /// Write one JSON object a line on standard output, for each event and result
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Write results and errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more about what happens (twice: what the network does)
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Listen on this address instead of on all interfaces (can be given several times)
    #[arg(
        long,
        global = true,
        env = "PEERAGE_LISTEN",
        value_name = "MULTIADDR",
        value_delimiter = ','
    )]
    pub(crate) listen: Vec<String>,
    /// Neither announce this peer on the local network nor look for others there
    #[arg(long, global = true, env = "PEERAGE_NO_DISCOVERY", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) no_discovery: bool,
    /// Also look for peers in this file: on each line an address that ends in /p2p/PEER, or JSON
    #[arg(long, global = true, env = "PEERAGE_PEERS", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) peers: Option<PathBuf>,
    /// Be reached over this hub, and found by it: an address that ends in /p2p/PEER
    #[arg(
        long,
        global = true,
        env = "PEERAGE_HUBS",
        value_name = "MULTIADDR",
        value_delimiter = ','
    )]
    pub(crate) hub: Vec<String>,
    /// Also look for peers in this zone of the DNS
    #[arg(long, global = true, env = "PEERAGE_ZONES", value_name = "NAME", value_delimiter = ',')]
    pub(crate) zone: Vec<String>,
    /// Find peers and be found in BitTorrent's Mainline DHT, in public
    #[arg(long, global = true, env = "PEERAGE_MAINLINE", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) mainline: bool,
    /// Don't ask the router to let connections in
    #[arg(long, global = true, env = "PEERAGE_NO_PORT_MAPPING", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) no_port_mapping: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Share files and folders: prints a link and serves until Ctrl-C
    Share(ShareArgs),
    /// Get what a link or CID names: verified, and resumed where it stopped
    Get(GetArgs),
    /// Add files and folders to the store and print their CIDs
    Add(AddArgs),
    /// Offer something no more that was shared or added; the files stay
    Unshare {
        /// Its CID, or a link to it
        cid: String,
    },
    /// Write what a CID names to a CAR file
    Export(ExportArgs),
    /// Read the blocks of a CAR file into the store
    Import(ImportArgs),
    /// List, make and change identities
    Id {
        /// What to do with them; `list` if left out
        #[command(subcommand)]
        verb: Option<IdentityVerb>,
    },
    /// List the roles that a peer is made of, the ways each can be filled, and which run here
    Roles,
    /// List the peers this node is connected with
    Peers {
        /// List those that announce themselves on the local network instead
        #[arg(long)]
        nearby: bool,
        /// How long to listen for announcements, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600), requires = "nearby")]
        wait: u64,
    },
    /// Look for a peer, or for whoever has content or cares for a topic, by every way at once
    Find {
        /// A peer id, a CID, or topic:NAME
        key: String,
        /// Go on for so many seconds; if left out, until every way has answered
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
        wait: Option<u64>,
    },
    /// Explain what this network allows: NAT, ports, relays, clock, and what was tried
    Doctor,
    /// Measure the round trip to a peer
    Ping {
        /// A peer id, or an address that ends in /p2p/PEER
        peer: String,
        /// Where the peer can be reached, if it is not on the local network
        addresses: Vec<String>,
        /// How many times
        #[arg(long, short, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        count: u32,
    },
    /// Connect standard input and output, or a TCP port, with another peer
    Pipe {
        /// Which end to be
        #[command(subcommand)]
        verb: PipeVerb,
    },
    /// Run this home's node until Ctrl-C; other commands attach to it
    Up {
        /// Also serve the trustless gateway over plain HTTP on this local address
        #[arg(long, value_name = "ADDR")]
        http: Option<std::net::SocketAddr>,
        /// Answer under this name too, besides that address and localhost (can be given several times)
        #[arg(long, value_name = "NAME", requires = "http")]
        http_host: Vec<String>,
    },
    /// Run a hub until Ctrl-C: relay, tracker, boot node and DNS zone for peers that find no way
    Hub(HubArgs),
    /// Share a folder of pictures between two homes on this machine, and show how
    Demo,
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
    /// Print the manual page, or write every verb's page to a folder
    Man {
        /// Write peerage.1, peerage-share.1 and so on to this folder
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        to: Option<PathBuf>,
    },
}

impl Verb {
    /// Whether standard output is for raw bytes alone.
    pub(crate) const fn writes_bytes(&self) -> bool {
        match self {
            Self::Pipe { verb: PipeVerb::Listen { tcp, .. } | PipeVerb::Connect { tcp, .. } } => {
                tcp.is_none()
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }
}
