//! Other people's clients, on the plain face.

use std::process::Stdio;

use peerage::exchange::gateway::Gateway;
use tokio::process::Command;

use super::support::{PlainFace, share};
use crate::support::{js, skip};

#[tokio::test(flavor = "multi_thread")]
async fn curl_gets_a_block() {
    let shared = share(1000, 100);
    let face = PlainFace::of(&Gateway::new(shared.blocks.clone())).await;
    let leaf = shared.leaves[3];
    let url = format!("http://{}/ipfs/{leaf}", face.address);
    let curl = Command::new("curl")
        .args(["--silent", "--fail", "--noproxy", "*", "--max-time", "20"])
        .args(["--header", "Accept: application/vnd.ipld.raw", &url])
        .stdin(Stdio::null())
        .output()
        .await;
    match curl {
        Ok(output) => assert_eq!(output.stdout, &shared.blocks.of(&leaf)[..]),
        Err(error) => skip("curl at the gateway", &error.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn helia_gets_blocks_and_reads_a_car() {
    let Some(home) = js::home("Helia at the gateway") else { return };
    let shared = share(300_000, 100_000);
    let face = PlainFace::of(&Gateway::new(shared.blocks.clone())).await;
    let port = face.address.port().to_string();
    let root = shared.folder.to_string();
    let mut script = js::Script::start(home, "gateway.mjs", &[&port, &root]);
    let got = script.event("done").await;
    assert_eq!(got["walked"], 5, "{got}");
    assert_eq!(got["car"], 5, "{got}");
    assert_eq!(got["range"], 3, "{got}");
    assert_eq!(got["roots"][0], root, "{got}");
    script.finish().await;
}
