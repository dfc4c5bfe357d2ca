//! Zeal mode: which collection ended the life of a slot's last tenant, for messages.

use alloc::collections::BTreeMap;

use crate::config::Death;
use crate::geometry::Granule;
use crate::handle::{Generation, RawHandle};
use crate::store::Store;

/// The last death in each slot.
#[derive(Debug, Default)]
pub(super) struct Deaths {
    /// Collections that have ended.
    collections: u64,
    by_slot: BTreeMap<Granule, (Generation, Death)>,
}

impl Store {
    /// Sets how many collections have ended.
    pub(crate) fn count_collections(&mut self, collections: u64) {
        self.deaths.collections = collections;
    }

    /// How many collections have ended.
    pub(crate) fn collections(&self) -> u64 {
        self.deaths.collections
    }

    /// The object is being destroyed by hand.
    pub(crate) fn note_destroyed(&mut self, raw: RawHandle) {
        let death = Death::Destroyed(self.deaths.collections);
        self.deaths.by_slot.insert(raw.granule(), (raw.generation(), death));
    }

    /// These objects die in the current collection.
    pub(super) fn note_collected(&mut self, dead: impl IntoIterator<Item = RawHandle>) {
        let death = Death::Collected(self.deaths.collections + 1);
        let dead = dead.into_iter().map(|raw| (raw.granule(), (raw.generation(), death)));
        self.deaths.by_slot.extend(dead);
    }

    /// When the object died; `None` if it lives, if a later tenant of its slot has died since, or if it
    /// belongs to another heap.
    pub(crate) fn death_of(&self, raw: RawHandle) -> Option<Death> {
        let (generation, death) = self.deaths.by_slot.get(&raw.granule()).copied()?;
        (generation == raw.generation()).then_some(death)
    }
}
