//! What a download does with verified blocks that say anything.
#![no_main]

use std::convert::Infallible;

use libfuzzer_sys::fuzz_target;
use peerage_core::{
    data::{Block, Cid, HashKind, codec, hash, unixfs::Metadata},
    exchange::download::{EntryPath, Item, Output, Piece, Plan, ProviderId, expand},
    limits::{DOWNLOAD_PATH_BYTES, MAX_SYMLINK_BYTES},
};
use peerage_fuzz::{Parts, Pool};

/// How many parts are followed: a graph that repeats itself has no end.
const STEPS: usize = 200;

fuzz_target!(|input: &[u8]| {
    let mut parts = Parts::of(input);
    let raw_root = parts.byte() & 1 != 0;
    let blocks: Vec<&[u8]> = parts.take(32).collect();
    let Some(first) = blocks.first() else { return };
    let codec = if raw_root { codec::RAW } else { codec::DAG_PB };
    let root = hash(codec, HashKind::Sha2_256, first);
    receive(root, &Pool::of(&blocks));
});

fn receive(root: Cid, pool: &Pool) {
    let mut output = Memory::default();
    let mut stack = vec![Item::root(root)];
    for turn in 0..STEPS {
        let Some(item) = stack.pop() else { break };
        let block = pool.get(&item.cid, turn);
        let Ok(children) = expand(&item, &block, &mut output) else { continue };
        plan(children.clone());
        stack.extend(children);
    }
}

/// Children are all taken out of a plan again, and each once.
fn plan(children: Vec<Item<usize>>) {
    let count = children.len();
    let mut plan = Plan::new();
    plan.push(children).expect("one block has few enough links");
    let mut taken = 0;
    while let Some(unit) = plan.take(ProviderId::default(), std::time::Duration::ZERO) {
        taken += unit.items.len();
        plan.complete(unit.id, Vec::new()).expect("nothing is added");
    }
    assert_eq!(taken, count);
    assert!(plan.is_done());
}

/// A place in memory, which checks what the disk would have to bear.
#[derive(Default)]
struct Memory {
    /// Of each file its size, and how many bytes were written.
    files: Vec<(u64, u64)>,
}

fn check_path(path: &EntryPath) {
    let bytes = path.as_bytes();
    assert!(bytes.len() <= DOWNLOAD_PATH_BYTES && !bytes.contains(&0));
    if path.is_root() {
        return;
    }
    for name in bytes.split(|byte| *byte == b'/') {
        assert!(!matches!(name, b"" | b"." | b".."), "a name that leads elsewhere");
    }
}

impl Output for Memory {
    type File = usize;
    type Error = Infallible;

    fn directory(&mut self, path: &EntryPath, _: Metadata) -> Result<(), Infallible> {
        check_path(path);
        Ok(())
    }

    fn symlink(&mut self, path: &EntryPath, target: &[u8], _: Metadata) -> Result<(), Infallible> {
        check_path(path);
        assert!(!target.is_empty() && target.len() <= MAX_SYMLINK_BYTES && !target.contains(&0));
        Ok(())
    }

    fn file(&mut self, path: &EntryPath, size: u64, _: Metadata) -> Result<usize, Infallible> {
        check_path(path);
        self.files.push((size, 0));
        Ok(self.files.len() - 1)
    }

    fn data(&mut self, piece: Piece<'_, usize>) -> Result<(), Infallible> {
        let (size, written) = &mut self.files[*piece.file];
        let length = piece.bytes().len() as u64;
        assert!(piece.offset.checked_add(length).is_some_and(|end| end <= *size));
        *written += length;
        assert!(*written <= *size, "a byte is written twice");
        Ok(())
    }

    fn keep(&mut self, _: &Block) -> Result<(), Infallible> {
        Ok(())
    }
}
