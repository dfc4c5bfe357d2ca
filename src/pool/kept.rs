//! A pool as it was, and how to restore it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{PageState, Pool};
use crate::geometry::GRANULE_BYTES;
use crate::handle::RawHandle;
use crate::panics::Panics;
use crate::store::{KeptPages, KeptStore, KeptValues, Store};

/// A pool as it was.
pub(crate) struct KeptPool {
    pool: Pool,
    pages: KeptPages,
    /// `None` if there were none.
    values: Option<Box<dyn KeptValues>>,
}

impl Pool {
    fn is_held(&self, position: usize) -> bool {
        matches!(self.states[position].state, PageState::Open | PageState::Closed)
    }

    /// Whether a page of the pool holds memory; `None` if it is not the pool's.
    fn holds(&self, page: u32) -> Option<bool> {
        self.pages.position(page).map(|position| self.is_held(position))
    }

    /// The pages that hold memory.
    fn held(&self) -> impl Iterator<Item = u32> {
        let pages = self.pages.by_position().iter().enumerate();
        pages.filter(|(position, _)| self.is_held(*position)).map(|(_, page)| *page)
    }

    fn slot_granules(&self) -> u32 {
        (self.info.slot_bytes / GRANULE_BYTES) as u32
    }

    fn room(&self) -> KeptPages {
        KeptPages::with_room(self.held().count(), self.info.page_slots)
    }

    /// Keeps a pool whose values can be copied.
    pub(crate) fn keep_values<T: Clone + Send + Sync + 'static>(&self, store: &Store) -> KeptPool {
        let mut pages = self.room();
        let values = store.keep_values::<T>(self.held(), self.live, &mut pages);
        KeptPool { values: Some(values), pages, pool: self.clone() }
    }

    /// Keeps a pool without values, or returns the first object that has one.
    pub(crate) fn keep_empty(&self, store: &Store) -> Result<KeptPool, RawHandle> {
        let mut pages = self.room();
        self.held().for_each(|page| store.keep_page(page, &mut pages));
        match pages.first_object(store) {
            Some(object) => Err(object),
            None => Ok(KeptPool { values: None, pages, pool: self.clone() }),
        }
    }

    /// Takes the pages that `kept`, the pool with this number, does not have out of use: their values are
    /// dropped.
    pub(crate) fn wipe(
        &self,
        store: &mut Store,
        kept: Option<&KeptPool>,
        then: &KeptStore,
        panics: &mut Panics,
    ) {
        let kept = kept.filter(|kept| kept.pool.info.tag == self.info.tag);
        for page in self.held() {
            let is_kept = kept.is_some_and(|kept| kept.pool.holds(page) == Some(true));
            if is_kept && kept.is_some_and(|kept| kept.values.is_some()) {
                continue;
            }
            store.unveil(page);
            let mut filled =
                if self.info.needs_drop { store.filled(page, self.info.page_slots) } else { Vec::new() };
            panics.run_all(|| {
                let Some((granule, object)) = filled.pop() else { return false };
                if let Some(raw) = object {
                    (self.ops.kill)(store, raw);
                }
                (self.ops.drop_slot)(store, granule);
                true
            });
            if !is_kept {
                store.wipe_page(page, self.info.run_pages, page >= then.opened());
            }
        }
    }
}

impl KeptPool {
    /// Gives memory back to the pages that lost it; all others that are not kept were wiped.
    pub(crate) fn reclaim(&self, store: &mut Store, now: Option<&Pool>) {
        let now = now.filter(|now| now.info.tag == self.pool.info.tag);
        let (run, slot_granules) = (self.pool.info.run_pages, self.pool.slot_granules());
        for (position, page) in self.pool.pages.by_position().iter().enumerate() {
            match (self.pool.is_held(position), now.and_then(|now| now.holds(*page))) {
                (true, Some(true)) | (false, Some(false)) => {}
                (true, _) => store.reclaim(*page, run, slot_granules),
                (false, _) => store.reclaim_released(*page, run, slot_granules),
            }
        }
    }

    /// Restores the slots. The objects that cannot be made again are added to `lost`.
    pub(crate) fn restore(&self, store: &mut Store, lost: &mut Vec<RawHandle>, panics: &mut Panics) {
        let of = self.pool.info.tag;
        store.unseal(&self.pages, of);
        match &self.values {
            Some(values) => values.restore(store, &self.pages, lost, panics),
            None => store.restore_empty(&self.pages),
        }
        store.seal(&self.pages);
    }

    /// The pool, with nothing registered on its objects.
    pub(crate) fn unwatched(&self) -> Pool {
        Pool { watched: 0, ..self.pool.clone() }
    }
}
