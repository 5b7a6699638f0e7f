//! Two processes that know only each other's peer id chat: the real example,
//! between hosts of their own, by each of its ways alone.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use libp2p::identity::Keypair;
use peerage::{
    Multiaddr,
    discovery::{Mainline, MainlineConfig},
    hub::{Hub, HubConfig},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::support::{lab::Lab, lab_or_skip, namespace::Namespace, soon};

/// The public host of the lab that helps, where somebody has to.
const RELAY: &str = "44.128.7.2";

/// The usual port of the Mainline DHT.
const DHT_PORT: u16 = 6881;

/// The example, which is built with the tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().and_then(Path::parent).expect("in target/PROFILE/deps");
    let example = target.join("examples/chat");
    assert!(example.exists(), "build it: cargo build -p peerage --example chat");
    example
}

/// A home with an identity, and its peer id, as the example prints it.
async fn home() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let printed = Command::new(example()).arg(folder.path()).output();
    let printed = soon("a peer id", printed).await.unwrap();
    let peer = String::from_utf8(printed.stdout).unwrap().trim().to_owned();
    (folder, peer)
}

/// One who chats. The process ends with it.
struct Person {
    process: Child,
    says: ChildStdin,
    hears: Lines<BufReader<ChildStdout>>,
}

impl Person {
    fn start(host: &Namespace, home: &TempDir, friend: &str, way: &str) -> Self {
        let mut command = host.command(example());
        command.arg(home.path()).args([friend, way]);
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let says = process.stdin.take().expect("piped");
        let hears = BufReader::new(process.stdout.take().expect("piped")).lines();
        Self { process, says, hears }
    }

    async fn say(&mut self, line: &str) {
        self.says.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn hear(&mut self) -> Option<String> {
        soon("what the other says", self.hears.next_line()).await.unwrap()
    }

    /// Says no more, and waits until the other does so too and both have ended.
    async fn leave(self) {
        let Self { mut process, says, mut hears } = self;
        drop(says);
        assert_eq!(soon("silence", hears.next_line()).await.unwrap(), None);
        let status = soon("the end", process.wait()).await.unwrap();
        assert!(status.success(), "{status}");
    }
}

/// Lets one on each host chat with the other, by this way.
async fn chat(hosts: [&Namespace; 2], way: &str) {
    let ((anns, ann), (bobs, bob)) = (home().await, home().await);
    let mut ann_there = Person::start(hosts[0], &anns, &bob, way);
    let mut bob_there = Person::start(hosts[1], &bobs, &ann, way);
    // Both speak first: what is said waits for the other to be found.
    ann_there.say("Are you there, Bob?").await;
    bob_there.say("Is that you, Ann?").await;
    assert_eq!(ann_there.hear().await.as_deref(), Some("Is that you, Ann?"));
    assert_eq!(bob_there.hear().await.as_deref(), Some("Are you there, Bob?"));
    ann_there.say("It is.").await;
    assert_eq!(bob_there.hear().await.as_deref(), Some("It is."));
    tokio::join!(ann_there.leave(), bob_there.leave());
}

#[tokio::test]
async fn on_a_local_network() {
    let Some(lab) = lab_or_skip("a chat on a local network", &["lan", "2"]) else { return };
    chat([&lab.host("h1"), &lab.host("h2")], "lan").await;
}

#[tokio::test]
async fn between_two_homes_over_a_hub() {
    let Some(lab) = lab_or_skip("a chat over a hub", &["nat", "cone", "cone"]) else { return };
    let text = format!(
        "listen = ['{RELAY}']\nmetrics = 'off'\nports = {{ peers = 0, websocket = 0, relay = 0, \
         address_discovery = 0 }}"
    );
    let config: HubConfig = text.parse().unwrap();
    let helper = Helper::new(&lab);
    let key = Keypair::generate_ed25519();
    let hub = helper.run(async move { Hub::start(key, &config, None).await.unwrap() }).await;
    let tcp = |address: &Multiaddr| address.protocol_stack().eq(["ip4", "tcp", "p2p"]);
    let address = hub.addresses().into_iter().find(tcp).expect("it listens on TCP");
    chat([&lab.host("a"), &lab.host("b")], &format!("hub={address}")).await;
    helper.run(async { hub.shutdown().await.unwrap() }).await;
}

#[tokio::test]
async fn over_the_mainline_dht() {
    let Some(lab) = lab_or_skip("a chat over Mainline", &["pair"]) else { return };
    let helper = Helper::new(&lab);
    let config = MainlineConfig {
        address: RELAY.parse().unwrap(),
        port: Some(DHT_PORT),
        server: true,
        ..MainlineConfig::by_way_of::<String>([])
    };
    let nobody = std::sync::Arc::new(|_| Box::pin(std::future::ready(None)) as _);
    let node =
        async { Mainline::start(config, Keypair::generate_ed25519(), nobody).await.unwrap() };
    let _node = helper.run(node).await;
    chat([&lab.host("p1"), &lab.host("p2")], &format!("mainline={RELAY}:{DHT_PORT}")).await;
}

/// Runs what helps both, on the public host.
struct Helper(Option<tokio::runtime::Runtime>);

impl Helper {
    fn new(lab: &Lab) -> Self {
        Self(Some(lab.host("relay").runtime()))
    }

    async fn run<T: Send + 'static>(&self, job: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = self.0.as_ref().expect("there until it is dropped");
        soon("what helps", runtime.spawn(job)).await.unwrap()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // The ordinary drop waits, which tokio forbids inside a test's runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
