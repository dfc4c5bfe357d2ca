//! Slots for objects that are made with `&Heap`: set aside, filled by the next flush, and returned.

use super::{Pool, PoolPage};
use crate::config::Limit;
use crate::handle::Generation;
use crate::pool::lists::List;
use crate::store::{Age, Claim, Made, Store, reserve};

impl Pool {
    /// The generation at which fresh slots start.
    pub(crate) fn first(&self) -> Generation {
        self.first
    }

    /// The claim of a word that was set aside.
    pub(crate) fn later(&self, number: usize) -> Option<&Claim> {
        self.later.get(number).map(|(_, claim)| claim)
    }

    /// Removes such a claim, to be filled and put back.
    pub(crate) fn take_later(&mut self, number: usize) -> Claim {
        core::mem::replace(&mut self.later[number].1, Claim::EMPTY)
    }

    /// Puts it back.
    pub(crate) fn put_later(&mut self, store: &Store, number: usize, mut claim: Claim) {
        let made = claim.take_handed_out();
        if self.making == Age::Young {
            // Edges may have been found while the objects were not there.
            store.whiten_made(made);
        }
        self.note_made_at(made);
        self.later[number].1 = claim;
    }

    /// Counts this many new objects.
    pub(crate) fn count_all_born(&mut self, objects: usize) {
        self.live += objects;
    }

    /// Sets aside free slots for this many objects, if there is memory for them.
    pub(crate) fn set_aside(&mut self, store: &mut Store, objects: usize) {
        let mut left = objects;
        while left > 0 {
            if self.claim.is_empty() && self.refill(store).is_err() {
                return;
            }
            let Some(position) = self.current else { return };
            self.note_made();
            store.distrust_bits(self.pages[position]);
            let claim = core::mem::replace(&mut self.claim, Claim::EMPTY);
            left = left.saturating_sub(claim.len());
            self.later.push((position, claim));
        }
    }

    /// Makes room for the metadata of one more page.
    pub(crate) fn reserve_page(&mut self) -> Result<(), Limit> {
        self.pages.reserve(1)?;
        reserve(&mut self.states, 1)?;
        let more_young = self.states.len() + 1 - self.young.len();
        reserve(&mut self.young, more_young as u32)
    }

    /// Takes over a page that was just opened, with objects in its first `len` slots: these.
    pub(crate) fn adopt(&mut self, page: u32, len: u32, made: impl Iterator<Item = Made>) {
        self.states.push(PoolPage::OPEN);
        let position = self.pages.push(page);
        self.live += len as usize;
        made.for_each(|made| self.note_made_at(made));
        self.note_young(position);
        if len < self.info.page_slots {
            self.lists.add_partial(&mut self.states, position);
        }
    }

    /// Frees what was set aside and not used.
    pub(crate) fn return_later(&mut self, store: &mut Store) {
        let mut later = core::mem::take(&mut self.later);
        for (position, claim) in later.drain(..) {
            store.end_claim(&claim);
            if !claim.is_empty() {
                store.unclaim(claim);
                if self.states[position].list == List::None && self.current != Some(position) {
                    self.lists.add_partial(&mut self.states, position);
                }
            }
        }
        self.later = later;
    }
}
