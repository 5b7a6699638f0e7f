//! What a link or a look-up names is dialled where it can be meant for this host.

use std::sync::Arc;

use peerage::home::Home;
use peerage::link::{self, Link, Target};
use peerage::session::{GetOptions, Session, SessionOptions};
use peerage::{Multiaddr, PeerId};
use peerage_core::data::{Block, HashKind, codec};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{HUB, MALLORY, Service, disguises, internet};
use crate::support::soon;

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_to_nobodys_own_machine() {
    let Some(lan) = internet("a link that names this machine", 3) else { return };
    let (here, there) = (&lan.hosts[0], &lan.hosts[2]);
    let inside = Service::start(here, [127, 0, 0, 1].into()).await;
    let open = Service::start(there, MALLORY).await;
    let session = here.run(session_at(HUB)).await;
    let block = Block::new(codec::RAW, HashKind::Sha2_256, b"nobody has it".as_slice().into());
    // As many as a link may carry, and one that may be meant.
    for named in disguises(&inside, MALLORY) {
        let peer = PeerId::random();
        let Ok(provider) = link::Provider::new(peer, vec![named.clone(), open.address()]) else {
            continue;
        };
        let link = Link::new(*block.cid()).unwrap().with_provider(provider).unwrap();
        let target: Target = link.to_string().parse().unwrap();
        let stop = CancellationToken::new();
        let (getting, stopped) = (session.0.clone(), stop.clone());
        let folder = session.1.path().to_path_buf();
        let get = here.run(async move {
            let (events, mut taken) = mpsc::channel(16);
            let listening = tokio::spawn(async move { while taken.recv().await.is_some() {} });
            let got = getting.get(&target, folder, GetOptions::default(), events, stopped).await;
            listening.await.unwrap();
            got
        });
        let called = soon("the dial of what may be meant", async {
            while !open.was_called() {
                tokio::task::yield_now().await;
            }
            stop.cancel();
        });
        let (got, ()) = tokio::join!(get, called);
        assert!(got.is_err());
        assert!(!inside.was_called(), "{named}");
    }
}

async fn session_at(ip: std::net::Ipv4Addr) -> (Session, Arc<tempfile::TempDir>) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path().join("home")).unwrap();
    let mut config = peerage::presets::loopback();
    config.listen = vec![Multiaddr::from(ip).with(peerage::Protocol::Tcp(0))];
    let mut options = SessionOptions::new(config);
    options.lan = false;
    (Session::open(&home, options).await.unwrap(), Arc::new(folder))
}
