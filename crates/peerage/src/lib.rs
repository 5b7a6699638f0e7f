//! A public key in, a duplex stream out; and on that stream, files. No server
//! has to be trusted or paid.
//!
//! This page shows the three things that most people do. The handbook,
//! `docs/handbook` of the repository, explains what is behind them to those who
//! are new to peer to peer, role by role.
//!
//! # Share files, and get them
//!
//! A [`Session`](session::Session) is a running peer of one [`Home`](home::Home):
//! a node, a store, and all that it serves and finds. Sharing copies nothing, and
//! gives a link; whoever has the link gets the files, every block verified, from
//! everybody who has them.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use std::sync::Arc;
//! use peerage::session::{GetOptions, Session, SessionOptions};
//! use peerage::{home::Home, import::ImportOptions, link::Target, presets};
//!
//! # let folder = tempfile::tempdir()?;
//! # let (photos, got) = (folder.path().join("summer"), folder.path().join("got"));
//! # std::fs::create_dir(&photos)?;
//! # std::fs::write(photos.join("dawn.jpg"), b"a picture")?;
//! # let homes = [folder.path().join("ann"), folder.path().join("bob")];
//! // `presets::local()` for a node that others reach; this one is for trials.
//! let mut options = SessionOptions::new(presets::loopback());
//! options.lan = false;
//! let ann = Session::open(&Home::open(&homes[0])?, options).await?;
//! let share = ann.share(vec![photos], ImportOptions::default(), Arc::new(())).await?;
//! let link = share.link.to_string(); // what Ann hands to Bob
//!
//! let mut options = SessionOptions::new(presets::loopback());
//! options.lan = false;
//! let bob = Session::open(&Home::open(&homes[1])?, options).await?;
//! let (target, (events, _)) = (Target::parse(&link)?, tokio::sync::mpsc::channel(16));
//! bob.get(&target, got.clone(), GetOptions::default(), events, Default::default()).await?;
//! assert_eq!(std::fs::read(got.join("summer/dawn.jpg"))?, b"a picture");
//! # ann.close().await;
//! # bob.close().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Open a stream to a peer by its key
//!
//! [`Session::open_stream`](session::Session::open_stream) takes a peer id and
//! nothing else: every way of finding peers is asked, every address tried, and the
//! best connection carries the stream. Who is at the other end is proven, whatever
//! anybody said. A [`Node`](node::Node) alone does the same for peers whose
//! addresses are known.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # use std::sync::Arc;
//! use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
//! use peerage::discovery::{Finding, StaticList};
//! use peerage::session::{Session, SessionOptions};
//! use peerage::{StreamProtocol, home::Home, node::Node, presets};
//!
//! let chat = StreamProtocol::new("/chat/1");
//! let bob = Node::spawn(presets::loopback()).await?;
//! let mut callers = bob.accept(chat.clone())?;
//!
//! # let folder = tempfile::tempdir()?;
//! # let home = Home::open(folder.path().join("home"))?;
//! let mut options = SessionOptions::new(presets::loopback());
//! # options.lan = false;
//! // The one way there is in this trial: a list with Bob on it.
//! let known = Finding { peer: bob.peer_id(), addresses: bob.listen_addresses(), record: None };
//! options.ways = vec![Arc::new(StaticList::new(vec![known]))];
//! let ann = Session::open(&home, options).await?;
//! let mut stream = ann.open_stream(bob.peer_id(), chat).await?;
//! stream.write_all(b"hello").await?;
//! stream.close().await?;
//!
//! let (caller, mut stream) = callers.next().await.expect("Ann calls");
//! let mut text = String::new();
//! stream.read_to_string(&mut text).await?;
//! assert_eq!((caller, text.as_str()), (ann.node().peer_id(), "hello"));
//! # ann.close().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Find peers
//!
//! A [`Finder`](discovery::Finder) asks every [`Way`](discovery::Way) it has at
//! once: for a peer by its id, for whoever has content, or for whoever cares for
//! a topic. A session has one of its own, [`Session::finder`](session::Session::finder),
//! and what that finds is known to the node at once.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use std::sync::Arc;
//! use futures::StreamExt;
//! use peerage::PeerId;
//! use peerage::discovery::{Answer, Finder, Key, StaticList, read_static_list};
//!
//! let bob = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
//! let list = read_static_list(&format!("/ip4/192.0.2.1/tcp/4001/p2p/{bob}"))?;
//! let finder = Finder::new(PeerId::random(), vec![Arc::new(StaticList::new(list))], |_| {});
//!
//! let mut answers = finder.look_up(&Key::Peer(bob.parse()?));
//! let mut addresses = Vec::new();
//! while let Some(answer) = answers.next().await {
//!     match answer {
//!         Answer::Found(found) => addresses.extend(found.addresses),
//!         Answer::Failed { way, error, .. } => println!("{way}: {error}"),
//!         _ => {}
//!     }
//! }
//! assert_eq!(addresses, ["/ip4/192.0.2.1/tcp/4001".parse()?]);
//! # finder.close().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The rooms
//!
//! Each room answers one question, and knows only those below it. What is pure of
//! a room, its formats and decisions, stands in `peerage-core` under the same name.
//!
//! ```text
//! session      a running peer of one home
//! hub          helping others to a stream
//! exchange     getting and serving: download, gateway, bitswap
//! import       files into graphs
//! access       who may read which block
//! store        where bytes are
//! discovery    given a key, which peers, at which addresses
//! topology     whom to know: Kademlia
//! presets      ready-made settings for a node
//! node         a peer id in, a stream out
//! routing      transports, paths, addresses
//! home         the folder of one user: keys, settings, the store's place
//! limits       what strangers may take, with reasons
//!
//! from the core: link, pipe, data, identity, text
//! ```
//!
//! Payment and replicas are not here: what few need, and what brings heavy
//! dependencies, gets a crate of its own. This one stays what everybody needs.

pub mod access;
pub mod discovery;
pub mod exchange;
mod files;
#[cfg(doctest)]
mod handbook;
pub mod home;
pub mod hub;
pub mod import;
pub mod limits;
pub mod node;
pub mod presets;
pub mod routing;
pub mod session;
pub mod store;
mod sync;
pub mod topology;

pub use libp2p::{Multiaddr, PeerId, StreamProtocol, multiaddr::Protocol};
pub use peerage_core::{Advice, data, identity, link, pipe, text};
