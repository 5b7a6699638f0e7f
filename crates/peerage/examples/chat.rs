//! Two people who know only each other's peer id chat.
//!
//! ```text
//! cargo run -p peerage --example chat -- HOME             # prints your peer id
//! cargo run -p peerage --example chat -- HOME FRIEND WAY  # WAY: lan, hub=ADDRESS, or
//!                                                         # mainline, mainline=HOST:PORT
//! ```

use std::{error::Error, future::ready, time::Duration};

use futures::StreamExt as _;
use peerage::session::{Reaching, Session, SessionOptions};
use peerage::{PeerId, StreamProtocol, discovery::MainlineConfig, home::Home, presets};
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
    let way = words.next().ok_or("by which way?")?;
    options.lan = way == "lan";
    match way.split_once('=').unwrap_or((&way, "")) {
        ("hub", address) => options.add_hub(address.parse()?),
        ("mainline", "") => options.wide.mainline = Some(MainlineConfig::default()),
        ("mainline", node) => options.wide.mainline = Some(MainlineConfig::by_way_of([node])),
        _ => {}
    }
    let session = Session::open(&home, options).await?;

    // One of the two calls, the other waits for the call: whoever's id is less.
    let stream = if own < friend {
        let patience = Reaching::waiting(Duration::from_secs(600));
        session.open_stream_with(friend, CHAT, &patience).await?
    } else {
        let mut calls = session.accept(CHAT)?.filter(|(caller, _)| ready(*caller == friend));
        calls.next().await.ok_or("the session has ended")?.1
    };
    let (mut hear, mut say) = split(stream.compat());
    let saying = async { copy(&mut stdin(), &mut say).await.and(say.shutdown().await) };
    tokio::try_join!(saying, async { copy(&mut hear, &mut stdout()).await.map(drop) })?;
    session.close().await;
    Ok(())
}
