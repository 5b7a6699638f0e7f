//! `docs/limits.md` says the same as the code.

use std::collections::BTreeMap;

const SOURCE: &str = include_str!("../../src/limits.rs");
const PAGE: &str = include_str!("../../../../docs/limits.md");

/// The constants of the code, with the numbers that they stand for.
fn in_the_code() -> BTreeMap<&'static str, u64> {
    let mut constants = BTreeMap::new();
    for line in SOURCE.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let (name, rest) = line.split_once(": ").expect("a type");
        let (_, expression) = rest.split_once(" = ").expect("a value on the same line");
        let value = sum(expression.trim_end_matches(';'), &constants);
        assert_eq!(constants.insert(name, value), None, "{name} is there twice");
    }
    constants
}

/// What a sum of products of numbers and earlier constants comes to.
fn sum(expression: &str, constants: &BTreeMap<&str, u64>) -> u64 {
    let product = |term: &str| term.split(" * ").map(|f| factor(f, constants)).product::<u64>();
    expression.split(" + ").map(product).sum()
}

fn factor(text: &str, constants: &BTreeMap<&str, u64>) -> u64 {
    if let Some((base, bits)) = text.split_once(" << ") {
        return factor(base, constants) << factor(bits, constants);
    }
    let number = text.replace('_', "").parse().ok();
    number.or_else(|| constants.get(text).copied()).unwrap_or_else(|| panic!("unreadable: {text}"))
}

/// The rows of the page: a name in backticks, and a number.
fn on_the_page() -> BTreeMap<&'static str, u64> {
    let mut rows = BTreeMap::new();
    for row in PAGE.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (name, rest) = row.split_once("` | ").expect("a name");
        let cells: Vec<_> = rest.trim_end_matches(" |").split(" | ").collect();
        assert_eq!(cells.len(), 3, "a value, what is bounded and why: {name}");
        let value = cells[0].replace(',', "").parse().expect("a number");
        assert_eq!(rows.insert(name, value), None, "{name} is there twice");
    }
    rows
}

#[test]
fn the_page_lists_every_limit_with_its_value() {
    let code = in_the_code();
    assert!(code.len() > 80, "{} limits were found in the code", code.len());
    assert_eq!(on_the_page(), code);
}
