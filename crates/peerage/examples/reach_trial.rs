//! trial
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use peerage::node::*;
use peerage::{hub, presets};
use std::time::{Duration, Instant};
#[tokio::main]
async fn main() {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let args: Vec<String> = std::env::args().collect();
    let key = |n: u8| peerage::identity::Keypair::ed25519_from_bytes([n; 32]).unwrap();
    let hub_id = key(1).public().to_peer_id();
    let hub_addr = |ip: &str| -> peerage::Multiaddr {
        format!("/ip4/{ip}/tcp/4001/p2p/{hub_id}").parse().unwrap()
    };
    match args[1].as_str() {
        "hub" => {
            let ip = args[2].clone();
            let _relay = hub::RelayServer::spawn(hub::RelayServerConfig::new(
                "0.0.0.0".parse().unwrap(),
                80,
            ))
            .await
            .unwrap();
            let mut c = NodeConfig::new(key(1));
            c.listen = vec![
                "/ip4/0.0.0.0/tcp/4001".parse().unwrap(),
                "/ip4/0.0.0.0/udp/4001/quic-v1".parse().unwrap(),
                "/ip4/0.0.0.0/tcp/443/ws".parse().unwrap(),
            ];
            c.announce = vec![format!("/ip4/{ip}/tcp/80/http/p2p-circuit").parse().unwrap()];
            c.services = Services { relay: Some(RelayLimits::default()), dial_back: true };
            let n = Node::spawn(c).await.unwrap();
            println!("hub {} {:?}", n.peer_id(), n.listen_addresses());
            std::future::pending::<()>().await;
        }
        "listen" => {
            let mut c = presets::local_with(key(2));
            c.hubs = vec![hub_addr(&args[2])];
            c.roaming = args.len() < 4;
            c.map_ports = false;
            let n = Node::spawn(c).await.unwrap();
            let mut e = n.events();
            let echo = StreamProtocol::new("/echo/1");
            let mut streams = n.accept(echo).unwrap();
            tokio::spawn(async move {
                while let Some((_, mut s)) = streams.next().await {
                    tokio::spawn(async move {
                        let mut b = [0u8; 4];
                        while s.read_exact(&mut b).await.is_ok() {
                            if s.write_all(&b).await.is_err() {
                                break;
                            }
                            let _ = s.flush().await;
                        }
                    });
                }
            });
            loop {
                let x = e.recv().await;
                eprintln!("{x:?}");
                println!("addresses {:?}", n.listen_addresses());
            }
        }
        _ => {
            let mut c = presets::local_with(key(3));
            c.hubs = vec![hub_addr(&args[2])];
            c.roaming = args.len() < 4;
            c.map_ports = false;
            let n = Node::spawn(c).await.unwrap();
            let mut e = n.events();
            tokio::time::sleep(Duration::from_secs(3)).await;
            let peer = key(2).public().to_peer_id();
            let addrs: Vec<peerage::Multiaddr> = vec![
                format!("/ip4/{}/tcp/80/http/p2p-circuit", args[2]).parse().unwrap(),
                hub_addr(&args[2]).with(peerage::Protocol::P2pCircuit),
                "/ip4/10.2.0.2/tcp/4001".parse().unwrap(),
            ];
            let t = Instant::now();
            let r = n.connect(peer, &addrs).await;
            println!(
                "connect {:?} {:?}",
                t.elapsed(),
                r.as_ref().map(|c| (c.path, c.address.clone()))
            );
            if r.is_err() {
                return;
            }
            let p = n.ping(peer).await;
            println!("ping {:?} at {:?}", p, t.elapsed());
            let end = tokio::time::sleep(Duration::from_secs(6));
            tokio::pin!(end);
            loop {
                tokio::select! { () = &mut end => break, x = e.recv() => if let Ok(NodeEvent::PathChanged(c)) = x { println!("{:?} {} {}", t.elapsed(), c.path, c.address) } }
            }
            println!("end {:?}", n.connection(&peer).map(|c| (c.path.to_string(), c.address)));
        }
    }
}
