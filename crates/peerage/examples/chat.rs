//! Two people who know only each other's peer id chat.
//!
//! ```text
//! cargo run -p peerage --example chat -- HOME                  # prints your peer id
//! cargo run -p peerage --example chat -- HOME FRIEND lan       # on one local network
//! cargo run -p peerage --example chat -- HOME FRIEND hub=ADDRESS
//! cargo run -p peerage --example chat -- HOME FRIEND mainline  # or mainline=HOST:PORT
//! ```

use std::{error::Error, time::Duration};

use futures::StreamExt as _;
use peerage::discovery::MainlineConfig;
use peerage::session::{Reaching, Session, SessionOptions};
use peerage::{PeerId, StreamProtocol, home::Home, presets};
use tokio::io::{AsyncWriteExt as _, copy, split, stdin, stdout};
use tokio_util::compat::FuturesAsyncReadCompatExt as _;

const CHAT: StreamProtocol = StreamProtocol::new("/example/chat/1");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let home = Home::open(words.next().ok_or("which home?")?)?;
    let (_, key) = home.identities().load_or_make(None)?;
    let mut options = SessionOptions::new(presets::local_with(key.open(None)?));
    let own = options.node.keypair.public().to_peer_id();
    let Some(friend) = words.next() else {
        println!("{own}");
        return Ok(());
    };
    let friend: PeerId = friend.parse()?;

    options.lan = false;
    for way in words {
        match way.split_once('=').unwrap_or((&way, "")) {
            ("lan", _) => options.lan = true,
            ("hub", hub) => {
                options.node.hubs.push(hub.parse()?);
                options.wide.trackers.push(hub.parse()?);
            }
            (_, node) => {
                let bootstrap = (!node.is_empty()).then(|| vec![node.to_owned()]);
                let config = MainlineConfig { bootstrap, ..MainlineConfig::default() };
                options.wide.mainline = Some(config);
            }
        }
    }
    let session = Session::open(&home, options).await?;
    // One of the two calls, the other waits for the call: whoever's id is less.
    let stream = if own < friend {
        let patience = Reaching::waiting(Duration::from_secs(600));
        session.open_stream_with(friend, CHAT, &patience).await?
    } else {
        let calls = session.accept(CHAT)?.filter(|(peer, _)| std::future::ready(*peer == friend));
        Box::pin(calls).next().await.ok_or("the session has ended")?.1
    };
    let (mut hear, mut say) = split(stream.compat());
    let saying = async { copy(&mut stdin(), &mut say).await.and(say.shutdown().await) };
    tokio::try_join!(saying, async { copy(&mut hear, &mut stdout()).await.map(drop) })?;
    session.close().await;
    Ok(())
}
