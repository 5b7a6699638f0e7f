//! From the store's format 1 to 2, in one transaction: after a crash the store
//! has the one or the other.
//!
//! Format 1 had *trees* for owners: a root and a folder, whatever they were for.
//! What each was is told from what it has:
//!
//! * in a folder that downloads are staged in, it is a download that is not
//!   whole;
//! * with all its files below one name that its root does not know, it was got:
//!   a download's folder is the one that the output is in;
//! * else the user added it. What was shared was removed from the store when the
//!   command ended, so what is there was added, or is of a command that was
//!   killed.
//!
//! Blocks without an owner, of archives mostly, get one: a database without a
//! root, since their roots are not known.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use peerage_core::data::{Cid, view::View};
use redb::{Database, ReadableTable as _, TableDefinition, WriteTransaction};

use super::{
    DownloadState, OwnerId, OwnerKind, Purpose, StoreError, os,
    read::kept_in,
    record::{Entry, FileGroup, Reader, block_key, read_root},
    tables::{BLOCKS, FILES, META, META_NEXT_OWNER, OWNERS, VALUES, write_format},
};

const TREES: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("trees");
const META_NEXT_TREE: &str = "next-tree";

/// The name of the owner of what had none.
const UNTIED_NAME: &str = "blocks without an owner";

/// The store at its conversion.
struct Migration<'a> {
    transaction: &'a WriteTransaction,
    secret: &'a [u8; 32],
}

/// Makes a store of format 1 one of format 2.
///
/// # Errors
///
/// When a record is damaged, or the disk fails; then nothing has changed.
pub(super) fn from_format_1(database: &Database, secret: &[u8; 32]) -> Result<(), StoreError> {
    let transaction = database.begin_write()?;
    Migration { transaction: &transaction, secret }.run()?;
    Ok(transaction.commit()?)
}

impl Migration<'_> {
    fn run(&self) -> Result<(), StoreError> {
        {
            let trees = self.transaction.open_table(TREES)?;
            let mut owners = self.transaction.open_table(OWNERS)?;
            for row in trees.iter()? {
                let (id, bytes) = row?;
                let (root, base) = decode_tree(bytes.value())?;
                let kind = self.kind_of(id.value(), root, base)?;
                owners.insert(id.value(), kind.encode()?.as_slice())?;
            }
            if self.has_untied_blocks()? {
                let kind = OwnerKind::database(UNTIED_NAME);
                owners.insert(OwnerId::UNTIED.0, kind.encode()?.as_slice())?;
            }
        }
        self.transaction.delete_table(TREES)?;
        self.transaction.open_table(VALUES)?;
        self.rename_counter()?;
        write_format(self.transaction)
    }

    fn rename_counter(&self) -> Result<(), StoreError> {
        let mut meta = self.transaction.open_table(META)?;
        let next = meta.remove(META_NEXT_TREE)?.map(|bytes| bytes.value().to_vec());
        if let Some(next) = next {
            meta.insert(META_NEXT_OWNER, next.as_slice())?;
        }
        Ok(())
    }

    fn kind_of(&self, id: u32, root: Option<Cid>, base: PathBuf) -> Result<OwnerKind, StoreError> {
        let purpose = Purpose::Added;
        let Some(root) = root else { return Ok(OwnerKind::Files { base, purpose, root }) };
        let state = if is_staging(&base) {
            DownloadState::Getting
        } else if self.was_got(id, &root)? {
            DownloadState::Got
        } else {
            return Ok(OwnerKind::Files { base, purpose, root: Some(root) });
        };
        Ok(OwnerKind::Download { base, state, root })
    }

    /// Whether all files are below one name, and the root does not know it.
    fn was_got(&self, id: u32, root: &Cid) -> Result<bool, StoreError> {
        let names = self.first_names(id)?;
        let (Some(Some(name)), 1) = (names.first(), names.len()) else { return Ok(false) };
        // A root that is in no table is a file, or a part of one.
        let Some(block) = kept_in(self.transaction, &block_key(self.secret, root))? else {
            return Ok(true);
        };
        Ok(match View::of(root, &block) {
            Ok(View::Directory { entries, .. }) => {
                entries.iter().all(|entry| entry.name.as_ref() != name.as_slice())
            }
            // Its files, which are many, would have many names.
            Ok(View::Shard { .. }) => true,
            Ok(_) => true,
            Err(_) => false,
        })
    }

    /// The first two names that the paths of a tree's files begin with; `None`
    /// for the file that is the tree itself.
    fn first_names(&self, id: u32) -> Result<BTreeSet<Option<Vec<u8>>>, StoreError> {
        let mut names = BTreeSet::new();
        for row in self.transaction.open_table(FILES)?.range((id, 0)..=(id, u32::MAX))? {
            for path in FileGroup::decode(row?.1.value())?.paths() {
                names.insert(first_name(path)?);
            }
            if names.len() > 1 {
                break;
            }
        }
        Ok(names)
    }

    fn has_untied_blocks(&self) -> Result<bool, StoreError> {
        for row in self.transaction.open_table(BLOCKS)?.iter()? {
            let kept = Entry::decode(row?.1.value())?.kept;
            if kept.is_some_and(|kept| kept.owners.contains(&OwnerId::UNTIED)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn decode_tree(bytes: &[u8]) -> Result<(Option<Cid>, PathBuf), StoreError> {
    let mut reader = Reader::new(bytes, "trees");
    let root = read_root(&mut reader)?;
    Ok((root, os::path_from(reader.rest().to_vec())?))
}

/// Whether downloads are staged in a folder, as its name says.
fn is_staging(base: &Path) -> bool {
    let name = base.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(".peerage-") && name.ends_with(".partial")
}

fn first_name(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match path.components().next() {
        Some(Component::Normal(name)) => Ok(Some(os::path_bytes(Path::new(name))?.to_vec())),
        _ => Ok(None),
    }
}
