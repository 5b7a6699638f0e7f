//! The command and Kubo get from each other.

use std::{fs, path::Path};

use crate::{
    peers::kubo::Kubo,
    support::{Home, bytes},
};

/// Writes a folder that is large enough for shards, with a file of many blocks.
fn make_folder(folder: &Path) {
    fs::create_dir_all(folder.join("below")).unwrap();
    for number in 0..5500 {
        fs::write(folder.join(format!("picture {number:05}.jpg")), number.to_string()).unwrap();
    }
    fs::write(folder.join("below/film.bin"), bytes(5_000_000)).unwrap();
}

fn assert_same(one: &Path, other: &Path) {
    let same = std::process::Command::new("diff").arg("-r").args([one, other]).output().unwrap();
    assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn kubo_gets_what_the_command_shares() {
    let Some(mut kubo) = Kubo::start("Kubo gets what the command shares").await else { return };
    let ann = Home::new();
    make_folder(&ann.work().join("summer"));
    fs::write(ann.work().join("film.bin"), bytes(7_000_000)).unwrap();
    let (_up, address) = ann.up();
    kubo.connect(&address.parse().unwrap()).await;
    for name in ["summer", "film.bin"] {
        let mut share = ann.start(&["share", name]);
        let shared = share.wait_for("shared");
        let got = kubo.get(shared["cid"].as_str().unwrap()).await;
        assert_same(&ann.work().join(name), &got);
        // What was served of the one before may be told in parts.
        let served = std::iter::repeat_with(|| share.wait_for("served"))
            .find(|served| served["cid"] == shared["cid"])
            .unwrap();
        assert_eq!(
            (&served["exchange"], &served["peer"]),
            (&"bitswap".into(), &kubo.peer.to_string().into())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_gets_what_kubo_added() {
    let Some(mut kubo) = Kubo::start("the command gets from Kubo").await else { return };
    let bob = Home::new();
    let source = kubo.folder().join("summer");
    make_folder(&source);
    let cid = kubo.add(&source).await;
    let address = format!("{}/p2p/{}", kubo.addresses[0], kubo.peer);
    let mut get = bob.start(&["get", &cid, "--peer", &address]);
    assert_eq!(get.wait_for("connected")["exchange"], "bitswap");
    get.wait_for("got");
    assert_same(&source, &bob.work().join(&cid));
}
