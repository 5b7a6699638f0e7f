"""What `.ci/structure` must find, and what it must let pass: small houses, each
with the fault that it has."""

PAGE = """# A house

```text rooms
house
  upper   above
  middle
  lower   below all
  limits
```
"""
MANIFEST = '[package]\nname = "house"\n'
# A house without a fault, that has all that can mislead the reader of a source.
SOUND = {
    "lib.rs": """
//! use crate::upper::Nothing;
pub mod limits;
pub mod lower;
pub mod middle;
mod upper;
pub use std::fmt::Debug;
""",
    "limits/mod.rs": "pub const MAX_GUESTS: usize = 8;\n",
    "lower/mod.rs": """
/* crate::middle::A /* crate::middle::A */ crate::middle::A */
mod hall;
pub use hall::{Hall, Stairs as Steps};
use futures::{self, Stream};
fn poll() { futures::join() }
""",
    "lower/hall.rs": r'''
use std::{fmt, io::{self, Read as _}};
pub struct Hall;
pub struct Stairs;
impl<'a> From<&'a str> for Hall {
    fn from(_: &'a str) -> Self {
        let _ = ('"', '\'', '{', b'"', '\u{7d}', "crate::middle::A \" }", r#"" } crate::middle::A"#);
        Hall
    }
}
pub fn of<const N: usize>(_: [u8; N]) -> [u8; 2] { [0; 2] }
#[cfg(test)]
fn for_tests<A, B>() { crate::upper::open() }
#[cfg(test)]
mod tests {
    use crate::upper;
    const MAX_TESTS: usize = 1;
}
''',
    "middle/mod.rs": "pub mod a;\nmod b;\n#[cfg(test)]\nmod tests;\npub use self::a::A;\n",
    "middle/a.rs": "pub struct A(crate::lower::Hall);\n",
    "middle/b.rs": "use super::A;\npub(super) struct B(A);\n",
    "middle/tests.rs": "use crate::upper::open;\n",
    "upper.rs": """
use crate::{limits::MAX_GUESTS, lower::*, middle::{self, a}};
pub fn open() -> middle::A { let _ = MAX_GUESTS; todo!() }
mod inner { use super::super::middle::A; }
""",
}
LONG = "fn long() {\n" + "    let _ = 1;\n" * 49 + "}\n"

# (what it shows, files that differ from the sound house, parts of the faults)
CASES = [
    ("a sound house has no fault", {}, []),
    (
        "an import that runs upwards",
        {"lower/hall.rs": "pub struct Hall;\npub struct Stairs;\nuse crate::{upper::open};\n"},
        ["crates/house/src/lower/hall.rs:3: lower imports crate::upper::open of upper, which is above",
         "lower -> upper: 1 imports", "in a circle"],
    ),
    (
        "an upward path inside of code",
        {"limits/mod.rs": "pub const MAX_GUESTS: usize = 1;\nfn f() {\n g::<crate::lower::Steps>()\n}\n"},
        ["limits/mod.rs:3: limits imports crate::lower::Steps of lower, which is above"],
    ),
    (
        "a path behind a field and an item that only tests have",
        {"limits/mod.rs": "struct S {\n #[cfg(test)]\n probe: u8,\n door: crate::lower::Hall,\n}\n"
                          "#[cfg(test)]\nimpl S { fn f() {} }\nuse crate::upper;\n"},
        ["limits/mod.rs:4: limits imports crate::lower::Hall", "limits/mod.rs:8: limits imports crate::upper"],
    ),
    (
        "a re-export by a star",
        {"lib.rs": SOUND["lib.rs"] + "pub use upper::*;\n", "limits/mod.rs": "use crate::open;\n"},
        ["limits/mod.rs:1: limits imports crate::open of upper"],
    ),
    (
        "a circle of rooms, by way of a re-export and `super`",
        {"middle/a.rs": "pub struct A;\nuse super::super::upper;\n"},
        ["rooms import each other in a circle, middle -> upper -> middle",
         "middle/a.rs: 3 files in a circle",
         "upper.rs:2 names crate::middle::a, of crates/house/src/middle/a.rs"],
    ),
    (
        "a re-export in the root counts as what it stands for",
        {"lib.rs": SOUND["lib.rs"] + "pub use upper::open as enter;\n",
         "limits/mod.rs": "pub const MAX_GUESTS: usize = 1;\nuse crate::enter;\n"},
        ["limits/mod.rs:2: limits imports crate::enter of upper"],
    ),
    (
        "an item of the root",
        {"lib.rs": SOUND["lib.rs"] + "pub struct Plot;\n", "limits/mod.rs": "use crate::Plot;\n"},
        ["limits/mod.rs:1: limits imports crate::Plot of the root"],
    ),
    ("a function of 51 lines", {"middle/b.rs": LONG}, ["middle/b.rs:1: `long` has 51 lines"]),
    ("a function of 50 lines", {"middle/b.rs": LONG.replace("    let _ = 1;\n", "", 1)}, []),
    ("a file of 501 lines", {"middle/b.rs": "//\n" * 501}, ["middle/b.rs: has 501 lines"]),
    ("a file of 500 lines", {"middle/b.rs": "//\n" * 500}, []),
    (
        "limits outside of the rooms of limits",
        {"middle/b.rs": "const MAX_DOORS: u8 = 1;\nimpl B {\n    const OUR_MAX_KEYS: u8 = 1;\n}\n"
                        "const MAXIMAL: u8 = 1;\n"},
        ["middle/b.rs:1: the limit MAX_DOORS", "middle/b.rs:3: the limit OUR_MAX_KEYS"],
    ),
    ("a room that the page does not have", {"lib.rs": SOUND["lib.rs"] + "mod attic;\n", "attic.rs": ""},
     ["has no attic of house"]),
    ("a file that nobody names", {"middle/c.rs": ""}, ["middle/c.rs: no `mod` names it"]),
]
INSIDE = {"middle/b.rs": "pub struct B;\nuse super::A;\n", "middle/a.rs": "pub struct A(super::b::B);\n"}


def house(changes):
    files = {f"crates/house/src/{name}": text for name, text in {**SOUND, **changes}.items()}
    return {"crates/house/Cargo.toml": MANIFEST, **files}


def check(faults, changes, expected):
    """What is wrong with the faults that are found, if anything is."""
    _, wrong, _ = faults(house(changes), PAGE)
    missing = [part for part in expected if not any(part in fault for fault in wrong)]
    if missing or (wrong and not expected):
        return f"not found: {missing}; found: {wrong}"
    return None


def run(faults):
    failures = []
    for name, changes, expected in CASES:
        if failure := check(faults, changes, expected):
            failures.append(f"{name}: {failure}")
    _, wrong, inside = faults(house(INSIDE), PAGE)
    if wrong or not any("middle/a.rs: 2 files in a circle" in line for line in inside):
        failures.append(f"a circle inside a room is printed and no fault: {wrong} {inside}")
    _, wrong, _ = faults(house({}), PAGE.replace("limits", "limits\n  cellar"))
    if not any("no room cellar" in fault for fault in wrong):
        failures.append(f"a room that is only on the page: {wrong}")
    print("\n".join(failures) or f"structure: {len(CASES) + 2} cases of its own ok")
    return 1 if failures else 0
