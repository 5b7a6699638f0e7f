//! How a walk follows its path.

use bytes::Bytes;

use super::{Purpose, Visit, Walk, WalkError, view};
use crate::data::{
    Cid, View, codec,
    dag_cbor::{self, Ipld},
    hamt::{self, ShardPlace},
    view::ShardLink,
};

impl Walk {
    /// What a block is visited as that the path reaches at a segment.
    pub(super) fn at_segment(&mut self, segment: usize, cid: Cid) -> Purpose {
        if segment < self.path.len() {
            return Purpose::Path(segment, None);
        }
        self.terminus = Some(cid);
        Purpose::Node
    }

    /// Looks a segment up in a block: what is to be visited next.
    pub(super) fn follow(
        &mut self,
        visit: &Visit,
        segment: usize,
        place: Option<ShardPlace>,
        block: &Bytes,
    ) -> Result<Vec<Visit>, WalkError> {
        let name = self.path[segment].clone();
        if visit.cid.codec() == codec::DAG_CBOR {
            return self.follow_record(visit, segment, block);
        }
        let found = match (view(&visit.cid, block)?, place) {
            (View::Directory { entries, .. }, None) => {
                entries.iter().find(|entry| entry.name == name).map(|entry| entry.cid)
            }
            (View::Shard { links, fanout, .. }, place) => {
                let place = place.unwrap_or_else(|| ShardPlace::root(fanout));
                if place.fanout() != fanout {
                    return Err(WalkError::NotTheShard { cid: visit.cid });
                }
                match find_in_shard(&links, place, &name) {
                    Some(Found::Entry(cid)) => Some(cid),
                    Some(Found::Shard(cid, below)) => {
                        return Ok(vec![visit.below(cid, Purpose::Path(segment, Some(below)))]);
                    }
                    None => None,
                }
            }
            (_, Some(_)) => return Err(WalkError::NotTheShard { cid: visit.cid }),
            (View::Raw(_) | View::File { .. } | View::Symlink { .. }, None) => {
                return Err(WalkError::NotADirectory { name });
            }
        };
        let cid = found.ok_or(WalkError::NotFound { name })?;
        Ok(vec![visit.below(cid, self.at_segment(segment + 1, cid))])
    }

    /// Follows the path inside a dag-cbor record, to a link or its end.
    fn follow_record(
        &mut self,
        visit: &Visit,
        segment: usize,
        block: &Bytes,
    ) -> Result<Vec<Visit>, WalkError> {
        let record: Ipld = dag_cbor::decode(block)
            .map_err(|source| WalkError::Record { cid: visit.cid, source: source.into() })?;
        let mut value = &record;
        for index in segment..self.path.len() {
            let name = &self.path[index];
            let inner = match value {
                Ipld::Map(map) => std::str::from_utf8(name).ok().and_then(|key| map.get(key)),
                Ipld::List(list) => std::str::from_utf8(name)
                    .ok()
                    .and_then(|index| index.parse::<usize>().ok())
                    .and_then(|index| list.get(index)),
                _ => return Err(WalkError::NotADirectory { name: name.clone() }),
            };
            value = inner.ok_or_else(|| WalkError::NotFound { name: name.clone() })?;
            if let Ipld::Link(cid) = value {
                return Ok(vec![visit.below(*cid, self.at_segment(index + 1, *cid))]);
            }
        }
        // The path ends inside this block, which has been yielded.
        self.terminus = Some(visit.cid);
        if self.scope != super::DagScope::All {
            return Ok(Vec::new());
        }
        let mut links = Vec::new();
        value.references(&mut links);
        Ok(links.into_iter().map(|cid| visit.below(cid, Purpose::Node)).collect())
    }
}

enum Found {
    Entry(Cid),
    Shard(Cid, ShardPlace),
}

fn find_in_shard(links: &[ShardLink], place: ShardPlace, name: &[u8]) -> Option<Found> {
    let wanted = place.position(hamt::hash_name(name))?;
    match links.iter().find(|link| link.position() == wanted)? {
        ShardLink::Entry { entry, .. } => (entry.name == name).then_some(Found::Entry(entry.cid)),
        ShardLink::Shard { position, cid, .. } => Some(Found::Shard(*cid, place.below(*position)?)),
    }
}
