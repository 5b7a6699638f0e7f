//! Lets the C library's place for chance be taken by ours (`src/chance.rs`) for
//! those too who look it up while the program runs.

fn main() {
    println!("cargo:rustc-link-arg-bins=-rdynamic");
}
