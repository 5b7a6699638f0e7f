//! Other people's clients, on the plain face.

use std::process::Stdio;

use peerage::exchange::gateway::Gateway;
use tokio::process::Command;

use super::support::{PlainFace, share};
use crate::support::skip;

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
