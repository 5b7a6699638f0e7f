//! `docs/limits.md` says the same as the code.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const PAGE: &str = include_str!("../../../../docs/limits.md");

/// The rooms of limits: those of the formats, those of the drivers, which may
/// name the former, and those of the command.
const ROOMS: [&str; 3] =
    ["../peerage-core/src/limits", "src/limits", "../peerage-cli/src/limits.rs"];

/// Where the constants of all crates stand.
const SOURCES: [&str; 3] = ["../peerage-core/src", "src", "../peerage-cli/src"];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of Rust below a path, or the path itself.
fn files(path: PathBuf) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path];
    }
    let entries = fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry"));
    let files = entries.flat_map(|entry| files(entry.path()));
    files.filter(|file| file.extension().is_some_and(|ending| ending == "rs")).collect()
}

/// The constants of the code, with the numbers that they stand for.
fn in_the_code() -> BTreeMap<String, u64> {
    let mut constants = BTreeMap::new();
    for room in ROOMS {
        let mut waiting = declared_in(here().join(room));
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|(name, expression)| match sum(expression, &constants) {
                Some(value) => {
                    assert_eq!(constants.insert(name.clone(), value), None, "{name} twice");
                    false
                }
                None => true,
            });
            assert!(waiting.len() < before, "unreadable: {waiting:?}");
        }
    }
    constants
}

/// The names and expressions of all constants in a room.
fn declared_in(room: PathBuf) -> Vec<(String, String)> {
    let mut declared = Vec::new();
    for file in files(room) {
        let text = fs::read_to_string(file).expect("a text");
        let after = |start| text.split(start).skip(1);
        for constant in after("\npub const ").chain(after("\npub(crate) const ")) {
            let constant = constant.split(';').next().expect("an end");
            let (name, rest) = constant.split_once(": ").expect("a type");
            let (_, expression) = rest.split_once('=').expect("a value");
            let expression: Vec<_> = expression.split_whitespace().collect();
            declared.push((name.to_owned(), expression.join(" ")));
        }
    }
    declared
}

/// What a sum of products of numbers and known constants comes to.
fn sum(expression: &str, constants: &BTreeMap<String, u64>) -> Option<u64> {
    let product =
        |term: &str| term.split(" * ").map(|f| factor(f, constants)).product::<Option<u64>>();
    expression.split(" + ").map(product).sum::<Option<u64>>()
}

fn factor(text: &str, constants: &BTreeMap<String, u64>) -> Option<u64> {
    if let Some((base, bits)) = text.split_once(" << ") {
        return Some(factor(base, constants)? << factor(bits, constants)?);
    }
    let number = text.replace('_', "").parse().ok();
    number.or_else(|| constants.get(text).copied())
}

/// The rows of the page: a name in backticks, and a number.
fn on_the_page() -> BTreeMap<String, u64> {
    let mut rows = BTreeMap::new();
    for row in PAGE.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (name, rest) = row.split_once("` | ").expect("a name");
        let cells: Vec<_> = rest.trim_end_matches(" |").split(" | ").collect();
        assert_eq!(cells.len(), 3, "a value, what is bounded and why: {name}");
        let value = cells[0].replace(',', "").parse().expect("a number");
        assert_eq!(rows.insert(name.to_owned(), value), None, "{name} is there twice");
    }
    rows
}

#[test]
fn the_page_lists_every_limit_with_its_value() {
    let code = in_the_code();
    assert!(code.len() > 80, "{} limits were found in the code", code.len());
    assert_eq!(on_the_page(), code);
}

/// Whether a line declares a constant whose name says that it bounds something.
fn bounds_something(line: &str) -> bool {
    let name = line.split_once("const ").and_then(|(_, rest)| rest.split(':').next());
    name.is_some_and(|name| name.starts_with("MAX_") || name.contains("_MAX_"))
}

#[test]
fn no_limit_stands_elsewhere() {
    let rooms = ROOMS.map(|room| here().join(room));
    let mut looked_at = 0;
    for file in SOURCES.iter().flat_map(|folder| files(here().join(folder))) {
        if rooms.iter().any(|room| file.starts_with(room)) {
            continue;
        }
        looked_at += 1;
        let text = fs::read_to_string(&file).expect("a text");
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            assert!(!bounds_something(line), "{}: {line}", file.display());
        }
    }
    assert!(looked_at > 200, "{looked_at} files were looked at");
}
