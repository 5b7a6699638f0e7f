//! Help, usage, exit codes, completions and manual pages.

use std::fs;

use crate::support::Home;

#[test]
fn help_and_version_are_there_for_every_verb() {
    let home = Home::new();
    assert!(home.ok(&["--help"]).contains("Usage: peerage"));
    assert!(home.ok(&["--version"]).starts_with("peerage "));
    for verb in
        ["share", "get", "add", "export", "import", "id", "peers", "ping", "pipe", "up", "roles"]
    {
        assert!(home.ok(&[verb, "--help"]).contains("Usage: peerage"), "{verb}");
    }
    assert!(!home.path().exists(), "help needs no home");
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    let home = Home::new();
    for arguments in [&["nonsense"][..], &[], &["get"], &["ping"], &["share"], &["-q", "-v", "up"]]
    {
        let finished = home.run(arguments);
        assert_eq!(finished.code, Some(2), "{arguments:?}: {}", finished.errors);
        assert!(finished.output.is_empty());
    }
}

#[test]
fn the_documented_exit_codes_are_those_of_the_program() {
    let page = include_str!("../../../../docs/exit-codes.md");
    let documented: Vec<u8> =
        page.lines().filter_map(|line| line.split('|').nth(1)?.trim().parse().ok()).collect();
    assert_eq!(documented, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 130, 141]);
}

#[test]
fn failures_are_one_line_of_cause_and_one_of_hint() {
    let home = Home::new();
    let finished = home.run(&["ping", "nonsense"]);
    assert_eq!(finished.code, Some(3));
    let lines: Vec<_> = finished.errors.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("error: ") && lines[1].starts_with("  hint: "), "{lines:?}");

    let finished = home.run(&["--json", "ping", "nonsense"]);
    let error: serde_json::Value = serde_json::from_slice(&finished.output).unwrap();
    assert_eq!((&error["event"], &error["code"]), (&"error".into(), &"bad_target".into()));
}

#[test]
fn every_shell_has_its_completions() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(home.ok(&["completions", shell]).contains("share"), "{shell}");
    }
}

#[test]
fn every_verb_has_its_manual_page() {
    let home = Home::new();
    assert!(home.ok(&["man"]).contains(".TH peerage 1"));
    home.ok(&["man", "--to", "pages"]);
    for page in ["peerage.1", "peerage-share.1", "peerage-id-new.1"] {
        let text = fs::read_to_string(home.work().join("pages").join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let home = Home::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = home.command().args(["completions", "zsh"]).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
