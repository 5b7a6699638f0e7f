//! Blocks of files and folders: dag-pb, UnixFS, and what a receiver makes of
//! them.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use peerage_core::data::{View, dag_pb, directory::check_name, unixfs};

fuzz_target!(|input: &[u8]| {
    let block = Bytes::copy_from_slice(input);
    read_node(&block);
    read_unixfs(&block);
    if let Ok(view) = View::of_dag_pb(&block) {
        check_view(&view, &block);
    }
});

/// A node that is read can be written, and is then read as the same.
fn read_node(block: &Bytes) {
    let Ok(node) = dag_pb::Node::decode(block) else { return };
    let mut writer = dag_pb::Writer::default();
    for link in &node.links {
        writer.link(&link.cid, &[], &link.name, link.total_size);
    }
    let (written, _) = writer.finish(&node.data);
    assert_eq!(dag_pb::Node::decode(&written).as_ref(), Ok(&node));
    read_unixfs(&node.data);
}

/// A mode that is the default is not written; all else stays as it was.
fn read_unixfs(data: &Bytes) {
    let Ok(node) = unixfs::Node::decode(data) else { return };
    let again = unixfs::Node::decode(&node.encode().into()).expect("what was written is read");
    assert_eq!(again.encode(), node.encode());
    assert_eq!((again.kind, &again.data), (node.kind, &node.data));
    assert_eq!((again.file_size, &again.block_sizes), (node.file_size, &node.block_sizes));
    assert_eq!(again.metadata.mtime, node.metadata.mtime);
    assert!(again.metadata.mode.is_none() || again.metadata.mode == node.metadata.mode);
}

fn check_view(view: &View, block: &Bytes) {
    match view {
        View::Raw(_) => panic!("a dag-pb block is never raw"),
        View::File { inline, inline_offset, children, size, .. } => {
            assert_eq!(&block[*inline_offset..][..inline.len()], inline);
            assert!(children.iter().all(|child| child.file_bytes > 0));
            let below: u64 = children.iter().map(|child| child.file_bytes).sum();
            assert_eq!(below + inline.len() as u64, *size);
        }
        View::Directory { entries, .. } => {
            let mut names: Vec<_> = entries.iter().map(|entry| &entry.name).collect();
            assert!(names.iter().all(|name| check_name(name).is_ok()));
            names.sort();
            assert!(names.is_sorted_by(|a, b| a < b), "a name is there twice");
        }
        View::Shard { links, fanout, .. } => {
            assert!(links.iter().all(|link| link.position() < fanout.positions()));
            assert!(links.is_sorted_by(|a, b| a.position() < b.position()));
        }
        View::Symlink { target, .. } => assert!(!target.is_empty()),
    }
}
