//! Key files, and keys from elsewhere.
#![no_main]

use std::fmt::Write as _;

use libfuzzer_sys::fuzz_target;
use peerage_core::{
    data::HashKind,
    identity::{Imported, KeyFile, import},
};

/// The cheapest cost there is; opening files of other costs takes too long.
const CHEAP: &str = "\ncost: memory=8 passes=1 lanes=1\n";

fuzz_target!(|input: &[u8]| {
    read(input);
    if let Some(input) = with_check(input) {
        read(input.as_bytes());
    }
});

/// The text with the check that it would need: chance does not find that.
fn with_check(input: &[u8]) -> Option<String> {
    let (body, _) = std::str::from_utf8(input).ok()?.rsplit_once("check: ")?;
    let digest = HashKind::Sha2_256.digest(body.as_bytes());
    let mut text = format!("{body}check: ");
    for byte in &digest[..8] {
        write!(text, "{byte:02x}").ok()?;
    }
    Some(text)
}

fn read(input: &[u8]) {
    if let Ok(file) = KeyFile::parse(input) {
        check(&file);
    }
    match import(input) {
        Ok(Imported::KeyFile(file)) => check(&file),
        Ok(Imported::Key(keypair)) => {
            let file = KeyFile::clear(&keypair).expect("a key that is imported can be kept");
            assert_eq!(file.open(None).expect("it is whole").public(), keypair.public());
            check(&file);
        }
        Err(_) => {}
    }
}

/// A file that was read is written, and is then read as the same.
fn check(file: &KeyFile) {
    let text = file.to_text();
    let again = KeyFile::parse(text.as_bytes()).expect("what was written is read");
    assert_eq!((again.kind(), again.peer_id()), (file.kind(), file.peer_id()));
    assert_eq!(*again.to_text(), *text);
    if !file.is_sealed() || text.contains(CHEAP) {
        let opened = file.open(Some("correct horse battery staple"));
        assert!(
            opened.is_err() || opened.is_ok_and(|key| key.public().to_peer_id() == file.peer_id())
        );
    }
}
