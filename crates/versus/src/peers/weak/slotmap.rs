//! slotmap: a `SecondaryMap`, pruned by hand.

use std::time::Duration;

use slotmap::{DefaultKey, SecondaryMap, SlotMap};

use crate::clock::Stopwatch;
use crate::needs::weak::{Entry, Object, Table, object};

/// Objects, and a number for each.
#[derive(Debug)]
pub(crate) struct SideTable {
    objects: SlotMap<DefaultKey, Object>,
    map: SecondaryMap<DefaultKey, u64>,
}

impl Table for SideTable {
    type Handle = DefaultKey;

    fn new() -> Self {
        Self { objects: SlotMap::new(), map: SecondaryMap::new() }
    }

    fn alloc(&mut self, id: u64) -> DefaultKey {
        self.objects.insert(object(id))
    }

    #[inline(always)]
    fn insert(&mut self, id: u64, handle: &DefaultKey) {
        self.map.insert(*handle, id);
    }

    #[inline(always)]
    fn get(&self, _: u64, handle: &DefaultKey) -> u64 {
        *self.map.get(*handle).expect("an entry")
    }

    fn expected(id: u64, _: &DefaultKey) -> u64 {
        id
    }

    fn len(&self) -> usize {
        self.map.len()
    }

    fn prune(&mut self, dead: Vec<Entry<DefaultKey>>, _: &[Entry<DefaultKey>]) -> Duration {
        dead.into_iter().for_each(|(_, key)| assert!(self.objects.remove(key).is_some()));
        let Self { objects, map } = self;
        let start = Stopwatch::start();
        map.retain(|key, _| objects.contains_key(key));
        start.elapsed()
    }
}
