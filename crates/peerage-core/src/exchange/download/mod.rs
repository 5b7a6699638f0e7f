//! Receiving a graph of blocks: what to fetch, from whom, and what each block
//! becomes in the output.
//!
//! [`expand`] takes one verified block to its place; [`Plan`] deals out what is
//! still missing. Both are pure: the driver brings blocks and time, and an
//! [`Output`] writes.

mod allowance;
mod item;
mod output;
mod plan;
#[cfg(test)]
mod tests;

pub use self::{
    allowance::{Allowance, Excess},
    item::{EntryPath, ExpandError, Item, Place, expand},
    output::{Output, Piece},
    plan::{Fetch, Plan, ProviderId, TooWide, Unit, UnitId},
};
