//! `peerage id`.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::support::Home;

/// The peer id in a line of `id`.
fn peer(line: &str) -> &str {
    line.split_whitespace().find(|word| word.len() > 40).unwrap()
}

#[test]
fn identities_are_made_listed_used_renamed_and_removed() {
    let home = Home::new();
    assert_eq!(home.ok(&["id"]), "");
    let first = home.ok(&["id", "new", "work"]);
    assert!(first.starts_with("* work  12D3Koo"), "{first}");
    let second = home.ok(&["id", "new", "play", "--kind", "secp256k1"]);
    assert!(second.starts_with("  play  16Uiu2"), "{second}");
    assert!(home.ok(&["id", "use", "play"]).starts_with("* play"));
    home.ok(&["id", "rename", "play", "games"]);
    let list = home.ok(&["id", "list"]);
    let lines: Vec<_> = list.lines().collect();
    assert!(lines[0].starts_with("* games") && lines[1].starts_with("  work"), "{list}");
    assert_eq!(peer(lines[0]), peer(&second));

    assert_eq!(home.run(&["id", "remove", "work"]).code, Some(10), "it asks first");
    home.ok(&["id", "remove", "work", "--yes"]);
    assert_eq!(home.ok(&["id"]).lines().count(), 1);
}

#[test]
fn mistakes_with_identities_exit_with_10() {
    let home = Home::new();
    home.ok(&["id", "new", "work"]);
    home.ok(&["id", "new", "play"]);
    for arguments in [
        &["id", "use", "nobody"][..],
        &["id", "new", "work"],
        &["id", "new", "../work"],
        &["id", "rename", "work", "play"],
        &["id", "remove", "work", "--yes"],
        &["id", "remove", "nobody", "--yes"],
        &["--identity", "nobody", "peers"],
    ] {
        let finished = home.run(arguments);
        assert_eq!(finished.code, Some(10), "{arguments:?}: {}", finished.errors);
    }
}

#[test]
fn an_identity_moves_to_another_home_by_a_file() {
    let (here, there) = (Home::new(), Home::new());
    let line = here.ok(&["id", "new", "work"]);
    let file = here.work().join("work.key");
    here.ok(&["id", "export", "work", "-o", file.to_str().unwrap()]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = here.run(&["id", "export", "work", "-o", file.to_str().unwrap()]);
    assert_eq!(again.code, Some(8), "it does not overwrite");

    let imported = there.ok(&["id", "import", file.to_str().unwrap(), "--name", "mine"]);
    assert_eq!(peer(&imported), peer(&line));
    fs::write(&file, "not a key").unwrap();
    let broken = there.run(&["id", "import", file.to_str().unwrap(), "--name", "broken"]);
    assert_eq!(broken.code, Some(10));
}

#[test]
fn a_sealed_identity_needs_its_passphrase() {
    let home = Home::new();
    let phrase = |text: &str| {
        let path = home.work().join("phrase");
        fs::write(&path, text).unwrap();
        path
    };
    let made = home
        .command()
        .args(["id", "new", "secret", "--passphrase"])
        .env("PEERAGE_PASSPHRASE_FILE", phrase("correct horse\n"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(String::from_utf8_lossy(&made.stdout).contains("(passphrase)"));
    for (text, code) in [("correct horse", 0), ("wrong", 10)] {
        let finished = home
            .command()
            .arg("peers")
            .env("PEERAGE_PASSPHRASE_FILE", phrase(text))
            .output()
            .unwrap();
        assert_eq!(finished.status.code(), Some(code), "{text}");
    }
}

#[test]
fn keys_and_their_folders_are_the_owners_alone() {
    let home = Home::new();
    home.ok(&["id", "new", "work"]);
    let mode =
        |path: &str| fs::metadata(home.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("identities")), (0o700, 0o700));
    assert_eq!(mode("identities/work.key"), 0o600);
    let key = home.path().join("identities/work.key");
    fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
    let finished = home.run(&["id"]);
    assert_eq!(finished.code, Some(10));
    assert!(finished.errors.contains("chmod 600"), "{}", finished.errors);
}

#[test]
fn a_damaged_key_hides_no_other() {
    let home = Home::new();
    home.ok(&["id", "new", "a"]);
    home.ok(&["id", "new", "b"]);
    let key = home.path().join("identities/a.key");
    assert!(key.exists());
    fs::write(&key, "peerage identity 1\nnonsense").unwrap();
    let finished = home.run(&["id", "list"]);
    assert_eq!(finished.code, Some(10), "{}", finished.errors);
    assert!(finished.text().contains('b'), "{}", finished.text());
    assert!(finished.errors.contains("identity a"), "{}", finished.errors);
}
