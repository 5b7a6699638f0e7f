use proptest::prelude::*;

use super::*;
use crate::identity::generate;

const PASSPHRASE: &str = "correct horse battery staple";

fn seal() -> Seal {
    Seal { cost: Cost::MINIMUM, salt: [3; 16], nonce: [4; 24] }
}

fn keypair(kind: KeyKind) -> Keypair {
    generate(kind, [7; 32].into())
}

fn sealed_text() -> String {
    let keypair = keypair(KeyKind::Ed25519);
    KeyFile::sealed(&keypair, PASSPHRASE, seal()).expect("sealed").to_text().to_string()
}

fn parse_error(text: &str) -> KeyFileError {
    KeyFile::parse(text.as_bytes()).expect_err("refused")
}

/// Replaces a part of the text and makes the check right again, as somebody
/// would who forges a file.
fn forged(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is in {text}");
    let body = text.replace(from, to);
    let (body, _) = body.split_at(body.find("check: ").expect("a check"));
    format!("{body}check: {}\n", check_of(body))
}

#[test]
fn both_kinds_come_back_from_clear_and_sealed_files() {
    for kind in [KeyKind::Ed25519, KeyKind::Secp256k1] {
        let keypair = keypair(kind);
        let clear = KeyFile::clear(&keypair).expect("a file");
        let sealed = KeyFile::sealed(&keypair, PASSPHRASE, seal()).expect("a file");
        for (file, is_sealed) in [(clear, false), (sealed, true)] {
            let read = KeyFile::parse(file.to_text().as_bytes()).expect("parses");
            assert_eq!((read.kind(), read.is_sealed()), (kind, is_sealed));
            assert_eq!(read.peer_id(), keypair.public().to_peer_id());
            assert_eq!(read.open(Some(PASSPHRASE)).expect("opens").public(), keypair.public());
        }
    }
}

#[test]
fn version_1_files_stay_readable() {
    for (text, passphrase) in [
        (include_str!("../../../tests/vectors/identity/clear-1.key"), None),
        (include_str!("../../../tests/vectors/identity/sealed-1.key"), Some(PASSPHRASE)),
    ] {
        let file = KeyFile::parse(text.as_bytes()).expect("parses");
        let keypair = file.open(passphrase).expect("opens");
        assert_eq!(keypair.public(), self::keypair(KeyKind::Ed25519).public());
        assert_eq!(*file.to_text(), text);
    }
}

#[test]
fn a_sealed_file_holds_no_key_in_clear_and_debug_shows_none() {
    let keypair = keypair(KeyKind::Ed25519);
    let secret = BASE64.encode(&keypair.to_protobuf_encoding().expect("encodes"));
    let clear = KeyFile::clear(&keypair).expect("a file");
    assert!(clear.to_text().contains(&secret));
    assert!(!sealed_text().contains(&secret[..16]));
    assert!(!format!("{clear:?}").contains("Clear"));
}

#[test]
fn the_wrong_passphrase_and_a_damaged_file_are_told_apart() {
    let text = sealed_text();
    let file = KeyFile::parse(text.as_bytes()).expect("parses");
    assert_eq!(file.open(None).err(), Some(KeyFileError::PassphraseNeeded));
    assert_eq!(file.open(Some("")).err(), Some(KeyFileError::EmptyPassphrase));
    assert_eq!(file.open(Some("correct horse")).err(), Some(KeyFileError::WrongPassphrase));
    for (from, to) in
        [("key: ", "key: AAAA"), ("memory=8", "memory=9"), ("salt: AwMD", "salt: AwMA")]
    {
        assert!(matches!(parse_error(&text.replace(from, to)), KeyFileError::Damaged { .. }));
    }
}

#[test]
fn the_header_is_authenticated() {
    let text = sealed_text();
    for (from, to) in
        [("passes=1", "passes=2"), ("kind: ed25519", "kind: secp256k1"), ("BAQE", "BAQA")]
    {
        let file = KeyFile::parse(forged(&text, from, to).as_bytes()).expect("parses");
        assert_eq!(file.open(Some(PASSPHRASE)).err(), Some(KeyFileError::WrongPassphrase));
    }
}

#[test]
fn a_clear_key_of_another_peer_is_refused() {
    let text = KeyFile::clear(&keypair(KeyKind::Ed25519)).expect("a file").to_text();
    let other = generate(KeyKind::Ed25519, [8; 32].into()).public().to_peer_id().to_string();
    let own = keypair(KeyKind::Ed25519).public().to_peer_id().to_string();
    let file = KeyFile::parse(forged(&text, &own, &other).as_bytes()).expect("parses");
    assert!(matches!(file.open(None), Err(KeyFileError::Damaged { .. })));
}

#[test]
fn a_hostile_cost_is_refused_before_any_work() {
    let text = forged(&sealed_text(), "memory=8 ", "memory=4294967295 ");
    let memory_kib = u32::MAX;
    assert_eq!(parse_error(&text), KeyFileError::Cost { memory_kib, passes: 1, lanes: 1 });
    let text = forged(&sealed_text(), "memory=8 ", "memory=99999999999 ");
    assert!(matches!(parse_error(&text), KeyFileError::Damaged { .. }));
}

#[test]
fn other_things_newer_versions_and_large_files_are_named() {
    for text in ["", "-----BEGIN PRIVATE KEY-----", "peerage identity x\n", "peerage identity 0\n"]
    {
        assert_eq!(parse_error(text), KeyFileError::NotAKeyFile);
    }
    let newer = sealed_text().replace("identity 1", "identity 2");
    assert_eq!(parse_error(&newer), KeyFileError::NewerVersion { version: 2 });
    let padded = format!("{}{}", sealed_text(), "\n".repeat(MAX_KEY_FILE_BYTES));
    assert_eq!(parse_error(&padded[..=MAX_KEY_FILE_BYTES]), KeyFileError::TooLarge);
    assert!(KeyFile::parse(&padded.as_bytes()[..MAX_KEY_FILE_BYTES]).is_ok());
}

#[test]
fn line_ends_of_windows_are_read_and_text_after_the_end_is_not() {
    let text = sealed_text();
    let file = KeyFile::parse(text.replace('\n', "\r\n").as_bytes()).expect("parses");
    assert!(file.open(Some(PASSPHRASE)).is_ok());
    assert!(matches!(parse_error(&format!("{text}x")), KeyFileError::Damaged { .. }));
}

#[test]
fn every_cut_is_noticed() {
    let text = sealed_text();
    let whole = text.trim_end().len();
    for end in 0..whole {
        assert!(KeyFile::parse(&text.as_bytes()[..end]).is_err(), "cut at {end}");
    }
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = KeyFile::parse(&bytes);
    }

    #[test]
    fn a_changed_byte_is_noticed(position in 0_usize..400, byte: u8) {
        let mut text = sealed_text().into_bytes();
        let position = position % text.trim_ascii_end().len();
        prop_assume!(text[position] != byte);
        text[position] = byte;
        prop_assert!(KeyFile::parse(&text).is_err());
    }
}
