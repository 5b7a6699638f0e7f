//! `docs/limits.md` says the same as the code.

use std::{collections::BTreeMap, fs, path::Path};

const PAGE: &str = include_str!("../../../../docs/limits.md");

/// The rooms of limits: those of the formats, and those of the drivers, which
/// may name the former.
const ROOMS: [&str; 2] = ["../peerage-core/src/limits", "src/limits"];

/// The constants of the code, with the numbers that they stand for.
fn in_the_code() -> BTreeMap<String, u64> {
    let mut constants = BTreeMap::new();
    for room in ROOMS {
        let mut waiting = declared_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join(room));
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

/// The names and expressions of all constants in a folder.
fn declared_in(folder: &Path) -> Vec<(String, String)> {
    let mut declared = Vec::new();
    for file in fs::read_dir(folder).expect("a folder of limits") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("a text");
        for line in text.lines().filter_map(|line| line.strip_prefix("pub const ")) {
            let (name, rest) = line.split_once(": ").expect("a type");
            let (_, expression) = rest.split_once(" = ").expect("a value on the same line");
            declared.push((name.to_owned(), expression.trim_end_matches(';').to_owned()));
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
