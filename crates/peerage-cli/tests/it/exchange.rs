//! `share` and `get`, `add`, `export` and `import`.

use std::{
    ffi::OsStr,
    fs::{self, File, Permissions},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
    },
    path::Path,
    time::{Duration, SystemTime},
};

use peerage::{
    exchange::bitswap::{Bitswap, Event},
    node::Node,
    presets,
};
use rustix::process::Signal;

use crate::support::{Events, Home, bytes};

/// A folder with everything that a folder can have.
fn make_album(folder: &Path) {
    fs::create_dir_all(folder.join("below/deeper")).unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
    let odd = OsStr::from_bytes(b"not utf-8 \xff\xfe");
    for (name, length) in [
        (OsStr::new("plain.txt"), 11),
        (OsStr::new("nothing"), 0),
        (OsStr::new("with space & quote's.jpg"), 300_000),
        (OsStr::new("夏\\windows.png"), 2_500_000),
        (OsStr::new("below/deeper/.hidden"), 5),
        (odd, 1_048_576),
    ] {
        let path = folder.join(name);
        fs::write(&path, bytes(length)).unwrap();
        let time =
            SystemTime::UNIX_EPOCH + Duration::new(1_500_000_000 + length as u64, 123_456_789);
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    fs::set_permissions(folder.join("plain.txt"), Permissions::from_mode(0o754)).unwrap();
    symlink("../plain.txt", folder.join("below/link")).unwrap();
    symlink("nowhere", folder.join("dangling")).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 5);
    File::open(folder.join("below")).unwrap().set_modified(old).unwrap();
}

/// Every entry with all that must be kept of it.
fn listing(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let about = entry.path().symlink_metadata().unwrap();
        let kind = if about.is_symlink() {
            format!("-> {:?}", fs::read_link(entry.path()).unwrap())
        } else {
            format!("{:o} {}.{:09}", about.mode(), about.mtime(), about.mtime_nsec())
        };
        lines.push(format!("{:?} {kind}", entry.file_name()));
        if about.is_dir() {
            lines.extend(listing(&entry.path()));
        } else if about.is_file() {
            lines.push(format!("{:?}", blake(&entry.path())));
        }
    }
    lines.sort();
    lines
}

fn blake(path: &Path) -> [u8; 32] {
    peerage::data::HashKind::Blake3.digest(&fs::read(path).unwrap())
}

/// Starts sharing, and gives the link.
fn share(home: &Home, paths: &[&str]) -> (Events, String) {
    let mut share = home.start(&[&["share"], paths].concat());
    let link = share.wait_for("shared")["link"].as_str().unwrap().to_owned();
    (share, link)
}

#[test]
fn a_folder_arrives_as_it_was_sent() {
    let (ann, bob) = (Home::new(), Home::new());
    make_album(&ann.work().join("summer"));
    let (share, link) = share(&ann, &["summer"]);
    let printed = bob.ok(&["get", &link, "-o", "pictures"]);
    let arrived = bob.work().join("pictures/summer");
    assert_eq!(Path::new(printed.trim_end()), arrived.canonicalize().unwrap());
    assert_eq!(listing(&arrived), listing(&ann.work().join("summer")));
    let left: Vec<_> = fs::read_dir(bob.work().join("pictures")).unwrap().collect();
    assert_eq!(left.len(), 1, "no litter: {left:?}");
    assert_eq!(share.interrupt().0, Some(0));
}

#[test]
fn one_file_and_several_paths_arrive_too() {
    let (ann, bob) = (Home::new(), Home::new());
    for (name, length) in [("a.bin", 3_000_000), ("b.bin", 7)] {
        fs::write(ann.work().join(name), bytes(length)).unwrap();
    }
    let (_one, link) = share(&ann, &["a.bin", "--name", "renamed.bin"]);
    bob.ok(&["get", &link]);
    assert!(fs::read(bob.work().join("renamed.bin")).unwrap() == bytes(3_000_000));
    // The second share attaches to the node of the first.
    let (_both, link) = share(&ann, &["a.bin", "b.bin", "--no-metadata"]);
    let got = bob.ok(&["get", &link]);
    let folder = Path::new(got.trim_end());
    assert!(fs::read(folder.join("a.bin")).unwrap() == bytes(3_000_000));
    assert_eq!(fs::read(folder.join("b.bin")).unwrap(), bytes(7));
}

#[test]
fn a_get_that_was_stopped_continues() {
    let (ann, bob) = (Home::new(), Home::new());
    let length = 200_000_000;
    fs::write(ann.work().join("film.bin"), bytes(length)).unwrap();
    let (_share, link) = share(&ann, &["film.bin"]);
    for signal in [Signal::INT, Signal::KILL] {
        let mut get = bob.start(&["get", &link, "-o", "films"]);
        get.wait_until("progress", |event| event["bytes"].as_u64().unwrap() > 10_000_000);
        get.signal(signal);
        let (code, events) = get.finish();
        assert!(!bob.work().join("films/film.bin").exists());
        if signal == Signal::INT {
            assert_eq!(code, Some(130));
            let resume = events.iter().find(|event| event["event"] == "interrupted").unwrap();
            let resume = resume["resume"].as_str().unwrap();
            assert!(resume.starts_with("peerage get 'peerage:1/"), "{resume}");
        }
    }
    let mut get = bob.start(&["get", &link, "-o", "films"]);
    let got = get.wait_for("got");
    assert!(got["resumed"].as_u64().unwrap() > 0, "{got}");
    assert!(fs::read(bob.work().join("films/film.bin")).unwrap() == bytes(length));
    assert_eq!(fs::read_dir(bob.work().join("films")).unwrap().count(), 1, "no litter");
}

#[test]
fn a_share_outlives_the_node_it_was_attached_to() {
    let (ann, bob) = (Home::new(), Home::new());
    fs::write(ann.work().join("a.bin"), bytes(100_000)).unwrap();
    let (up, _) = ann.up();
    let (mut share, _) = share(&ann, &["a.bin"]);
    assert_eq!(up.interrupt().0, Some(0));
    let again = share.wait_for("shared");
    bob.ok(&["get", again["link"].as_str().unwrap()]);
    assert!(fs::read(bob.work().join("a.bin")).unwrap() == bytes(100_000));
}

#[test]
fn links_that_are_wrong_are_refused_with_the_reason() {
    let home = Home::new();
    for (link, reason) in [
        ("nonsense", "not a link"),
        ("peerage:9/bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e", "newer"),
        ("peerage:1/bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36", "CID"),
        ("12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA", "names a peer"),
    ] {
        let finished = home.run(&["get", link]);
        assert_eq!(finished.code, Some(3), "{link}: {}", finished.errors);
        assert!(finished.errors.contains(reason), "{link}: {}", finished.errors);
    }
}

#[test]
fn what_nobody_has_is_not_found() {
    let home = Home::new();
    let cid = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
    let finished = home.run(&["get", cid]);
    assert_eq!(finished.code, Some(6), "{}", finished.errors);
}

#[test]
fn what_a_peer_has_not_got_is_not_found_in_whole_sentences() {
    let (ann, bob) = (Home::new(), Home::new());
    fs::write(ann.work().join("a.txt"), "from ann").unwrap();
    let (_share, link) = share(&ann, &["a.txt"]);
    let cid = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
    let (version, shared) = link.split_once('/').unwrap();
    let (_, where_and_what) = shared.split_once('/').unwrap();
    let finished = bob.run(&["get", &format!("{version}/{cid}/{where_and_what}")]);
    assert_eq!(finished.code, Some(6), "{}", finished.errors);
    let at = finished.errors.find("error: ").unwrap();
    let lines: Vec<_> = finished.errors[at..].lines().collect();
    let count = |of: char| lines[0].matches(of).count();
    assert!(count('(') > 0 && count('(') == count(')'), "{lines:?}");
    assert!(lines[1].starts_with("  hint: ask whoever shared it"), "{lines:?}");
}

#[test]
fn an_output_that_is_there_is_not_touched() {
    let (ann, bob) = (Home::new(), Home::new());
    fs::write(ann.work().join("a.txt"), "from ann").unwrap();
    fs::write(bob.work().join("a.txt"), "bob's own").unwrap();
    let (_share, link) = share(&ann, &["a.txt"]);
    let finished = bob.run(&["get", &link]);
    assert_eq!(finished.code, Some(8), "{}", finished.errors);
    assert_eq!(fs::read_to_string(bob.work().join("a.txt")).unwrap(), "bob's own");
}

#[test]
fn what_cannot_be_read_is_not_shared() {
    let home = Home::new();
    let finished = home.run(&["share", "nothing-here"]);
    assert_eq!(finished.code, Some(11), "{}", finished.errors);
    assert!(finished.output.is_empty());
}

#[test]
fn add_gives_the_cids_of_the_profiles() {
    let home = Home::new();
    fs::write(home.work().join("hello"), "hello world").unwrap();
    let cid = |more: &[&str]| {
        let line = home.ok(&[&["add", "hello"], more].concat());
        line.split(' ').next().unwrap().to_owned()
    };
    let known = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
    assert_eq!(cid(&[]), known);
    assert_eq!(cid(&["--profile", "legacy"]), known);
    assert!(cid(&["--hash", "blake3"]).starts_with("bafkr4i"));
    assert!(cid(&["--metadata"]).starts_with("bafybei"));
}

#[test]
fn content_moves_in_car_files() {
    let (ann, bob) = (Home::new(), Home::new());
    make_album(&ann.work().join("summer"));
    let line = ann.ok(&["add", "summer", "--metadata"]);
    let cid = line.split(' ').next().unwrap();
    let car = ann.work().join("summer.car");
    let car = car.to_str().unwrap();
    assert_eq!(ann.ok(&["export", cid, "-o", car]).trim_end(), cid);
    assert_eq!(ann.run(&["export", cid, "-o", car]).code, Some(8), "it does not overwrite");
    assert_eq!(bob.run(&["export", cid, "-o", "none.car"]).code, Some(6));
    assert!(!bob.work().join("none.car").exists());

    assert_eq!(bob.ok(&["import", car]).trim_end(), cid);
    bob.ok(&["export", cid, "-o", "again.car"]);
    assert!(fs::read(car).unwrap() == fs::read(bob.work().join("again.car")).unwrap());
}

/// A CAR file without its last block, and where that begins.
fn without_last_block(car: &[u8]) -> &[u8] {
    let (mut at, mut last) = (0, 0);
    while at < car.len() {
        let (mut length, mut shift) = (0, 0);
        last = at;
        loop {
            let byte = car[at];
            (length, shift, at) = (length | usize::from(byte & 127) << shift, shift + 7, at + 1);
            if byte < 128 {
                break;
            }
        }
        at += length;
    }
    &car[..last]
}

#[test]
fn roots_that_are_not_whole_are_told_from_those_that_are() {
    let (ann, bob) = (Home::new(), Home::new());
    fs::write(ann.work().join("a.bin"), bytes(3_500_000)).unwrap();
    let line = ann.ok(&["add", "a.bin"]);
    let cid = line.split(' ').next().unwrap();
    ann.ok(&["export", cid, "-o", "whole.car"]);
    let whole = fs::read(ann.work().join("whole.car")).unwrap();
    let part = without_last_block(without_last_block(&whole));
    fs::write(bob.work().join("part.car"), part).unwrap();
    let finished = bob.run(&["import", "part.car"]);
    assert_eq!(finished.code, Some(12), "{}", finished.errors);
    let said = format!("{cid} is not whole: 2 blocks are missing, the first is bafkrei");
    assert!(finished.errors.contains(&said), "{}", finished.errors);
    assert!(!finished.text().contains(cid), "{}", finished.text());

    // What is missing in the file may be in the store already.
    fs::write(bob.work().join("whole.car"), &whole).unwrap();
    assert_eq!(bob.ok(&["import", "whole.car"]).trim_end(), cid);
    assert_eq!(bob.ok(&["import", "part.car"]).trim_end(), cid);
}

#[test]
fn a_get_makes_as_much_as_it_is_allowed() {
    let (ann, bob) = (Home::new(), Home::new());
    make_album(&ann.work().join("summer"));
    let (_share, link) = share(&ann, &["summer"]);
    for more in [["--max-files", "3"], ["--max-size", "2MiB"]] {
        let refused = bob.run(&["get", &link, more[0], more[1]]);
        assert_ne!(refused.code, Some(0));
        assert!(refused.errors.contains(more[0]), "{}", refused.errors);
        assert!(!bob.work().join("summer").exists());
    }
    let (up, _) = bob.up();
    let refused = bob.run(&["get", &link, "--max-files", "3"]);
    assert!(refused.errors.contains("--max-files"), "attached: {}", refused.errors);
    bob.ok(&["get", &link, "--max-files", "100", "--max-size", "20MiB"]);
    assert_eq!(listing(&bob.work().join("summer")), listing(&ann.work().join("summer")));
    drop(up);
}

#[test]
fn damaged_car_files_are_refused() {
    let (ann, bob) = (Home::new(), Home::new());
    fs::write(ann.work().join("a.bin"), bytes(100_000)).unwrap();
    let line = ann.ok(&["add", "a.bin"]);
    ann.ok(&["export", line.split(' ').next().unwrap(), "-o", "a.car"]);
    let car = fs::read(ann.work().join("a.car")).unwrap();
    let mut flipped = car.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for (bytes, code) in
        [(&flipped[..], 7), (&car[..car.len() - 1], 11), (b"nonsense", 11), (b"", 11)]
    {
        fs::write(bob.work().join("bad.car"), bytes).unwrap();
        let finished = bob.run(&["import", "bad.car"]);
        assert_eq!(finished.code, Some(code), "{}", finished.errors);
    }
    assert_eq!(bob.run(&["import", "not-there.car"]).code, Some(11));
}

#[test]
fn the_sender_is_told_when_a_shared_file_has_changed() {
    let (ann, bob) = (Home::new(), Home::new());
    fs::write(ann.work().join("a.bin"), bytes(3_000_000)).unwrap();
    let (mut share, link) = share(&ann, &["a.bin"]);
    fs::write(ann.work().join("a.bin"), "something else").unwrap();
    let get = bob.start(&["get", &link]);
    let changed = share.wait_for("file_changed");
    assert!(changed["path"].as_str().unwrap().ends_with("a.bin"), "{changed}");
    get.signal(Signal::INT);
    assert_ne!(get.finish().0, Some(0));
    assert!(!bob.work().join("a.bin").exists());
}

#[test]
fn the_sender_is_told_who_got_it() {
    let (ann, bob) = (Home::new(), Home::new());
    fs::write(ann.work().join("a.bin"), bytes(3_000_000)).unwrap();
    let (mut share, link) = share(&ann, &["a.bin"]);
    bob.ok(&["get", &link]);
    let served = share.wait_for("served");
    assert_eq!((&served["exchange"], &served["complete"]), (&"gateway".into(), &true.into()));
    assert!(link.contains(served["cid"].as_str().unwrap()), "{served}");
    assert!(served["peer"].is_string() && served.get("address").is_none(), "{served}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_is_told_who_got_it_by_bitswap() {
    let ann = Home::new();
    fs::write(ann.work().join("a.bin"), bytes(3_000_000)).unwrap();
    let (_up, address) = ann.up();
    let mut share = ann.start(&["share", "a.bin"]);
    let shared = share.wait_for("shared");
    let (address, peer) = address.rsplit_once("/p2p/").unwrap();
    let peer = peer.parse().unwrap();
    let node = Node::spawn(presets::loopback()).await.unwrap();
    node.add_addresses(peer, &[address.parse().unwrap()]);
    let session = Bitswap::start(&node, None).unwrap().session(&[peer]).unwrap();
    session.want(&[shared["cid"].as_str().unwrap().parse().unwrap()]).unwrap();
    let Some(Event::Block { block, .. }) = session.next().await else { panic!("no block") };
    let served = share.wait_for("served");
    assert_eq!(served["exchange"], "bitswap");
    assert_eq!(served["peer"], node.peer_id().to_string());
    assert_eq!((&served["cid"], &served["complete"]), (&shared["cid"], &true.into()));
    assert_eq!(served["bytes"], block.data().len());
}

#[test]
fn the_demonstration_succeeds() {
    let home = Home::new();
    let text = home.ok(&["demo"]);
    assert!(text.contains("peerage share") && text.contains("identical"), "{text}");
}
