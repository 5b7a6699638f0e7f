//! Whether all blocks below the roots of a CAR are in the store.

use std::collections::HashSet;

use peerage::{
    Advice,
    data::{Block, Cid, codec, dag_cbor, dag_pb},
    store::Store,
};

use crate::{
    context::Context,
    event::{Event, Incomplete},
    failure::{Code, Failure},
    host::store_failure,
    limits::{MAX_CHECKED_BLOCKS, MAX_INCOMPLETE_ROOTS},
};

/// The whole roots, and those below which blocks are missing. Each is told once.
///
/// # Errors
///
/// When the store fails, a block is damaged or no graph's, or there are too
/// many to look at.
pub(super) fn sort(
    store: &Store,
    roots: &[Cid],
    context: &Context,
) -> Result<(Vec<String>, Vec<Incomplete>), Failure> {
    let (mut whole, mut incomplete, mut told) = (Vec::new(), Vec::new(), HashSet::new());
    let mut check = Check { store, context, complete: HashSet::new(), left: MAX_CHECKED_BLOCKS };
    for root in roots.iter().filter(|root| told.insert(**root)) {
        match check.missing(*root)? {
            None => whole.push(root.to_string()),
            Some(missing) => incomplete.push(missing),
        }
        if incomplete.len() == MAX_INCOMPLETE_ROOTS {
            break;
        }
    }
    Ok((whole, incomplete))
}

/// What an import of incomplete roots ends with.
pub(super) fn failure(event: &Event) -> Option<Failure> {
    let Event::Imported { incomplete, .. } = event else { return None };
    let lines: Vec<String> = incomplete
        .iter()
        .map(|Incomplete { root, missing, first }| match missing {
            1 => format!("{root} is not whole: the block {first} is missing"),
            _ => format!("{root} is not whole: {missing} blocks are missing, the first is {first}"),
        })
        .collect();
    let hint = "import a CAR file that has them, or `peerage get` the root";
    (!lines.is_empty()).then(|| Failure::new(Code::Incomplete, lines.join("; "), hint))
}

struct Check<'a> {
    store: &'a Store,
    context: &'a Context,
    /// Blocks below which nothing is missing.
    complete: HashSet<Cid>,
    /// How many blocks may still be looked at.
    left: u64,
}

impl Check<'_> {
    /// What is missing below `root`, if anything is.
    fn missing(&mut self, root: Cid) -> Result<Option<Incomplete>, Failure> {
        let (mut seen, mut next) = (HashSet::from([root]), vec![root]);
        let (mut missing, mut first) = (0, None);
        while let Some(cid) = next.pop() {
            if self.complete.contains(&cid) {
                continue;
            }
            let Some(links) = self.links(&cid)? else {
                missing += 1;
                first.get_or_insert(cid);
                continue;
            };
            // The first of a block's links comes next.
            next.extend(links.into_iter().rev().filter(|link| seen.insert(*link)));
        }
        let Some(first) = first else {
            self.complete.extend(seen);
            return Ok(None);
        };
        Ok(Some(Incomplete { root: root.to_string(), missing, first: first.to_string() }))
    }

    /// What a block links to; `None` when the store does not have it.
    fn links(&mut self, cid: &Cid) -> Result<Option<Vec<Cid>>, Failure> {
        if self.context.is_cancelled() {
            return Err(Failure::interrupted());
        }
        self.left = self.left.checked_sub(1).ok_or_else(too_many)?;
        if !matches!(cid.codec(), codec::DAG_PB | codec::DAG_CBOR) {
            let has = self.store.has(cid).map_err(|error| store_failure(&error))?;
            return Ok(has.then(Vec::new));
        }
        let data = self.store.get(cid).map_err(|error| store_failure(&error))?;
        let Some(data) = data else { return Ok(None) };
        let block = Block::verified(*cid, data).map_err(|error| corrupt(&error))?;
        let links = match cid.codec() {
            codec::DAG_PB => {
                dag_pb::Node::decode(block.data()).map_err(|error| corrupt(&error))?.links
            }
            _ => return dag_cbor::links(block.data()).map(Some).map_err(|error| corrupt(&error)),
        };
        Ok(Some(links.into_iter().map(|link| link.cid).collect()))
    }
}

fn corrupt(error: &dyn Advice) -> Failure {
    Failure::of(Code::Corrupt, error)
}

fn too_many() -> Failure {
    let cause = "it has more blocks than can be looked at, which are in the store now";
    Failure::new(Code::Incomplete, cause, "`peerage export` its root, which says what is missing")
}
